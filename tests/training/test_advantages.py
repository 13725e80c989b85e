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
