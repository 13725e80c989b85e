"""The verdicts of `verdicts.txt`, and that no text, process or thread keeps a grader from giving one."""

import json
import multiprocessing
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.grading_cases import cases
from motif.tasks.grading import Verdict, final_answer, grader_id, is_correct, is_correct_strictly, verdict
from motif.tasks.grading.grader import forget_verdicts
from motif.tasks.grading.latex import strict_form
from tests.support.toys import shared


def claims(which):
    """By claim, the (prediction, gold) of every case under the heading `which` of the table."""
    text = (Path(__file__).parent / "verdicts.txt").read_text()
    cases = {}
    for line in text.split(f"## {which}\n")[1].split("\n## ")[0].splitlines():
        if line.startswith("# "):
            cases[line.removeprefix("# ")] = []
        elif line:
            gold, *predictions = line.split(" || ")
            cases[list(cases)[-1]] += [(prediction, gold) for prediction in predictions]
    return cases


RIGHT, WRONG = claims("RIGHT"), claims("WRONG")
MARKS = ("$", "oxed", "fbox", "**", "is", ":", "#")  # of a text that is more than a bare answer


def test_the_table_is_read_whole():
    lines = (Path(__file__).parent / "verdicts.txt").read_text().splitlines()
    written = sum(line.count(" || ") for line in lines if not line.startswith("#"))
    assert sum(len(cases) for part in (RIGHT, WRONG) for cases in part.values()) == written > 600


@pytest.mark.parametrize("claim", RIGHT)
def test_the_same_answers_are_right(claim):
    assert not [(prediction, gold) for prediction, gold in RIGHT[claim] if not is_correct(prediction, gold)]


@pytest.mark.parametrize("claim", WRONG)
def test_different_answers_are_wrong(claim):
    assert not [(prediction, gold) for prediction, gold in WRONG[claim] if is_correct(prediction, gold)]


KINDS = sorted({case.kind for case in cases()})


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_public_reports_are_decided_rightly(kind):
    of_kind = [case for case in cases() if case.kind == kind]
    assert len(of_kind) > 12 and {case.right for case in of_kind} == {True, False}
    assert not [case for case in of_kind if is_correct(case.reply, case.gold) is not case.right]


@pytest.mark.parametrize("claim", RIGHT)
def test_dollars_and_boxes_change_no_verdict(claim):
    bare = [case for case in RIGHT[claim] if not any(mark in "".join(case) for mark in MARKS)]
    dressed = [(f"${prediction}$", f"${gold}$") for prediction, gold in bare]
    dressed += [(f"\\boxed{{{prediction}}}", gold) for prediction, gold in bare]
    assert not [(prediction, gold) for prediction, gold in dressed if not is_correct(prediction, gold)]


@pytest.mark.parametrize("nothing", ["", " ", "$$", "\\boxed{}", "\\boxed{5", "\\boxed{\\frac{5}{1}"])
def test_nothing_is_never_right(nothing):
    assert not is_correct(nothing, "5") and not is_correct("5", nothing) and not is_correct_strictly(nothing, "5")


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("$\\dfrac{1}{2}$.", "\\frac{1}{2}"),
        ("025", "25"),
        ("1,080.0", "1080"),
        ("\\left( 3, 4 \\right)", "(3,4)"),
        ("\\text{Evelyn}", "Evelyn"),
        ("10,\\!080", "10080"),
        ("\\frac12", "\\frac{1}{2}"),
        ("so \\boxed{7}", "7"),
    ],
)
def test_the_strict_grader_knows_ways_of_writing(prediction, gold):
    assert is_correct_strictly(prediction, gold) and is_correct_strictly(gold, prediction)


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("0.5", "\\frac12"),
        ("x+1", "1+x"),
        ("5 cm", "5"),
        ("11/2", "1 1/2"),
        ("1, 234", "1234"),
        ("", ""),
        ("12", "1 2"),
    ],
)
def test_the_strict_grader_computes_nothing(prediction, gold):
    assert not is_correct_strictly(prediction, gold)


