import pytest

from motif.tasks.questions import Question, fingerprint, normalised, question_id, question_text, without
from tests.support.toys import question


def test_an_id_depends_on_the_data_set_and_the_text_alone():
    assert question_id("chain", "9a-5") == question_id("chain", "9a-5") == "chain-" + question_id("chain", "9a-5")[6:]
    assert len({question_id("chain", "9a-5"), question_id("chain", "9a-6"), question_id("gsm8k", "9a-5")}) == 3


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        ("How many are left?", "  how  many\nare left "),
        ("He paid $1,000.", "He paid 1000"),
        (r"Find $x + 1$, please.", r"Find \(x+1\) please"),
        (r"Let $\left( 3,\, \dfrac{\pi}{2} \right)$", r"Let $(3, \frac{\pi}{2})$"),
        (r"$5\,\text{cm}$ wide", r"$5 \text{cm}$ wide"),
        ("Tom’s “red” hat – here", "Tom's red hat - here"),
        (r"the point $(0,3)$", "the point $(0, 3)$"),
    ],
)
def test_copies_of_a_question_are_the_same_one(text, copy):
    assert normalised(text) == normalised(copy)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("9a-5b*8", "9a+5b*8"),
        ("What is 1.5?", "What is 15?"),
        ("What is -1?", "What is 1?"),
        ("What is 5!?", "What is 5?"),
        ("What is 1 2?", "What is 12?"),
        ("f'(1)", "f(1)"),
        ("f(x,y)", "f(xy)"),
        (r"a \le b", r"a \leftarrow b"),
        ("x < 1", "x > 1"),
    ],
)
def test_different_questions_stay_different(text, other):
    assert normalised(text) != normalised(other)


def test_normalising_twice_changes_nothing_more():
    for text in (r"Let $\left( 3,\, \dfrac{\pi}{2} \right)$ . He paid $1,000.50; why?", "a . b"):
        assert normalised(normalised(text)) == normalised(text)


def test_questions_that_are_among_others_are_dropped_and_told():
    train = [question("One and one?"), question("Two and two?"), question("Three?")]
    kept, dropped = without(train, [question("two  AND two")])
    assert (kept, dropped) == ([train[0], train[2]], [train[1]])


def test_a_fingerprint_tells_rows_golds_and_order():
    one, two = question("1+1", "2"), question("1+2", "3")
    assert fingerprint([one, two]) == fingerprint(iter([one, two]))
    assert len({fingerprint(rows) for rows in ([one, two], [two, one], [one], [question("1+1", "3"), two], [])}) == 5
    assert len(fingerprint([one])) == 12


def test_a_box_is_asked_for_unless_said_otherwise():
    assert not Question("toy-1", "1+1", "2").unboxed


SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 1 + 1?"}
REPLY = {"role": "assistant", "content": "2"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it stands", "as it stands"),
        ([USER], "What is 1 + 1?"),
        (USER, "What is 1 + 1?"),
        ([SYSTEM, USER], "Be brief.\n\nWhat is 1 + 1?"),
        ([{**SYSTEM, "content": ""}, USER], "What is 1 + 1?"),
        ([{**USER, "content": [{"type": "text", "text": "1 + "}, {"type": "text", "text": "1"}]}], "1 + 1"),
        ([{**USER, "content": [{"type": "image", "url": "x"}, {"type": "text", "text": "1"}]}], None),
        ([USER, REPLY], None),
        ([USER, REPLY, USER], None),
        ([SYSTEM], None),
        ([SYSTEM, {**USER, "content": " "}], None),
        ([{**USER, "content": None}], None),
        ([{"from": "human", "value": "x"}], None),
        (["x"], None),
        ([], None),
        (5, None),
        (None, None),
    ],
)
def test_a_question_is_text_or_one_message_of_the_user_after_a_system_message_at_most(value, text):
    assert question_text(value) == text
