import io
import json
import subprocess
import sys
import time

import pytest

from motif.tasks.grading.algebra import MEMORY, WALL, Child, answer, main


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("\\sqrt{8}", "2\\sqrt{2}", True),
        ("(\\sqrt{8}, x+1)", "(2\\sqrt{2}, 1+x)", True),
        ("2x+2y=2", "x+y=1", True),
        ("x^2=-4", "x^2=-1", False),
        ("0=0", "x=x+1", False),
        ("e^{i\\pi}", "-1", True),
        ("2i", "2", False),
        ("\\frac{", "1", False),
    ],
)
def test_algebra_decides_the_parts(prediction, gold, verdict):
    assert answer(prediction, gold) is verdict


def test_a_child_that_takes_too_long_is_ended_and_the_next_one_answers():
    child = Child()
    started = time.process_time()
    assert not child.ask(json.dumps(["\\binom{10^9}{10^8}", "3\\pi"]).encode() + b"\n", time.monotonic() + WALL)
    child.end()
    child = Child()
    assert child.ask(json.dumps(["\\sqrt{8}", "2\\sqrt{2}"]).encode() + b"\n", time.monotonic() + WALL) == b"true\n"
    child.end()
    assert time.process_time() - started < 5


@pytest.mark.parametrize("greedy", ["bytearray(4 << 30)", "[0] * (1 << 29)", "10 ** (1 << 62)"])
def test_a_child_that_wants_too_much_memory_is_ended_and_no_verdict(greedy, monkeypatch):
    monkeypatch.setattr("motif.tasks.grading.algebra.answer", lambda *_: eval(greedy))
    child = Child()
    assert child.ask(b'["1", "1"]\n', time.monotonic() + 2 * WALL) in (b"", None)
    child.end()


def test_the_kernel_bounds_memory_and_time_of_a_child():
    limits = limited()
    assert limits["address space"] <= limits["before"] + MEMORY and limits["core"] == 0


def limited():
    """The limits of a process in which `limit_memory` was called."""
    code = (
        "import json, os, resource; from motif.tasks.grading.algebra import limit_memory\n"
        "before = int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE'); limit_memory()\n"
        "print(json.dumps({'before': before + (1 << 24), 'address space': resource.getrlimit(resource.RLIMIT_AS)[0],"
        " 'core': resource.getrlimit(resource.RLIMIT_CORE)[0]}))"
    )
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_where_every_child_is_killed_the_judge_ends_and_makes_no_verdict_up(monkeypatch):
    class Killed:
        def ask(self, line, until):
            return b""

        def end(self, dead=False):
            return dead

    monkeypatch.setattr("motif.tasks.grading.algebra.Child", Killed)
    verdicts = io.BytesIO()
    main([b'["1", "1"]\n', b'["2", "2"]\n'], verdicts)
    assert verdicts.getvalue() == b"ready\n"


def test_the_end_of_its_questions_ends_the_judge():
    questions = (
        '["\\\\sqrt{8}", "2\\\\sqrt{2}"]\n["x", "y+1"]\n["\\\\binom{10^9}{10^8}", "3\\\\pi"]\nno json\n["x+1", "1+x"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "motif.tasks.grading.algebra"],
        input=questions,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["ready", "true", "false", "null", "false", "true"] and not done.stderr
    assert callable(main)
