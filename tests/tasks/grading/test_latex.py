"""Which ways of writing become one, and that each rewrite is there for an answer."""

import pytest

from benchmarks.grading_cases import cases
from motif.tasks.grading.latex import COMPILED, clean, is_enclosed, plain_text, strict_form, trimmed
from tests.tasks.grading.test_grader import RIGHT

WRITTEN = [
    ("\\dfrac12", "\\frac{1}{2}"),
    ("\\frac 59", "\\frac{5}{9}"),
    ("\\frac9{19}", "\\frac{9}{19}"),
    ("\\frac{270}7", "\\frac{270}{7}"),
    ("\\sqrt3", "\\sqrt{3}"),
    ("sqrt(2)/2", "\\sqrt{2}/2"),
    ("\\left( 3 \\right]", "( 3 ]"),
    ("11,\\! 111,\\! 100", "11111100"),
    ("\\$32{,}348", "32348"),
    ("90^{\\circ}", "90°"),
    ("\\mathrm{cm}", "\\text{cm}"),
    ("1½", "1 1/2"),
    ("x²−1", "x^2-1"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    ("{{5}}", "5"),
    ("5!", "5!"),
    ("0.333...", "0.\\overline{3}"),
    ("x\\!y", "xy"),
    ("\\lt 3", "< 3"),
    ("\\gt 3", "> 3"),
    ("x<=3", "x\\le 3"),
    ("x>=3", "x\\ge 3"),
    ("\\lbrace 1 \\rbrace", "\\{ 1 \\}"),
    ("\\lbrack 0,1 \\rbrack", "[ 0,1 ]"),
    ("\\lvert x \\rvert", "| x |"),
    ("1\\colon 2", "1: 2"),
    ("6\\div 2", "6/ 2"),
    ("2\\ast 3", "2\\cdot 3"),
    ("x\\notag", "x"),
    ("5\\text{ }", "5"),
    ("sqrt2", "\\sqrt{2}"),
    ("2 pi", "2 \\pi"),
    ("2^(3)", "2^{3}"),
    ("2**3", "2^3"),
    ("\\frac ab", "\\frac{a}{b}"),
    ("\\frac 1a", "\\frac{1}{a}"),
    ("\\frac{1}\\pi", "\\frac{1}{\\pi}"),
]


@pytest.mark.parametrize(("text", "written"), WRITTEN)
def test_ways_of_writing_become_one(text, written):
    assert clean(text) == written


@pytest.mark.slow
def test_each_rewrite_changes_an_answer_that_is_tried(monkeypatch):
    texts = [text for case in cases() for text in (case.gold, case.reply)] + [text for text, _ in WRITTEN]
    texts += [text for cases in RIGHT.values() for case in cases for text in case]
    usual = {text: clean(text) for text in texts}
    for rewrite in COMPILED:
        others = [other for other in COMPILED if other is not rewrite]
        monkeypatch.setattr("motif.tasks.grading.latex.COMPILED", others)
        assert any(clean(text) != usual[text] for text in texts), rewrite


def test_words_of_text_are_shown_without_their_command():
    assert plain_text("\\text{a \\text{b}}") == "a b" and plain_text("5\\text{cm}^2") == "5 cm ^2"


def test_brackets_around_all_of_a_text_are_told_from_those_at_its_ends():
    assert is_enclosed("(1,(2))") and is_enclosed("[0,1)") and not is_enclosed("(1)(2)")
    assert trimmed("{1}{2}.") == "{1}{2}"


def test_the_strict_form_keeps_a_mixed_number_from_a_fraction():
    assert strict_form("1 1/2") != strict_form("11/2")
    assert strict_form("1, 234") != strict_form("1,234") == strict_form("1234.0")
