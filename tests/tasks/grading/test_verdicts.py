"""What the verdicts on parts come to."""

import pytest

from motif.tasks.grading.verdicts import Verdict, ordered, unordered

RIGHT, WRONG, UNDECIDED = Verdict.RIGHT, Verdict.WRONG, Verdict.UNDECIDED


def of_letters(one, other):
    """Equal letters are right, but for b, which nobody can decide; all others are wrong."""
    return WRONG if one != other else UNDECIDED if one == "b" else RIGHT


def test_only_a_right_answer_is_true():
    assert RIGHT and not WRONG and not UNDECIDED
    assert Verdict.of(True) is RIGHT and Verdict.of(False) is WRONG


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [("ac", "ac", RIGHT), ("ca", "ac", WRONG), ("a", "ac", WRONG), ("ab", "ab", UNDECIDED), ("bc", "ba", WRONG)],
)
def test_in_order_a_wrong_item_decides_and_an_undecided_one_leaves_open(prediction, gold, verdict):
    assert ordered(prediction, gold, of_letters) is verdict


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("ca", "ac", RIGHT),
        ("aaa", "a", RIGHT),
        ("a", "aaa", RIGHT),
        ("", "", RIGHT),
        ("ac", "a", WRONG),
        ("a", "ac", WRONG),
        ("a", "", WRONG),
        ("", "a", WRONG),
        ("ba", "ab", UNDECIDED),
        ("bac", "ab", UNDECIDED),
        ("b", "ac", WRONG),
    ],
)
def test_in_any_order_each_item_needs_an_equal_on_the_other_side(prediction, gold, verdict):
    assert unordered(prediction, gold, of_letters) is verdict


def test_an_item_that_may_equal_one_that_has_an_equal_already_is_undecided():
    verdicts = {("a", "x"): RIGHT, ("b", "x"): UNDECIDED}
    assert unordered("ab", "x", lambda *pair: verdicts[pair]) is UNDECIDED