def test_a_grader_is_named_with_both_versions():
    assert grader_id().startswith("motif-") and "+sympy-" in grader_id()


HOSTILE = {
    "tower": "9^{9^{9^{9}}}",
    "tower in an expression": "1+9^{9^9}",
    "factorial of a tower": "9^{9^{9}}!",
    "factorials": "((9!)!)!",
    "binomial": "\\binom{10^9}{10^8}",
    "power of a sum": "(x+y+z)^{1000}-1",
    "sum": "\\sum_{n=1}^{10^{12}} \\frac{1}{n^n}",
    "integral": "\\int_0^1 x^{x^{x^x}} dx",
    "product": "\\prod_{n=1}^{10^{9}} (n+x)",
    "nested fractions": "\\frac{1}{" * 10_000 + "1" + "}" * 10_000,
    "nested parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "nested braces": "{" * 10_000 + "1" + "}" * 10_000,
    "thirty fractions": "\\frac{x}{1+" * 30 + "1" + "}" * 30,
    "unclosed boxes": "\\boxed{" * 150_000,
    "open braces": "{" * 200_000,
    "a megabyte": "x+1 " * 250_000,
    "a megabyte of dollars": "$" * 1_000_000,
    "a megabyte of answers": "answer is " * 100_000,
    "a giant integer": "7" * 100_000,
    "a giant decimal": "0." + "7" * 100_000,
    "control characters": "\x00\x01\x1b[0m\ud800",
    "surrogates": "\ud800\udfff+1",
    "commas": ",".join(map(str, range(300))),
    "equals": "=".join("abcdefgh" * 40),
    "plus minus": "\\pm".join("abcdefgh"),
    "spaces": "1" + " " * 900 + "x",
}


ALGEBRA = ["factorial of a tower", "binomial", "power of a sum", "sum", "integral", "product", "thirty fractions"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_verdict(name):
    assert is_correct(HOSTILE[name], "\\sqrt{2}") is is_correct_strictly(HOSTILE[name], "\\sqrt{2}") is False


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ALGEBRA[1:]])
def test_a_hostile_gold_gets_a_verdict(name):
    assert is_correct("x+\\sqrt{2}", HOSTILE[name]) is is_correct_strictly("x+\\sqrt{2}", HOSTILE[name]) is False


def test_what_is_too_much_to_decide_is_undecided_and_not_correct():
    for prediction in ("9^{9^{9^{9}}}", "((9!)!)!", "\\binom{10^9}{10^8}"):
        assert verdict(prediction, "3\\sqrt{7}") is Verdict.UNDECIDED and not is_correct(prediction, "3\\sqrt{7}")


def test_algebra_is_asked_once_about_two_answers(monkeypatch):
    asked = []
    monkeypatch.setattr("motif.tasks.grading.judge.JUDGE.ask", lambda *pair: asked.append(pair) or Verdict.RIGHT)
    forget_verdicts()
    assert is_correct("x+1", "$1+x$") and is_correct("x+1", "$1+x$") and asked == [("x+1", "1+x")]
    forget_verdicts()
    assert is_correct("x+1", "$1+x$") and len(asked) == 2
    forget_verdicts()


def test_what_exhausts_one_question_leaves_the_next_alone():
    assert not is_correct("\\binom{10^9}{10^8}+x", "3\\sqrt{7}")
    assert is_correct("\\sqrt{63}", "3\\sqrt{7}")


def test_giant_integers_are_compared_by_their_digits():
    assert is_correct("0" + "7" * 100_000, "$" + "7" * 100_000 + "$")
    assert not is_correct("7" * 100_000, "7" * 99_999 + "8")


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_text_is_graded_and_equals_itself(text):
    assert is_correct(text, "\\sqrt{2}x+1") in (True, False)
    if text.strip() and "box" not in text:
        assert is_correct(text, text)


PIECES = st.sampled_from(
    [*"{}()[]12x,^_=<$%./-", "\\frac", "\\sqrt", "\\pm", "\\text", "and", "\\cup", "\\{", "\\}", "\\le", "\\boxed"]
)


