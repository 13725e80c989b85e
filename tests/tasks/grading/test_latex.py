import time

import pytest

from motif.tasks.grading.latex import boxes, clean, encloses, final_answer, read, strict_form, trimmed


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
    ],
)
def test_the_answer_is_the_last_complete_box_or_else_tag(reply, answer):
    assert final_answer(reply) == answer


def test_the_tag_has_the_name_it_is_given_or_none():
    assert final_answer("<final>3</final>", tag="final") == "3"
    assert final_answer("<final>3</final>") is None
    assert final_answer("<answer>3</answer>", tag=None) is None


def seconds(text):
    started = time.process_time()
    final_answer(text), read(text)
    return time.process_time() - started


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "\\boxed{1} and ", "\\", "{", "\\fbox", "<answer>", "</answer>", "\\boxed{{", "$", "\\("]
)
def test_ten_times_the_text_takes_no_hundred_times_as_long(piece):
    small, large = (min(seconds(piece * (size // len(piece))) for _ in range(2)) for size in (100_000, 1_000_000))
    assert large < 40 * small + 0.5


def test_nested_boxes_are_found_in_the_order_in_which_they_begin():
    assert [content for *_, content in boxes("\\boxed{a \\boxed{b}} \\boxed{c}")] == ["a \\boxed{b}", "b", "c"]


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
    assert read(text) == answer


@pytest.mark.parametrize(
    ("text", "written"),
    [
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
    ],
)
def test_ways_of_writing_become_one(text, written):
    assert clean(text) == written


def test_brackets_around_all_of_a_text_are_told_from_those_at_its_ends():
    assert encloses("(1,(2))") and encloses("[0,1)") and not encloses("(1)(2)")
    assert trimmed("{1}{2}.") == "{1}{2}"


def test_the_strict_form_keeps_a_mixed_number_from_a_fraction():
    assert strict_form("1 1/2") != strict_form("11/2")
    assert strict_form("1, 234") != strict_form("1,234") == strict_form("1234.0")
