import pytest

from motif.tasks.grading.units import choice, clash, unit_name, without_unit, words


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


def test_words_are_told_from_products_of_letters():
    assert words("\\text{Evelyn}") == "evelyn" == words("Evelyn.")
    assert words("an ellipse") == words("\\text{Ellipse}")
    assert words("abc") is None and words("\\text{x}") is None and words("\\sin x") is None and words("2 pi") is None


def test_a_choice_is_a_capital_letter_whatever_follows():
    assert choice("\\text{(C)}") == choice("C.") == ("C", False) and choice("(C) 12") == ("C", True)
    assert choice("c") is None and choice("Carla") is None and choice("(C) + 7") is None and choice("CD") is None
