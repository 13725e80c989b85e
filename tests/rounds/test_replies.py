import itertools

import pytest

from motif.rounds.replies import Sampling, draw_key
from motif.system.errors import UserError


@pytest.mark.parametrize("bad", [{"tokens": 0}, {"temperature": -0.1}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}])
def test_impossible_sampling_is_refused(bad):
    with pytest.raises(UserError, match="must be"):
        Sampling(**{"tokens": 5, **bad})


def test_keys_change_nothing_else():
    keyed = Sampling(5, 0.7, 0.9, 3).keyed([8, 6])
    assert keyed == Sampling(5, 0.7, 0.9, 3, (8, 6)) and [keyed.key(row) for row in range(2)] == [8, 6]
    assert [Sampling(5).key(row) for row in range(3)] == [0, 1, 2]


def test_a_key_is_decided_by_all_its_parts_and_by_nothing_else():
    parts = ["training", "evaluation", "probe"], [0, 1], [1, 2, 11], ["q1", "q2"]
    keys = [draw_key(*each) for each in itertools.product(*parts)]
    assert len(set(keys)) == len(keys) and all(0 <= key < 2**48 for key in keys)
    assert keys == [draw_key(*each) for each in itertools.product(*parts)]
    assert draw_key("training", 0, 1, "q1") == 118525976250095  # in any process, on any machine
    assert draw_key(1, 11) != draw_key(11, 1)
