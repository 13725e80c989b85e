"""Which texts are numbers, and which numbers are equal."""

from fractions import Fraction

import pytest

from motif.tasks.grading.numbers import Number, digits_and_base, integer, number, same_number


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("025", "25"),
        ("1,080", "1080"),
        ("7.0", "7"),
        ("$-4$", "-4"),
        ("-0", "0"),
        ("+3", "3"),
        ("5.", "5"),
        ("1,23", None),
        ("1.5", None),
        ("", None),
        ("٣", None),
        ("1/2", None),
    ],
)
def test_whole_numbers_are_written_in_one_way(text, digits):
    assert integer(text) == digits


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".5", Fraction(1, 2)),
        ("-\\frac{1}{2}", Fraction(-1, 2)),
        ("\\frac{-1}{2}", Fraction(-1, 2)),
        ("1\\frac{1}{2}", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        ("1.2e3", 1200),
        ("1.2\\times 10^{-3}", Fraction(12, 10000)),
        ("10^6", 10**6),
        ("1 000 000", 10**6),
        ("0.1\\overline{6}", Fraction(1, 6)),
        ("1.5 million", 1_500_000),
    ],
)
def test_numbers_are_exact(text, value):
    assert number(text).value == value


@pytest.mark.parametrize("text", ["x", "1/0", "1-1/2", "\\sqrt{2}", "1,23", "9^{9}", "7" * 1000, "1e99999", ""])
def test_other_texts_are_no_numbers(text):
    assert number(text) is None


def test_decimals_agree_to_six_places_and_small_ones_to_four_digits():
    third = Number(Fraction(1, 3))
    assert same_number(Number(Fraction("0.333333"), rounded=True), third)
    assert not same_number(Number(Fraction("0.333"), rounded=True), third)
    assert not same_number(Number(Fraction(333333, 10**6)), third)
    assert not same_number(number(".0000672"), number(".0000671"))


def test_a_percentage_is_its_number_or_its_share():
    assert same_number(number("50\\%"), number("50")) and same_number(number("0.5"), number("50%"))
    assert not same_number(number("50"), number("0.5")) and not same_number(number("50%"), number("0.5%"))


def test_a_number_names_its_base_by_a_subscript():
    assert digits_and_base("17_{8}") == digits_and_base("(17)_{8}") == ("17", "8")
    assert digits_and_base("FF_{sixteen}") == ("FF", "sixteen")
    assert digits_and_base("17") is digits_and_base("a_{8}") is digits_and_base("17_{n}") is None
