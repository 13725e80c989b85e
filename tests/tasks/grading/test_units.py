"""Which words after a quantity are its unit."""

import pytest

from motif.tasks.grading.units import clash, is_unit_text, other_currency, unit_key, without_unit


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("5\\text{ cm}", "5"),
        ("5 cm", "5"),
        ("5\\text{ cm}^2", "5"),
        ("10 km/h", "10"),
        ("18 apples", "18"),
        ("90°", "90"),
        ("12\\pi\\text{ in}", "12\\pi"),
        ("5 m", "5"),
        ("5m", "5m"),
        ("2t", "2t"),
        ("3x", "3x"),
        ("2 \\text{ or } 3", "2 \\text{ or } 3"),
        ("2 pi", "2 pi"),
        ("\\text{east}", "\\text{east}"),
        ("3 PM", "3 PM"),
        ("x+y", "x+y"),
    ],
)
def test_units_are_told_from_variables(text, left):
    assert without_unit(text)[0] == left


def test_known_units_clash_and_spellings_do_not():
    assert clash("cm", "m") and clash("dollars", "cents") and clash("square cm", "m^2") and clash("cm", "cm^2")
    assert clash("km/h", "m/s") and not clash("km per hour", "kmph")
    assert not clash("cm", "centimeters") and not clash("cm", "apples") and not clash("", "cm")
    assert unit_key("square feet per hour") == unit_key("ft^2/h") == {"ft": 2, "h": -1}


def test_a_unit_is_given_with_its_power():
    assert without_unit("5\\text{ cm}^2") == ("5", "\\text{ cm}^2") and without_unit("10 km/h") == ("10", "km/h")
    assert without_unit("20°C") == ("20", "°C") and without_unit("5") == ("5", "")


def test_words_that_are_no_known_unit_have_no_key():
    assert unit_key("square") is None and unit_key("apples") is None and unit_key("cubic inches") == {"in": 3}


def test_words_that_change_a_number_are_no_unit():
    assert is_unit_text("square cm") and is_unit_text("red apples") and is_unit_text("(cm)")
    assert not any(map(is_unit_text, ("dozen", "pairs", "(or 6)", "or six", "if even", "to 9", "percent")))


def test_currencies_are_told_by_signs_and_words():
    assert other_currency("\\$18", "18 cents") and other_currency("£5", "$5") and other_currency("€5", "5 dollars")
    assert not other_currency("$18$", "18 cents") and not other_currency("\\$18", "18 dollars")
