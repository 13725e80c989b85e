import os
import signal
import sys
import threading

import pytest

from motif.tasks.grading.judge import NoJudge, Referee


@pytest.fixture
def referee():
    found = Referee()
    yield found
    found.end()


def test_a_judge_that_was_killed_is_replaced(referee):
    assert referee.ask("x+1", "1+x") is True
    first = referee.process.pid
    os.kill(first, signal.SIGKILL)
    assert referee.ask("x+2", "2+x") is True and referee.process.pid != first


def test_a_judge_killed_at_its_question_is_asked_once_more(referee):
    referee.ask("x", "y")
    first = referee.process.pid
    killer = threading.Timer(0.2, os.kill, (first, signal.SIGKILL))
    killer.start()
    assert referee.ask("\\binom{10^9}{10^8}", "3\\pi") is None
    assert referee.ask("x+1", "1+x") is True and referee.process.pid != first


def test_no_judge_is_an_error_and_not_a_verdict(referee, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NoJudge, match=r"does not start.*motif\.judge"):
        referee.ask("x", "y")


def test_what_takes_too_long_has_no_verdict_and_the_judge_lives_on(referee):
    referee.ask("x", "y")
    judge = referee.process.pid
    assert referee.ask("\\binom{10^9}{10^8}", "3\\pi") is None
    assert referee.ask("x+1", "1+x") is True and referee.process.pid == judge


def test_the_judge_ends_with_the_line_to_it(referee):
    referee.ask("x", "y")
    process = referee.process
    process.stdin.close()
    assert process.wait(timeout=10) == 0
