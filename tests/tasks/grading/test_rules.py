"""What is decided before structure is looked at."""

import pytest

from motif.tasks.grading.rules import labelled, real_numbers, without_space


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("all real numbers", "\\mathbb{R}"),
        ("\\text{All reals}", "\\mathbb{R}"),
        ("all real numbers except 1 and 2", "\\mathbb{R}\\setminus\\{1,2\\}"),
        ("all real numbers x such that x \\ne -4", "\\mathbb{R}\\setminus\\{-4\\}"),
        ("all non-negative real numbers", "[0,\\infty)"),
        ("all real numbers less than 2", "(-\\infty,2)"),
        ("all positive real numbers except 1", None),
        ("all integers", None),
        ("no real numbers", None),
    ],
)
def test_words_for_real_numbers_are_sets(text, numbers):
    assert real_numbers(text) == numbers


def test_a_label_is_told_from_a_ratio():
    assert labelled("\\text{Area: } 5") == ("area", "5") and labelled("Total: 12") == ("total", "12")
    assert labelled("2:3") == ("", "2:3") and labelled("x:y") == ("", "x:y")


def test_space_is_taken_out():
    assert without_space(" a  b ") == "ab"
