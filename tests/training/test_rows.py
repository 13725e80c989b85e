"""What a reply earns, and what TRL's rows hold, on returns written by hand."""

from types import SimpleNamespace

import pytest

from motif.rounds.replies import Reply
from motif.training.advantages import Return
from motif.training.algorithms import GRPO, Row
from motif.training.rows import Credit, TrainedRow, as_trl, group_advantages, padded, weighted


def test_advantages_are_deviations_from_the_own_group():
    groups = [[1.0, 0.0], [5.0, 5.0]]
    returns = [[Return(value, 0.0, place) for place, value in enumerate(group)] for group in groups]
    rows = [[Row((), [])] * 2] * 2
    own, every = 0.5**0.5 + 1e-4, (sum((value - 2.75) ** 2 for value in (1, 0, 5, 5)) / 3) ** 0.5 + 1e-4
    assert group_advantages(GRPO(), rows, returns) == [pytest.approx([0.5 / own, -0.5 / own]), [0.0, 0.0]]
    assert group_advantages(GRPO(), rows, returns, "none") == [[0.5, -0.5], [0.0, 0.0]]
    assert group_advantages(GRPO(), rows, returns, "batch")[0] == pytest.approx([0.5 / every, -0.5 / every])


@pytest.mark.parametrize("reward", [0.1, 0.7, 1 / 3, 1.1, 1e9])
@pytest.mark.parametrize("m", [2, 3, 7, 8, 64])
def test_equal_rewards_give_advantages_of_exactly_zero(reward, m):
    returns = [[Return(reward, 0.1, place) for place in range(m)]]
    assert group_advantages(GRPO(m=m), [[Row((), [])] * m], returns) == [[0.0] * m]


def row(*ids, weight=1.0, logprobs=None):
    return TrainedRow(Reply("x", list(ids), [1, 2], True, logprobs), {"accuracy": 1.0}, 0.5, weight)


def test_places_that_are_left_hold_one_token_without_weight():
    rows = padded([[row(5, 6)], [row(7), row(8)]], slots=2, questions=3)
    assert [each.reply.token_ids for each in rows] == [[5, 6], [6], [7], [8], [6], [6]]
    assert [each.weight for each in rows] == [1, 0, 1, 1, 0, 0]
    given = as_trl(rows)
    assert given["env_mask"] == [[1, 1], [0], [1], [1], [0], [0]] and given["values"][1] == {}
    assert "env_mask" not in as_trl([row(5, 6), row(7)])


def test_a_reply_that_was_cut_off_weighs_nothing_where_only_finished_ones_count():
    """By what decoding says of it, whatever its last token is."""
    replies = [Reply("x", [5, end], [1], finished) for end, finished in ((9, True), (5, True), (9, False))]
    nodes = [SimpleNamespace(reply=reply) for reply in replies]
    rows = [Row((node,), [], (node,)) for node in nodes]
    credit = Credit([[{}] * 3], [[]], [[0.5, -0.5, 0.5]])
    assert [each.weight for each in weighted([rows], credit, 2.0, "round", only_finished=True)[0]] == [2, 2, 0]
    assert [each.weight for each in weighted([rows], credit, 2.0, "round")[0]] == [2, 2, 2]


def test_log_probabilities_are_given_where_all_are_known():
    assert as_trl([row(5, logprobs=[-1.0]), row(6)])["logprobs"] is None
    assert as_trl([row(5, logprobs=[-1.0])])["logprobs"] == [[-1.0]]
