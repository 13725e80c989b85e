"""Whether expressions, equations, inequalities and sets are the same."""

import pytest

from motif.tasks.grading.symbolic import same_formula
from motif.tasks.grading.verdicts import Verdict


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("1-2^{-50}", "\\frac{2^{50}-1}{2^{50}}"),
        ("e^{it}", "\\cos t+i\\sin t"),
        ("1.414214", "\\sqrt{2}"),
        ("2x=4y", "x=2y"),
        ("\\frac{1}{x}+\\frac{1}{y}=2", "x+y=2xy"),
        ("3x^2<9a", "x^2-3a<0"),
        ("|x|>1", "(-\\infty,-1)\\cup(1,\\infty)"),
        ("(1,2]\\cup[2,3)", "1<x<3"),
        ("[0,2]\\cap(1,3)", "(1,2]"),
        ("x\\ne 3", "\\mathbb{R}\\setminus\\{3\\}"),
    ],
)
def test_the_same_in_another_form_is_right(prediction, gold):
    assert same_formula(prediction, gold) is same_formula(gold, prediction) is Verdict.RIGHT


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("1-2^{-250}", "1"),
        ("e^{-1000}", "0"),
        ("\\frac{1}{2006!}", "\\frac{1}{2004!}"),
        ("|x|", "x"),
        ("\\max(x,5)", "5"),
        ("1.41422", "\\sqrt{2}"),
        ("x^2=4", "x=2"),
        ("x<y", "y<x"),
        ("x^2<4", "(-2,2]"),
        ("x<3", "y<3"),
        ("\\infty", "-\\infty"),
    ],
)
def test_what_differs_a_little_is_wrong(prediction, gold):
    assert same_formula(prediction, gold) is Verdict.WRONG


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [("1/2x", "\\frac{x}{2}"), ("\\infty-1", "\\infty"), ("a\\star b", "ab"), ("e^{-e^{20}}", "0+0")],
)
def test_what_is_ambiguous_or_cannot_be_worked_out_is_undecided(prediction, gold):
    assert same_formula(prediction, gold) is Verdict.UNDECIDED
