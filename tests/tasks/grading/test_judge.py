"""The process that does algebra is replaced where it dies, and no verdict is made up where there is none."""

import os
import resource
import signal
import sys
import threading

import pytest

from motif.tasks.grading.judge import Judge, NoJudge
from motif.tasks.grading.verdicts import Verdict

ENDLESS = ("\\binom{10^9}{10^8}", "3\\pi")


@pytest.fixture(scope="module")
def of_module():
    judge = Judge()
    yield judge
    judge.end()


@pytest.fixture
def judge(of_module):
    """A judge whose process has answered already."""
    assert of_module.ask("x", "y") is Verdict.WRONG
    return of_module


def test_a_process_that_was_killed_is_replaced(judge):
    first = judge.process.pid
    os.kill(first, signal.SIGKILL)
    assert judge.ask("x+2", "2+x") is Verdict.RIGHT and judge.process.pid != first


def test_a_process_killed_at_its_question_is_replaced_and_asked_once_more(judge):
    first = judge.process.pid
    killer = threading.Timer(0.2, os.kill, (first, signal.SIGKILL))
    killer.start()
    assert judge.ask(*ENDLESS) is Verdict.UNDECIDED
    assert judge.ask("x+1", "1+x") is Verdict.RIGHT and judge.process.pid != first


def test_what_takes_too_long_is_undecided_and_the_process_lives_on(judge):
    process = judge.process
    assert judge.ask(*ENDLESS) is Verdict.UNDECIDED
    assert judge.ask("x+1", "1+x") is Verdict.RIGHT and judge.process is process


def test_no_process_is_an_error_and_not_a_verdict(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    judge = Judge()
    with pytest.raises(NoJudge, match=r"does not start; try: python -m motif\.tasks\.grading\.algebra < /dev/null"):
        judge.ask("x", "y")
    assert judge.process is None


def test_an_interrupted_question_leaves_no_verdict_for_the_next_one(judge, monkeypatch):
    with monkeypatch.context() as patch:

        def interrupted(*_):
            raise KeyboardInterrupt

        patch.setattr("motif.tasks.grading.judge.read_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            judge.ask("x+1", "1+x")
    assert judge.process is None and judge.ask("x", "y") is Verdict.WRONG


def test_a_verdict_is_read_from_a_file_number_above_1024():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    judge, opened = Judge(), [os.dup(1) for _ in range(1100)]
    try:
        assert judge.ask("x+1", "1+x") is Verdict.RIGHT and judge.process.stdout.fileno() > 1024
    finally:
        judge.end()
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_forked_process_leaves_the_process_of_its_parent_alone(judge):
    process = judge.process
    if not (child := os.fork()):
        judge.leave_to_parent()
        os._exit(0 if judge.process is None and not judge.lock.locked() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert judge.ask("x+1", "1+x") is Verdict.RIGHT and judge.process is process


def test_the_process_ends_where_nobody_can_ask_it_any_more(judge):
    process = judge.process
    process.stdin.close()
    assert process.wait(timeout=10) == 0
