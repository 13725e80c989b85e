"""Advantages computed by hand."""

from math import sqrt

import pytest

from motif.training.advantages import (
    EPSILON,
    Return,
    against_the_group,
    against_the_others,
    by_change,
    flat,
    scaled,
    spread,
)


def group(*trajectories, own=None):
    """Worths of trajectories, each a list of outcomes by row; `own` gives the rows' own terms alike."""
    own = own or [[0.0] * len(rows) for rows in trajectories]
    return [
        Return(outcome, term, place, 1 / len(rows), round)
        for place, (rows, terms) in enumerate(zip(trajectories, own, strict=True))
        for round, (outcome, term) in enumerate(zip(rows, terms, strict=True), 1)
    ]


def test_with_one_row_each_it_is_grpo():
    rows = group([1.0], [0.0], [0.0], [0.0])
    assert against_the_group(rows) == [0.75, -0.25, -0.25, -0.25]
    assert spread(against_the_group(rows), rows) == pytest.approx(0.5)  # the sample standard deviation
    assert scaled([0.75, -0.25], 0.5) == [0.75 / (0.5 + EPSILON), -0.25 / (0.5 + EPSILON)]
    assert scaled([0.75], None) == [0.75]


def test_a_trajectory_counts_once_however_many_rounds_it_has():
    rows = group([1.0], [0.0, 0.0, 0.0])
    assert against_the_group(rows) == pytest.approx([0.5, -0.5, -0.5, -0.5])
    assert spread(against_the_group(rows), rows) == pytest.approx(sqrt(0.5))
    short = group([1.0], [0.0])
    assert spread(against_the_group(short), short) == pytest.approx(sqrt(0.5))


def test_the_own_terms_of_a_reply_are_held_against_those_of_its_round():
    rows = group([1.0, 1.0], [0.0, 0.0], own=[[0.1, 0.0], [0.1, 0.1]])
    assert against_the_group(rows) == pytest.approx([0.5, 0.5 - 0.05, -0.5, -0.5 + 0.05])


@pytest.mark.parametrize("baseline", [against_the_group, against_the_others, by_change])
def test_a_round_that_is_always_well_formed_is_paid_nothing_for_that(baseline):
    """All trajectories fail, all first rounds are well formed, no last one is: nothing tells one from another."""
    rows = group(*[[0.0, 0.0]] * 4, own=[[0.1, 0.0]] * 4)
    assert flat(baseline(rows))
    ended = group([0.0, 0.0], [0.0], own=[[0.1, 0.0], [0.1]])  # nor does it that one came further
    assert flat(baseline(ended))


def test_leave_one_out_is_against_the_mean_of_the_others():
    rows = group([1.0], [0.5], [0.0])
    assert against_the_others(rows) == [1.0 - 0.25, 0.5 - 0.5, 0.0 - 0.75]


def test_a_round_is_worth_what_it_changed_and_the_changes_add_up():
    rows = group([0.5, 1.0, 1.0], [0.0, 0.5, 0.0], [1.0])
    found = by_change(rows)
    first = [0.5 - (0.0 + 1.0) / 2, 0.0 - (0.5 + 1.0) / 2, 1.0 - (0.5 + 0.0) / 2]
    assert found == pytest.approx([first[0], 0.5, 0.0, first[1], 0.5, -0.5, first[2]])
    assert sum(found[:3]) == pytest.approx(1.0 - 0.5) and sum(found[3:6]) == pytest.approx(0.0 - 0.75)
    with_form = by_change(group([0.5, 1.0, 1.0], [0.0, 0.5, 0.0], [1.0], own=[[0.3, 0.0, 0.0], [0.0] * 3, [0.0]]))
    form = [0.3, 0.0, 0.0, -0.15, 0.0, 0.0, -0.15]  # of round 1 against the mean of the other two
    assert with_form == pytest.approx([value + term for value, term in zip(found, form, strict=True)])


def test_with_one_round_the_change_divided_by_its_spread_is_grpo():
    rows = group([1.0], [0.0], [0.0], [1.0], [0.0])
    change, deviation = by_change(rows), against_the_group(rows)
    assert scaled(change, spread(change, rows)) == pytest.approx(scaled(deviation, spread(deviation, rows)), abs=1e-3)


@pytest.mark.parametrize("baseline", [against_the_group, against_the_others, by_change])
def test_a_group_without_spread_teaches_nothing(baseline):
    rows = group([1.0], [1.0, 1.0], [1.0])
    centred = baseline(rows)
    assert flat(centred) and scaled(centred, spread(centred, rows)) == pytest.approx([0.0] * 4)
    assert not flat(baseline(group([1.0], [0.0, 0.0])))


SUMS = [  # an outcome and an own term of two replies, the same in all
    *[((total, 0.0), (total, 0.0)) for total in (0.1, 0.6, 1.1, 1 / 3, -0.7, 1e-12, 1e9 / 7)],
    *[((0.0, 0.1), (0.0, 0.1)), ((0.1 + 0.2, 0.0), (0.3, 0.0)), ((0.3, 0.1), (0.2, 0.2)), ((1 / 3, 2 / 3), (1.0, 0.0))],
    *[((0.1 + 0.7, 0.2), (0.9, 0.1)), ((1e6 + 0.1, 0.2), (1e6 + 0.2, 0.1))],
]


@pytest.mark.parametrize("m", [2, 3, 5, 7, 8, 16, 64])
@pytest.mark.parametrize("pair", SUMS, ids=str)
@pytest.mark.parametrize("baseline", [against_the_group, against_the_others])
def test_equal_rewards_give_exactly_nothing_however_they_are_summed(baseline, pair, m):
    rows = [Return(*pair[place % 2], trajectory=place) for place in range(m)]
    assert baseline(rows) == [0.0] * m


@pytest.mark.parametrize("m", [2, 3, 8, 64])
@pytest.mark.parametrize("value", [0.1, 0.6, 1.1, 1 / 3])
def test_a_value_that_never_changes_gives_exactly_nothing(value, m):
    assert by_change(group(*[[value] * (1 + place % 3) for place in range(m)])) == [0.0] * sum(
        1 + place % 3 for place in range(m)
    )


@pytest.mark.parametrize("level", [0.0, 0.1, 1.1, 1e6])
@pytest.mark.parametrize("baseline", [against_the_group, against_the_others, by_change])
def test_a_true_spread_is_kept_however_small(baseline, level):
    small = 1e-13 * max(level, 1e-300)
    centred = baseline(group([level], [level + small], [level]))
    assert centred[1] > 0 > centred[0] and not flat(centred)
