import pytest

from motif.rounds.replies import Sampling
from motif.system.errors import UserError


@pytest.mark.parametrize("bad", [{"tokens": 0}, {"temperature": -0.1}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}])
def test_impossible_sampling_is_refused(bad):
    with pytest.raises(UserError, match="must be"):
        Sampling(**{"tokens": 5, **bad})


def test_seeding_changes_nothing_else():
    assert Sampling(5, 0.7, 0.9, 3).seeded(4) == Sampling(5, 0.7, 0.9, 3, 4)
