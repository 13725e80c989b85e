"""Adaptive k: where the second half of the continuations goes, and that no value is biased by it."""

from itertools import product
from math import comb

import pytest

from motif.system.errors import UserError
from motif.training.algorithms import MOTIF, LeaveOneOut
from motif.training.allocation import allocation
from motif.training.rewards import Reward, accuracy
from tests.support.trees import node, tree

OUTCOME = Reward({"accuracy": accuracy}, {}, {"accuracy": 1.0})
SMALL = MOTIF(m=3, k="adaptive", pilot=3)


def reply(*rights):
    return node(1, *(node(2, right=bool(right), rounds=2) for right in rights), rounds=2)


def first(count, of):
    return [1] * count + [0] * (of - count)


def every_outcome():
    """Pilots, further draws, further successes and, of each reply, the value and the plain mean: all that can be."""
    p = SMALL.pilot
    for pilots in product(range(p + 1), repeat=SMALL.m):
        widths = SMALL.allotted(tree(*(reply(*first(x, p)) for x in pilots)), OUTCOME.outcome_of)
        further = [width - p for width in widths]
        for later in product(*(range(n + 1) for n in further)):
            roots = [reply(*first(x, p), *first(y, n)) for x, y, n in zip(pilots, later, further, strict=True)]
            rows = SMALL.rows(tree(*roots))
            values = [OUTCOME.of(row.path, row.continuations, row.weights)["accuracy"] for row in rows]
            yield (
                pilots,
                further,
                later,
                values,
                [(x + y) / (p + n) for x, y, n in zip(pilots, later, further, strict=True)],
            )


OUTCOMES = list(every_outcome())


def expected(truths):
    """The expectations of values and of plain means, by the sum over all outcomes."""
    p = SMALL.pilot
    values, plain, total = [0.0] * SMALL.m, [0.0] * SMALL.m, 0.0
    for pilots, further, later, made, means in OUTCOMES:
        chance = 1.0
        for truth, x, n, y in zip(truths, pilots, further, later, strict=True):
            chance *= comb(p, x) * comb(n, y) * truth ** (x + y) * (1 - truth) ** (p + n - x - y)
        total += chance
        values = [sum_ + chance * each for sum_, each in zip(values, made, strict=True)]
        plain = [sum_ + chance * each for sum_, each in zip(plain, means, strict=True)]
    assert total == pytest.approx(1, abs=1e-12)
    return values, plain


@pytest.mark.parametrize(
    "truths", [(0.1, 0.5, 0.9), (0.0, 0.02, 0.4), (0.3, 0.3, 0.3), (1.0, 0.7, 0.05), (0.5, 0.5, 1.0)]
)
def test_the_expected_value_of_a_reply_is_its_value_for_all_outcomes_together(truths):
    assert {n for _, further, *_ in OUTCOMES for n in further} == {2, 3, 4}, "else nothing is adaptive"
    assert expected(truths)[0] == pytest.approx(truths, abs=1e-12)


def test_the_plain_mean_would_be_biased():
    truths = (0.1, 0.5, 0.9)
    assert max(abs(mean - truth) for mean, truth in zip(expected(truths)[1], truths, strict=True)) > 0.002


def test_more_draws_go_where_a_pilot_is_mixed_and_the_total_is_that_of_a_fixed_k():
    found = allocation([[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    assert found == [3, 5, 3, 5] and sum(found) == 4 * 4
    assert allocation([[0, 0, 0, 0]] * 8) == [4] * 8 and allocation([]) == []
    assert max(allocation([[0] * 16] * 7 + [[0, 1] * 8])) == 32, "twice the mean at most"


def test_rewards_of_any_unit_and_ties_by_place_give_the_same_allocation():
    pilots = [[0.2, 0.9, 0.4], [0.0, 0.0, 0.1], [1.0, 0.0, 1.0], [0.3, 0.3, 0.3]]
    found = allocation(pilots)
    assert found == allocation([[5 - 40 * value for value in pilot] for pilot in pilots]) and len(set(found)) > 1
    assert sorted(found) == sorted(allocation(pilots[::-1])) and sum(found) == 12
    tied = allocation([[0, 1, 1]] * 2 + [[0, 0, 0]] * 2 + [[0, 1, 1]])
    assert tied == [4, 4, 2, 2, 3]


def test_a_reply_that_ended_its_episode_takes_no_part_and_is_worth_its_own_outcome():
    p = SMALL.pilot
    ended = node(1, right=True, rounds=2)
    grown = tree(reply(0, 0, 1), ended, reply(0, 0, 0))
    widths = SMALL.allotted(grown, OUTCOME.outcome_of)
    assert widths[1] == 0 and sum(widths) == 2 * 2 * p
    row = SMALL.rows(grown)[1]
    assert row.weights is None and OUTCOME.of(row.path, row.continuations, row.weights) == {"accuracy": 1.0}


@pytest.mark.parametrize("kind", [MOTIF, LeaveOneOut])
def test_k_is_a_number_or_adaptive_and_its_mean_is_two_pilots(kind):
    assert kind(m=8, k="adaptive").branching(3) == [8, 8, 1] and kind(m=8, k=4).branching(3) == [8, 4, 1]
    with pytest.raises(UserError, match=r"algo\.k.*adaptive, got 'adptive', did you mean adaptive\?"):
        kind(k="adptive")
    with pytest.raises(UserError, match=r"algo\.pilot must be a whole number of at least 2, got 1"):
        kind(k="adaptive", pilot=1)
