"""Grader workers that are killed: the rewards stay what they are; nobody to grade is a line and no verdict."""

import os
import signal
import subprocess
import threading
from collections import Counter
from contextlib import suppress

import pytest

from motif.policies.tiny import Tiny
from motif.rounds.replies import Reply
from motif.runs.folder import Run
from motif.tasks.grading import judge
from motif.tasks.grading.grader import forget_verdicts, is_correct
from motif.tasks.grading.judge import JUDGE, NoJudge
from motif.tasks.questions import Question
from tests.support.toys import good
from tests.support.training import motif, result, run_training

GOLD = "x^2+2x+1"
SAME, OTHER = ["(x+1)^2", "1+2x+x^2", "(1+x)(x+1)"], ["(x+2)^2", "x^2+1", "2x+1"]


@pytest.fixture(autouse=True)
def fresh():
    """Every answer is asked for, and the judge is one of this test."""
    forget_verdicts()
    JUDGE.end()
    yield
    JUDGE.end()


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def kill(pid, number=signal.SIGKILL):
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def the_judge():
    is_correct("y+1", "1+y")
    return JUDGE.process.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_judges_child_that_is_killed_is_replaced_and_the_verdict_stands(number):
    judge = the_judge()
    for place in range(3):
        (child,) = children(judge)
        kill(child, number)
        assert is_correct(f"(x+{place})^2", f"x^2+{2 * place}x+{place**2}")
    assert JUDGE.process.pid == judge


def test_a_judges_child_that_is_killed_at_its_question_is_asked_once_more():
    judge = the_judge()
    (child,) = children(judge)
    kill(child, signal.SIGSTOP)
    threading.Timer(0.3, kill, (child,)).start()
    assert is_correct("(x+1)^2", GOLD) and JUDGE.process.pid == judge


@pytest.fixture
def deadly(monkeypatch):
    """Kills the first so many judges as they start; returns their numbers."""

    def call(count, number=signal.SIGKILL):
        start, killed = judge.start_process, []

        def dying():
            process = start()
            if len(killed) < count:
                killed.append(process.pid)
                kill(process.pid, number)
            return process

        monkeypatch.setattr(judge, "start_process", dying)
        return killed

    return call


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_judge_that_is_killed_as_it_starts_is_started_again(deadly, number):
    killed = deadly(judge.STARTS - 1, number)
    assert is_correct("(x+1)^2", GOLD) and len(killed) == judge.STARTS - 1
    assert JUDGE.process.pid not in killed


def test_judges_that_are_all_killed_as_they_start_are_one_line_and_no_verdict(deadly):
    killed = deadly(1000)
    with pytest.raises(NoJudge, match=r"was killed 3 times as it started; .* memory is short$"):
        is_correct("(x+1)^2", GOLD)
    assert len(killed) == judge.STARTS and JUDGE.process is None


def test_one_that_is_interrupted_as_it_starts_is_no_judge_of_the_next_question(monkeypatch):
    with monkeypatch.context() as patch:
        heard = []

        def interrupted(*_):
            heard.append(JUDGE.process)
            raise KeyboardInterrupt

        patch.setattr(judge, "read_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            is_correct("(x+1)^2", GOLD)
    assert heard[0].poll() is not None and is_correct("(x+1)^2", GOLD)


def planted(policy, seen):
    """A generator whose replies hold right and wrong answers that only algebra can tell apart, none of them twice."""

    def generate(talks, sampling):
        replies = []
        for place, prompt in enumerate(policy.render(talks)):
            seen["rows"] += 1
            text = (SAME if place % 2 else OTHER)[place % 3]
            text = good(f"\\boxed{{{text}+{seen['rows']}-{seen['rows']}}}")
            ids = policy.tokenizer(text)["input_ids"] + [policy.tokenizer.eos_token_id]
            replies.append(Reply(text, ids, prompt, True))
        return replies

    return generate


def trained(folder, **settings):
    """A training on questions whose gold is a formula, as far as `folder` has not done it."""
    policy = Tiny().load()
    asked = [Question(f"q{n}", f"{n}a-5b*8", GOLD) for n in range(16)]
    run = run_training(policy, motif(), folder, planted(policy, Counter()), asked=asked, **settings)
    return policy, run


@pytest.mark.program
@pytest.mark.parametrize("whom", ["judge", pytest.param("child", marks=pytest.mark.slow)])
def test_workers_that_are_killed_in_a_training_change_no_reward(tmp_path, whom):
    whole = result(*trained(tmp_path / "whole"))
    assert {line["episode/accuracy"] for line in whole["metrics"]} == {0.5}
    forget_verdicts()
    killed, over = Counter(), threading.Event()

    def killer():
        while not over.wait(0.1):
            if process := JUDGE.process:
                for pid in [process.pid] if whom == "judge" else children(process.pid):
                    kill(pid)
                    killed[pid] += 1
                over.wait(10)  # a judge takes its time to start, on a busy machine seconds

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        found = result(*trained(tmp_path / "run"))
    finally:
        over.set()
        thread.join()
    assert killed and found == whole


@pytest.mark.program
def test_nobody_to_grade_is_a_line_with_a_checkpoint_and_the_same_command_continues(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:

        def at_step(step, *_):
            if step == 1:
                JUDGE.end()
                patch.setattr("sys.executable", "/bin/false")

        with pytest.raises(
            NoJudge, match=r"does not start; try: python -m motif\.tasks\.grading\.algebra .* from step 1$"
        ) as error:
            trained(tmp_path / "run", report=at_step)
    assert "\n" not in str(error.value) and Run(tmp_path / "run").checkpoint().step == 1
    _, run = trained(tmp_path / "run")
    assert [line["episode/accuracy"] for line in run.metrics()] == [0.5] * 3
