"""Which rule decides about two answers, and how structures of two kinds are compared."""

from itertools import product
from typing import get_args

import pytest

from motif.tasks.grading.equivalence import COMPARISONS, DEEPEST, MOST_PARTS, Comparison
from motif.tasks.grading.structure import Kind, structure
from motif.tasks.grading.verdicts import Verdict

RIGHT, WRONG, UNDECIDED = Verdict.RIGHT, Verdict.WRONG, Verdict.UNDECIDED


def same(prediction, gold):
    return Comparison(lambda *formulas: UNDECIDED).same(prediction, gold)


def asked(prediction, gold):
    """The pairs of formulas that algebra is asked about."""
    pairs = []
    Comparison(lambda *formulas: pairs.append(formulas) or RIGHT).same(prediction, gold)
    return pairs


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("(1,2)", "(1,2.0)", RIGHT),
        ("(2,1)", "(1,2)", WRONG),
        ("2,1", "\\{1,2\\}", RIGHT),
        ("[0,1]", "[0,1)", WRONG),
        ("x+1", "y", UNDECIDED),
        ("(x+1,2)", "(y,3)", WRONG),
        ("(x+1,3)", "(y,3)", UNDECIDED),
        ("x=1/2", "0.5", RIGHT),
        ("x=1", "y=1", WRONG),
        ("17_{8}", "17", WRONG),
        ("17", "17_{8}", RIGHT),
        ("17_{8}", "17_{9}", WRONG),
        ("5 m", "5 cm", WRONG),
        ("5m", "5", RIGHT),
        ("1 \\pmod{7}", "1", RIGHT),
        ("(C) 12", "C", RIGHT),
        ("(B) 12", "C", WRONG),
        ("5 million", "5\\text{ million}", RIGHT),
        ("ok", "7", WRONG),
        ("", "1", WRONG),
    ],
)
def test_rules_and_structure_decide_what_they_can_without_algebra(prediction, gold, verdict):
    assert same(prediction, gold) is verdict


EXAMPLES = {
    "formula": "x+1",
    "tuple": "(1,x)",
    "set": "\\{1,x\\}",
    "list": "1,x",
    "union": "(1,2) \\cup (3,x)",
    "matrix": "\\begin{pmatrix} 1 & x \\end{pmatrix}",
    "equation": "y^2+3=x",
}
NEVER = {("set", "tuple"), ("list", "union")} | {
    tuple(sorted(("matrix", kind))) for kind in ("tuple", "set", "list", "union")
}


def test_there_is_an_example_of_each_kind():
    assert {kind: structure(text).kind for kind, text in EXAMPLES.items()} == {kind: kind for kind in get_args(Kind)}


@pytest.mark.parametrize(("one", "other"), product(EXAMPLES, EXAMPLES))
def test_kinds_that_are_never_the_same_are_wrong_without_algebra(one, other):
    is_compared = tuple(sorted((one, other))) not in NEVER
    assert (frozenset((one, other)) in COMPARISONS) is is_compared
    if not is_compared:
        assert same(EXAMPLES[one], EXAMPLES[other]) is WRONG and not asked(EXAMPLES[one], EXAMPLES[other])


@pytest.mark.parametrize(
    ("prediction", "gold", "formulas"),
    [
        ("(x+1,2)", "(1+x,2)", [("x+1", "1+x")]),
        ("(1,x+1)\\cup(5,6)", "(1,1+x)\\cup(7,8)", [("(1,x+1) \\cup (5,6)", "(1,1+x) \\cup (7,8)")]),
        ("(-\\infty,\\infty)", "\\mathbb{R}", [("(-\\infty,\\infty)", "\\mathbb{R}")]),
        ("2x+2y=2", "x+y=1", [("2x+2y=2", "x+y=1")]),
        ("\\begin{pmatrix} 1 & x \\end{pmatrix}", "A^2", [("\\begin{pmatrix}1 & x\\end{pmatrix}", "A^2")]),
        ("y=x+1", "1+x", [("x+1", "1+x")]),
        ("abc", "7", []),
        ("(1,2)", "x+1", []),
    ],
)
def test_algebra_is_asked_about_formulas_and_what_structure_leaves_open(prediction, gold, formulas):
    assert [pair for pair in asked(prediction, gold) if pair in formulas] == formulas
    assert bool(asked(prediction, gold)) is bool(formulas)


def test_an_answer_of_too_many_parts_or_too_deep_is_wrong():
    many = ",".join(f"x+{n}" for n in range(MOST_PARTS + 1))
    assert same(f"({many})", f"( {many},1 )") is WRONG and not asked(f"({many})", f"( {many}+1 )")
    nested = ["(" * depth + "x,1" + ",1)" * depth for depth in (DEEPEST - 1, DEEPEST + 2)]
    assert [same(text, text.replace("x", "y")) for text in nested] == [UNDECIDED, WRONG]
