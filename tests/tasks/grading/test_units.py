"""Which words after a quantity are its unit."""

import pytest

from motif.tasks.grading.units import clash, is_unit_word, unit_name, without_unit


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


def test_units_of_one_kind_clash_and_spellings_do_not():
    assert clash("cm", "m") and clash("dollars", "cents") and clash("square cm", "m^2")
    assert not clash("cm", "centimeters") and not clash("cm", "apples") and not clash("", "cm")
    assert unit_name("square feet") == unit_name("ft^2") == ("length2", "ft")


def test_a_unit_is_given_with_its_power():
    assert without_unit("5\\text{ cm}^2") == ("5", " cm^2") and without_unit("10 km/h") == ("10", "km/h")
    assert without_unit("20°C") == ("20", "°C") and without_unit("5") == ("5", "")


def test_words_beside_units_are_no_units_of_their_own():
    assert is_unit_word("square") and unit_name("square") is None and not is_unit_word("apples")
    assert unit_name("cm m") is None and unit_name("cubic inches") == ("length3", "in")
