"""What a formula is to sympy, and which are refused."""

import pytest
import sympy
from sympy import I, Rational, cos, exp, log, pi, sin

from motif.tasks.grading.formulas import read
from motif.tasks.grading.tokens import Unreadable, symbol

x, y = symbol("x"), symbol("y")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("\\frac{1}{x-y}", 1 / (x - y)),
        ("2\\frac{1}{2}x", Rational(5, 2) * x),
        ("\\ln 2/2", log(2) / 2),
        ("\\log_{2}{4}/(x+1)", log(4) / log(2) / (x + 1)),
        ("\\sin^2 x\\cos x", sin(x) ** 2 * cos(x)),
        ("\\sin^{-1} x", sympy.asin(x)),
        ("\\sin 30°", Rational(1, 2)),
        ("e^{ix}", exp(I * x)),
        ("\\sqrt[3]{-8}", -2),
        ("|x|+|y|", abs(x) + abs(y)),
        ("0.1\\overline{6}x", x / 6),
        ("5!!", 15),
        ("\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", -2),
        ("-x^{-1}", -1 / x),
        ("50\\%x", x / 2),
    ],
)
def test_a_formula_is_read_as_it_is_written(text, expression):
    assert read(text) == (expression,)


def test_what_may_be_read_in_two_ways_is():
    assert read("1/2x") == (1 / (2 * x), x / 2) and read("\\sin \\pi/3") == (0, sympy.sqrt(3) / 2)
    assert read("x/2") == (x / 2,) and read("\\frac{1}{2}\\pi") == (pi / 2,)


@pytest.mark.parametrize("one", ["f(x+1)", "f'(x)", "X", "x_{1}", "\\vec{x}", "\\frac{dy}{dx}", "x(t)", "\\angle ABC"])
def test_names_are_whole(one):
    value = read(one)[0]
    assert value.is_Symbol and value != x


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2",
        "x2",
        "1+\\ldots+n",
        "a \\oplus b",
        "x^*",
        "(x",
        "x)",
        "\\frac{1}",
        "--x",
        "2^3^4",
        "\\ln^{-1} x",
        "f^{(2)}(x)",
    ],
)
def test_what_is_not_known_is_refused(text):
    with pytest.raises(Unreadable):
        read(text)
