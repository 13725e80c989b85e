import pytest

from motif.tasks.grading.equivalence import ordered, same, unordered


def undecided(prediction, gold):
    return None


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("(1,2)", "(1,2.0)", True),
        ("(2,1)", "(1,2)", False),
        ("2,1", "\\{1,2\\}", True),
        ("[0,1]", "[0,1)", False),
        ("x+1", "y", None),
        ("(x+1,2)", "(y,3)", False),
        ("(x+1,3)", "(y,3)", None),
        ("x=1/2", "0.5", True),
        ("x=1", "y=1", False),
        ("17_{8}", "17", False),
        ("5 m", "5 cm", False),
        ("ok", "7", False),
    ],
)
def test_structure_decides_what_it_can_without_algebra(prediction, gold, verdict):
    assert same(prediction, gold, undecided) is verdict


def test_a_false_part_decides_and_an_undecided_one_leaves_open():
    ask = {("a", "a"): True, ("b", "b"): None}.get
    assert ordered("ab", "ab", lambda p, g: ask((p, g), False)) is None
    assert ordered("ab", "ac", lambda p, g: ask((p, g), False)) is False
    assert unordered("ba", "ab", lambda p, g: ask((p, g), False)) is None
    assert unordered("aaa", "a", lambda p, g: ask((p, g), False)) is True
    assert unordered("ac", "a", lambda p, g: ask((p, g), False)) is False
