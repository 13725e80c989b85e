"""What algebra says of two formulas, and that the kernel bounds what a question may take."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from motif.tasks.grading.algebra import CHILDREN, MEMORY, PROCESSOR_SECONDS, WALL_SECONDS, Answerer, Child, main, same
from motif.tasks.grading.verdicts import Verdict


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("\\sqrt{8}", "2\\sqrt{2}", True),
        ("(\\sqrt{8}, x+1)", "(2\\sqrt{2}, 1+x)", True),
        ("2x+2y=2", "x+y=1", True),
        ("x^2=-4", "x^2=-1", False),
        ("x^2<-4y", "x^2<4y", False),
        ("0=0", "x=x+1", False),
        ("e^{i\\pi}", "-1", True),
        ("2i", "2", False),
    ],
)
def test_algebra_decides_the_parts(prediction, gold, verdict):
    assert same(prediction, gold) is Verdict.of(verdict)


@pytest.mark.parametrize("unreadable", ["\\frac{", "a \\oplus b", "1+\\ldots+n", "x^*", "2x3"])
def test_what_cannot_be_read_is_undecided(unreadable):
    assert same(unreadable, "x+1") is Verdict.UNDECIDED


def test_a_busy_machine_changes_no_verdict(child):
    """The limit is on processor time: a child that is stopped for longer than it may compute still answers."""
    slow = child()
    os.kill(slow.pid, signal.SIGSTOP)
    threading.Timer(2 * PROCESSOR_SECONDS, os.kill, (slow.pid, signal.SIGCONT)).start()
    assert slow.ask(question("\\sqrt{8}", "2\\sqrt{2}"), time.monotonic() + WALL_SECONDS) == b"right\n"


def test_a_question_that_hangs_is_asked_once_more_and_then_undecided(monkeypatch):
    asked = []

    class Hung(Killed):
        def __init__(self):
            pass

        def ask(self, question, deadline):
            asked.append(question)
            return None

    monkeypatch.setattr("motif.tasks.grading.algebra.Child", Hung)
    assert Answerer().verdict(b"1") == b"undecided\n" and asked == [b"1", b"1"]


@pytest.fixture
def child():
    """Makes children, and ends those that live on."""
    children = []

    def make():
        children.append(Child())
        return children[-1]

    yield make
    for each in children:
        each.end(dead=False)


def question(*texts):
    return json.dumps(texts).encode() + b"\n"


def test_a_child_that_takes_too_long_is_ended_and_the_next_one_answers(child):
    assert not child().ask(question("\\binom{10^9}{10^8}", "3\\pi"), time.monotonic() + WALL_SECONDS)
    assert child().ask(question("\\sqrt{8}", "2\\sqrt{2}"), time.monotonic() + WALL_SECONDS) == b"right\n"


@pytest.mark.parametrize("greedy", ["bytearray(4 << 30)", "[0] * (1 << 29)", "10 ** (1 << 62)"])
def test_a_child_that_wants_too_much_memory_is_ended_and_no_verdict(greedy, child, monkeypatch):
    monkeypatch.setattr("motif.tasks.grading.algebra.same", lambda *_: eval(greedy))
    assert child().ask(question("1", "1"), time.monotonic() + 2 * WALL_SECONDS) in (b"", None)


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


class Killed:
    """A child that somebody kills at each question."""

    made = 0

    def __init__(self):
        Killed.made += 1

    def ask(self, question, deadline):
        return b""

    def end(self, dead):
        return dead


def test_where_every_child_is_killed_no_verdict_is_made_up(monkeypatch):
    monkeypatch.setattr("motif.tasks.grading.algebra.Child", Killed)
    verdicts = io.BytesIO()
    main([question("1", "1"), question("2", "2")], verdicts)
    assert verdicts.getvalue() == b"ready\n" and Killed.made == CHILDREN + 1


def test_the_process_answers_line_by_line_and_ends_with_its_questions():
    questions = [("\\sqrt{8}", "2\\sqrt{2}"), ("x", "y+1"), ("\\binom{10^9}{10^8}", "3\\pi")]
    lines = b"".join(question(*texts) for texts in questions) + b"no json\n" + question("x+1", "1+x")
    process = [sys.executable, "-m", "motif.tasks.grading.algebra"]
    done = subprocess.run(process, input=lines, capture_output=True, check=True)
    assert done.stdout.split() == b"ready right wrong undecided undecided right".split() and not done.stderr
