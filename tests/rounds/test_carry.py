import pytest

from motif.rounds.carry import Carried, Full, HeadTail, Nothing, Summary, Tail, Turn
from motif.system.errors import UserError
from tests.support.toys import Words, reply


def turn(text, answer=None, before=(), room=100):
    words = Words()
    return Turn(reply(text, words), answer, [reply(each, words) for each in before], room, words)


def test_an_answer_is_carried_whole_where_it_fits():
    assert Summary(tokens=3).carry(turn("x", "a b c")) == Carried("a b c")


def test_a_long_answer_is_cut_to_its_first_tokens_and_that_is_noted():
    assert Summary(tokens=2).carry(turn("x", "a b c")) == Carried("a b", cut=True)


def test_without_an_answer_nothing_is_carried_by_default():
    assert Summary(tokens=2).carry(turn("a b c d", None)) == Carried(None)


def test_the_tail_of_a_reply_is_bounded():
    assert Summary(tokens=2, missing="tail").carry(turn("a b c d", None)) == Carried("c d", cut=True)


def test_unknown_ways_are_refused():
    with pytest.raises(UserError, match="none, tail"):
        Summary(missing="all")


def test_a_tail_is_the_end_of_the_reply_half_of_the_room_unless_it_is_said():
    assert Tail(tokens=2).carry(turn("a b c d", "a b")) == Carried("c d", cut=True)
    assert Tail().carry(turn("a b c d", room=6)) == Carried("b c d", cut=True)
    assert Tail().carry(turn("a b c d", room=8)) == Carried("a b c d")


def test_head_and_tail_are_of_the_first_round_and_of_this_one():
    kind = HeadTail(head=2, tokens=3)
    assert kind.carry(turn("a b c d e f")) == Carried("a b … d e f", cut=True)
    assert kind.carry(turn("a b c d e")) == Carried("a b c d e")
    assert kind.carry(turn("g h i j", before=["a b c", "d e f"])) == Carried("a b … h i j", cut=True)
    assert HeadTail().carry(turn("a b c d e f g", room=8)) == Carried("a b … f g", cut=True)  # a quarter and a half


def test_an_empty_head_or_tail_leaves_no_sign_between_them():
    kind = HeadTail(head=2, tokens=3)
    assert kind.carry(turn("", before=["a b c"])).text == "a b" and kind.carry(turn("a b", before=[""])).text == "a b"
    assert kind.carry(turn("", before=[""])).text == ""


def test_the_controls_carry_all_and_nothing():
    assert Full().carry(turn("g h", "x", before=["a b", "d e"])) == Carried("a b\nd e\ng h")
    assert Nothing().carry(turn("g h", "x", before=["a b"])) == Carried(None)
