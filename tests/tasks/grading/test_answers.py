"""Which part of a text is the answer."""

import pytest

from motif.tasks.grading.answers import boxes, final_answer, flexible_answer, stated_answer
from tests.support import no_hang


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("\\boxed{7}", "7"),
        ("\\boxed{1} then \\boxed{ 2 }", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1} and \\boxed{2", "1"),
        ("\\boxed{1 and \\boxed{2}", "2"),
        ("\\boxed{\\left\\{ 1, 2 \\right.}", "\\left\\{ 1, 2 \\right."),
        ("\\fbox{a}", "a"),
        ("\\boxed {3}", "3"),
        ("\\boxed 5$", "5"),
        ("\\boxed -12.", "-12"),
        ("\\\\boxed{5}", "5"),
        ("the \\boxed command", None),
        ("\\boxedfoo{5}", None),
        ("\\boxed{", None),
        ("7", None),
        ("", None),
        ("\\boxed{}", None),
        ("\\boxed{4} \\boxed{ }", None),
        ("<answer>3</answer>", "3"),
        ("<answer>3</answer> <answer>4", "3"),
        ("<answer>3</answer><answer> 4 </answer>", "4"),
        ("\\boxed{2} <answer>3</answer>", "2"),
        ("<answer></answer>", None),
        ("<answer>\\boxed{3</answer>", None),
        ("</answer>3<answer>", None),
        ("<think>\\boxed{1}</think> so \\boxed{2}", "2"),
        ("<think>\\boxed{1}</think>", None),
        ("<think>\\boxed{1}", None),
        ("\\boxed{1} <think>\\boxed{2}", "1"),
        ("\\boxed{1}</think> \\boxed{2}", "2"),
        ("<think>\\boxed{1}</think> <think>\\boxed{2}</think> \\boxed{3}", "3"),
    ],
)
def test_the_answer_is_the_last_complete_box_or_else_tag(reply, answer):
    assert final_answer(reply) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("\\boxed{7} The answer is 8.", "7"),
        ("The answer is 72.", "72"),
        ("so it is\n#### 1,080", "1,080"),
        ("Answer: $\\frac{1}{2}$", "$\\frac{1}{2}$"),
        ("She has 3 apples and then 12 more, 15", "15"),
        ("<think>The answer is 3.</think> We get 1/4 of it.", "1/4"),
        ("<think>The answer is 3.", None),
        ("no number", None),
    ],
)
def test_the_flexible_answer_is_a_box_a_statement_or_the_last_number(reply, answer):
    assert flexible_answer(reply) == answer


def test_the_tag_has_the_name_it_is_given_or_none():
    assert final_answer("<final>3</final>", tag="final") == "3"
    assert final_answer("<final>3</final>") is None
    assert final_answer("<answer>3</answer>", tag=None) is None


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "\\boxed{1} and ", "\\", "{", "\\fbox", "<answer>", "</answer>", "\\boxed{{", "$", "\\("]
)
def test_an_answer_is_found_in_time_linear_in_the_text(piece):
    text = piece * (1_000_000 // len(piece))
    with no_hang(60):  # quadratic time would take minutes
        final_answer(text), stated_answer(text)


def test_nested_boxes_are_found_in_the_order_in_which_they_begin():
    assert [box.content for box in boxes("\\boxed{a \\boxed{b}} \\boxed{c}")] == ["a \\boxed{b}", "b", "c"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{5} and $\\boxed{6}$.", "5, 6"),
        ("\\boxed{5}, no: it is \\boxed{6}", "6"),
        ("The answer is $\\frac12$. I hope it is correct.", "$\\frac12$"),
        ("The answer is 5 cm. It is long.", "5 cm"),
        ("#### 18", "18"),
        ("Thus $x=3$.", "x=3"),
        ("$3$ inches", "$3$ inches"),
        ("It may be $3$ or 4", "It may be $3$ or 4"),
        ("there are 5 apples", "there are 5 apples"),
        ("\\boxed{5", ""),
    ],
)
def test_what_a_text_states_is_read_and_nothing_is_fished_for(text, answer):
    assert stated_answer(text) == answer
