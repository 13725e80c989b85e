"""Integrals, sums, products and limits within formulas."""

import pytest
from sympy import Rational

from motif.tasks.grading.formulas import read
from motif.tasks.grading.tokens import Unreadable, symbol

n = symbol("n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\int_0^1 x dx", Rational(1, 2)),
        ("1+\\int_{0}^{2} 3x^2 dx", 9),
        ("\\sum_{i=1}^{10} i", 55),
        ("\\sum_{k=1}^{\\infty} \\frac{1}{2^k}", 1),
        ("\\prod_{k=1}^{5} k", 120),
        ("\\lim_{x\\to 0}\\frac{\\sin x}{x}", 1),
    ],
)
def test_they_are_worked_out(text, value):
    assert read(text)[0] == value


def test_a_sum_to_a_variable_is_a_formula():
    assert (read("\\sum_{i=1}^{n} i")[0] - n * (n + 1) / 2).simplify() == 0


@pytest.mark.parametrize("text", ["\\int x dx", "\\int_0^1 x", "\\sum_k k", "\\lim x"])
def test_what_lacks_a_part_is_refused(text):
    with pytest.raises(Unreadable):
        read(text)
