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
from motif.tasks.grading.answers import _verdict, is_correct
from motif.tasks.grading.judge import REFEREE, NoJudge
from motif.tasks.questions import Question
from tests.support.toys import good
from tests.training import test_trainer as test_training
from tests.training.test_trainer import MOTIF, episodes, run_training, small, weights, without_times

GOLD = "x^2+2x+1"
SAME, OTHER = ["(x+1)^2", "1+2x+x^2", "(1+x)(x+1)"], ["(x+2)^2", "x^2+1", "2x+1"]


@pytest.fixture(autouse=True)
def fresh():
    """Every answer is asked for, and the judge is one of this test."""
    _verdict.cache_clear()
    REFEREE.end()
    yield
    REFEREE.end()


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def kill(pid, number=signal.SIGKILL):
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def the_judge():
    is_correct("y+1", "1+y")
    return REFEREE.process.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_judges_child_that_is_killed_is_replaced_and_the_verdict_stands(number):
    judge = the_judge()
    for place in range(3):
        (child,) = children(judge)
        kill(child, number)
        assert is_correct(f"(x+{place})^2", f"x^2+{2 * place}x+{place**2}")
    assert REFEREE.process.pid == judge


def test_a_judges_child_that_is_killed_at_its_question_is_asked_once_more():
    judge = the_judge()
    (child,) = children(judge)
    kill(child, signal.SIGSTOP)
    threading.Timer(0.3, kill, (child,)).start()
    assert is_correct("(x+1)^2", GOLD) and REFEREE.process.pid == judge


@pytest.fixture
def deadly(monkeypatch):
    """Kills the first so many judges as they start; returns their numbers."""

    def call(count, number=signal.SIGKILL):
        begun, killed = judge.begun, []

        def dying():
            process = begun()
            if len(killed) < count:
                killed.append(process.pid)
                kill(process.pid, number)
            return process

        monkeypatch.setattr(judge, "begun", dying)
        return killed

    return call


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_judge_that_is_killed_as_it_starts_is_started_again(deadly, number):
    killed = deadly(judge.STARTS - 1, number)
    assert is_correct("(x+1)^2", GOLD) and len(killed) == judge.STARTS - 1
    assert REFEREE.process.pid not in killed


def test_judges_that_are_all_killed_as_they_start_are_one_line_and_no_verdict(deadly):
    killed = deadly(1000)
    with pytest.raises(NoJudge, match=r"was killed 3 times as it started; .* memory is short$"):
        is_correct("(x+1)^2", GOLD)
    assert len(killed) == judge.STARTS and REFEREE.process is None


def test_one_that_is_interrupted_as_it_starts_is_no_judge_of_the_next_question(monkeypatch):
    with monkeypatch.context() as patch:
        heard = []

        def interrupted(*_):
            heard.append(REFEREE.process)
            raise KeyboardInterrupt

        patch.setattr(REFEREE, "heard", interrupted)
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


class Algebra:
    """Stands for the chain task: questions whose gold is a formula."""

    def __init__(self, **_):
        pass

    def train(self):
        return [Question(f"q{n}", f"{n}a-5b*8", GOLD) for n in range(16)]


@pytest.fixture
def trained(monkeypatch):
    monkeypatch.setattr(test_training, "Chain", Algebra)

    def call(folder, **settings):
        policy = Tiny().load()
        generate = planted(policy, Counter())
        return policy, run_training(policy, small(MOTIF, steps=3, k=2), folder, generate, **settings)

    return call


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["judge", "child"])
def test_workers_that_are_killed_in_a_training_change_no_reward(tmp_path, trained, whom):
    whole, undisturbed = trained(tmp_path / "whole")
    assert {line["train/accuracy"] for line in undisturbed.metrics()} == {0.5}
    _verdict.cache_clear()
    killed, over = Counter(), threading.Event()

    def killer():
        while not over.wait(0.1):
            if process := REFEREE.process:
                for pid in [process.pid] if whom == "judge" else children(process.pid):
                    kill(pid)
                    killed[pid] += 1
                over.wait(10)  # a judge takes its time to start, on a busy machine seconds

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        policy, run = trained(tmp_path / "run")
    finally:
        over.set()
        thread.join()
    assert killed and weights(policy) == weights(whole)
    assert without_times(run) == without_times(undisturbed) and episodes(run) == episodes(undisturbed)


@pytest.mark.slow
def test_nobody_to_grade_is_a_line_with_a_checkpoint_and_the_same_command_continues(tmp_path, trained, monkeypatch):
    with monkeypatch.context() as patch:

        def at_step(step, *_):
            if step == 1:
                REFEREE.end()
                patch.setattr("sys.executable", "/bin/false")

        with pytest.raises(NoJudge, match=r"does not start; try: python -m motif\.judge .* from step 1$") as error:
            trained(tmp_path / "run", report=at_step)
    assert "\n" not in str(error.value) and Run(tmp_path / "run").checkpoint().step == 1
    _, run = trained(tmp_path / "run")
    assert [line["train/accuracy"] for line in run.metrics()] == [0.5] * 3
