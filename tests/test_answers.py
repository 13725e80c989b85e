import threading

import pytest

from motif.answers import final_answer, is_correct


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("\\boxed{7}", "7"),
        ("\\boxed{1} then \\boxed{ 2 }", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1} and \\boxed{2", "1"),
        ("\\boxed{", None),
        ("7", None),
        ("", None),
        ("\\boxed{}", ""),
    ],
)
def test_the_answer_is_the_last_complete_box(reply, answer):
    assert final_answer(reply) == answer


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [("25", "025"), ("1080", "1,080"), ("7.0", "7"), ("$7$", "7"), ("\\frac{1}{2}", "0.5"), ("x=3", "3"), ("-4", "-4")],
)
def test_equal_answers_are_right(prediction, gold):
    assert is_correct(prediction, gold)


@pytest.mark.parametrize(("prediction", "gold"), [("80", "1080"), ("", "0"), ("6", "7"), ("seven", "7"), ("1.5", "15")])
def test_other_answers_are_wrong(prediction, gold):
    assert not is_correct(prediction, gold)


def test_grading_works_outside_the_main_thread():
    found = []
    worker = threading.Thread(target=lambda: found.append(is_correct("\\frac{2}{4}", "\\frac{1}{2}")))
    worker.start()
    worker.join()
    assert found == [True]
