import pytest

from motif.carry import Carried, Summary
from motif.checks import UserError
from tests.toys import Words, reply


def test_an_answer_is_carried_whole_where_it_fits():
    words = Words()
    assert Summary(tokens=3).carry(reply("x", words), "a b c", words) == Carried("a b c")


def test_a_long_answer_is_cut_to_its_first_tokens_and_that_is_noted():
    words = Words()
    assert Summary(tokens=2).carry(reply("x", words), "a b c", words) == Carried("a b", cut=True)


def test_without_an_answer_nothing_is_carried_by_default():
    words = Words()
    assert Summary(tokens=2).carry(reply("a b c d", words), None, words) == Carried(None)


def test_the_tail_of_a_reply_is_bounded():
    words = Words()
    assert Summary(tokens=2, missing="tail").carry(reply("a b c d", words), None, words) == Carried("c d", cut=True)


def test_unknown_ways_are_refused():
    with pytest.raises(UserError, match="none, tail"):
        Summary(missing="all")
