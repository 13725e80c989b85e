"""Into which signs and names a formula falls."""

import pytest

from motif.tasks.grading.tokens import Unreadable, symbol, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2xy", ["2", "x", "y"]),
        ("1,000.5x", ["1,000.5", "x"]),
        ("sinx+\\ln 2", ["\\sin", "x", "+", "\\ln", "2"]),
        ("\\text{cos}\\text{e}", ["\\cos", "e"]),
        ("ABC", ["ABC"]),
        ("GMm", ["G", "M", "m"]),
        ("2AB", ["2", "A", "B"]),
        ("P(HT)", ["P", "(", "HT", ")"]),
        ("HHx", ["H", "H", "x"]),
        ("5!!\\%", ["5", "!!", "\\%"]),
    ],
)
def test_a_formula_falls_into_numbers_names_and_functions(text, found):
    assert tokens(text) == found


@pytest.mark.parametrize("text", ["x#y", "x;y", "a & b", "x \\\\ y", "∮"])
def test_a_sign_that_has_no_meaning_here_is_refused(text):
    with pytest.raises(Unreadable):
        tokens(text)


def test_variables_are_real_but_those_of_complex_numbers():
    assert symbol("x").is_real and symbol("z").is_real is None
