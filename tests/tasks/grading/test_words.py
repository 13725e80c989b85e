"""Which texts are words, and which are letters of a choice."""

from motif.tasks.grading.words import choice, words


def test_words_are_told_from_products_of_letters():
    assert words("\\text{Evelyn}") == "evelyn" == words("Evelyn.")
    assert words("an ellipse") == words("\\text{Ellipse}")
    assert words("abc") is None and words("\\text{x}") is None and words("\\sin x") is None and words("2 pi") is None


def test_a_choice_is_a_capital_letter_whatever_follows():
    assert choice("\\text{(C)}") == choice("C.") == ("C", False) and choice("(C) 12") == ("C", True)
    assert choice("c") is None and choice("Carla") is None and choice("(C) + 7") is None and choice("CD") is None


def test_times_of_day_and_yes_are_words_however_short():
    assert words("3 P.M.") == "3 pm" == words("3 pm") and words("yes") == "yes" and words("no.") == "no"


def test_an_article_before_words_is_left_out():
    assert (
        words("the first line") == "first line" == words("a First, line.")
        and words("theory of cars") == "theory of cars"
    )