@given(st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES, max_size=12).map("".join))
@settings(deadline=None, max_examples=150)
def test_pieces_of_latex_are_graded(one, other):
    assert is_correct(one, other) in (True, False)
    assert final_answer(one + other) is None or final_answer(one + other)


PAIRS = [("\\sqrt{12}", "2\\sqrt{3}"), ("y+z", "z+y"), ("y^2", "y^3"), ("\\sqrt{15}", "\\sqrt{3}")]


def graded(offset=0):
    """Verdicts on formulas that are new to every caller."""
    return [is_correct(f"{one}+{offset}", f"{other}+{offset}") for one, other in PAIRS]


def in_process(offset, results):
    results.put(graded(offset))


def test_threads_are_told_the_same():
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append(graded(n))) for n in range(20, 24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[True, True, False, False]] * 4


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_daemonic_processes_are_told_the_same(method):
    graded(30)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    process = context.Process(target=in_process, args=(31, results), daemon=True)
    process.start()
    found = results.get(timeout=60)
    process.join()
    assert found == graded(32) == [True, True, False, False]


PROGRAM = """
import json, os, sys
os.close(0)
from motif.tasks.grading.grader import JUDGE, is_correct
plain = [is_correct("7", "07"), is_correct("1/2", "3"), is_correct("(1,2)", "(2,1)")]
asked = JUDGE.process is not None
algebra = is_correct("\\\\sqrt{8}", "2\\\\sqrt2")
print(json.dumps({"plain": plain, "asked": asked, "algebra": algebra, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def elsewhere():
    """What a process of its own finds, whose stdin is closed."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert not done.stderr
    return json.loads(done.stdout)


def test_a_closed_stdin_changes_nothing(elsewhere):
    assert elsewhere["algebra"] is True


def test_grading_imports_no_heavy_library_here(elsewhere):
    assert not {"torch", "transformers", "datasets", "sympy", "math_verify", "numpy"} & set(elsewhere["modules"])


def test_numbers_and_structures_need_no_process(elsewhere):
    assert elsewhere["plain"] == [True, False, False] and not elsewhere["asked"]


GOLDS = {
    "math500_test.jsonl": lambda row: row["answer"],
    "gsm8k_test.jsonl": lambda row: row["answer"].split("####")[1].strip(),
    "aime24_test.jsonl": lambda row: str(row["answer"]),
    "aime25_test.jsonl": lambda row: str(row["answer"]),
    "amc23_test.jsonl": lambda row: str(row["answer"]),
}


@pytest.mark.parametrize("name", GOLDS)
def test_real_golds_are_right_as_they_stand_between_dollars_and_boxed(name):
    for line in shared(name).read_text().splitlines():
        gold = GOLDS[name](json.loads(line))
        for text in (gold, f"${gold}$", f"It is \\boxed{{{gold}}}."):
            assert is_correct(text, gold) and is_correct_strictly(text, gold), gold


@pytest.mark.parametrize("name", GOLDS)
def test_no_real_gold_is_right_beside_another(name):
    golds = [GOLDS[name](json.loads(line)) for line in shared(name).read_text().splitlines()]
    for gold, other in zip(golds, golds[1:] + golds[:1], strict=True):
        wrong = [f"{gold}+1", f"-({gold})-1"]
        if strict_form(gold) != strict_form(other.removeprefix("x=")):
            wrong.append(other)
        if re.fullmatch(r"-?\d+", gold):
            wrong[:2] = [str(int(gold) + 1), str(-int(gold) - 1)]
        accepted = [text for text in wrong if is_correct(f"\\boxed{{{text}}}", gold)]
        assert not accepted, (gold, accepted)


def test_reference_solutions_of_math_are_right():
    for line in shared("math500_test.jsonl").read_text().splitlines():
        row = json.loads(line)
        answer = final_answer(row["solution"])
        assert answer and is_correct(answer, row["answer"]) and is_correct(row["solution"], row["answer"]), row[
            "answer"
        ]
