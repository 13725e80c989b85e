"""What the watchdogs say reaches the screen, the run's folder and whoever tracks it: once, whatever stops between."""

import json

import pytest

from motif.policies.tiny import Tiny
from motif.runs.folder import Run
from motif.runs.tracking.base import Nowhere
from motif.training.algorithms import GRPO, MOTIF
from motif.training.nonfinite import NotFinite
from motif.training.watchdogs import Alarm, Watch, said
from tests.training.test_trainer import TRAINER, run_training, small

COPIED = [{"step": step, "train/copied": float(step > 3)} for step in range(1, 8)]


class Told(Nowhere):
    def __init__(self):
        self.alerts = []

    def alert(self, name, words, step):
        self.alerts.append((step, name, words))


@pytest.fixture
def run(tmp_path):
    run = Run.open(tmp_path / "run", {})
    run.begin({})
    return run


def test_a_warning_is_shown_kept_and_told(run, capsys):
    tracker = Told()
    alarm = Alarm(Watch(steps=2), run, tracker)
    alarm.begin()
    for line in COPIED:
        alarm.see(line)
    (warning,) = said(run.folder)
    assert (warning["step"], warning["name"]) == (5, "answers copied") and warning["words"].startswith(
        "step 5: 100% of"
    )
    assert tracker.alerts == [(5, "answers copied", warning["words"])]
    assert capsys.readouterr().out == f"warning: {warning['words']}\n"


def test_without_a_warning_there_is_no_file(run, capsys):
    alarm = Alarm(Watch(steps=2), run, Told())
    alarm.begin()
    for line in COPIED[:3]:
        alarm.see(line)
    assert said(run.folder) == [] and not (run.folder / "warnings.json").exists() and not capsys.readouterr().out


def test_what_was_said_before_is_not_said_again_and_what_was_cut_off_is_forgotten(run, capsys):
    alarm = Alarm(Watch(steps=2), run, Told())
    for line in COPIED:
        run.record(line)
        alarm.see(line)
    (warning,), _ = said(run.folder), capsys.readouterr()
    tracker = Told()
    again = Alarm(Watch(steps=2), run, tracker)
    again.begin()
    assert said(run.folder) == [warning] and tracker.alerts == [] and not capsys.readouterr().out
    run.cut({"metrics.jsonl": len("".join(json.dumps(line) + "\n" for line in COPIED[:4]))})
    again.begin()
    assert said(run.folder) == []
    again.see(COPIED[4])
    assert said(run.folder) == [warning] and len(tracker.alerts) == 1


def test_a_run_that_is_killed_and_continued_warns_as_one_that_is_not(tmp_path):
    """The tiny policy's rewards seldom differ at this temperature; a checkpoint lies a step before the kill."""
    algorithm, watch = small(MOTIF, steps=5, k=2), Watch(steps=2, truncated=0.0, spread=0.0)
    whole = run_training(Tiny().load(), algorithm, tmp_path / "whole", watch=watch)
    assert {each["step"] for each in said(whole.folder)} >= {2}

    def die(step, steps, metrics):
        if step == 4:
            raise RuntimeError("killed")

    first, second = Told(), Told()
    with pytest.raises(RuntimeError, match="killed"):
        run_training(Tiny().load(), algorithm, tmp_path / "part", every=3, report=die, watch=watch, tracker=first)
    part = run_training(Tiny().load(), algorithm, tmp_path / "part", every=3, watch=watch, tracker=second)
    assert said(part.folder) == said(whole.folder)
    told = [(step, name) for step, name, _ in first.alerts + second.alerts]
    assert told == [(each["step"], each["name"]) for each in said(whole.folder)]


def test_a_training_that_stops_on_an_error_is_told_too(tmp_path):
    tracker, wild = Told(), small(GRPO, trainer={**TRAINER, "learning_rate": 1e38})
    with pytest.raises(NotFinite) as error:
        run_training(Tiny().load(), wild, tmp_path / "run", tracker=tracker)
    assert [each[1:] for each in tracker.alerts] == [("training stopped", str(error.value))]


def test_a_reward_that_is_constant_and_a_window_that_is_too_small_are_warned_of(tmp_path, forks):
    flat = ["reward.weights.accuracy=0", "reward.weights.format=0", "episode.tokens=6", "preflight=false"]
    small = ["experiment=smoke", "name=run", "algo.m=2", "evaluation.questions=4", "evaluation.before=false"]
    status, shown = forks.train(tmp_path, *small, *flat, "watch.steps=2", "tracking=none").wait()
    assert status == 0, shown
    found = json.loads((tmp_path / "outputs/run/summary.json").read_text())["warnings"]
    assert [(each["step"], each["name"]) for each in found] == [(2, "groups without spread"), (2, "replies cut off")]
    for each in found:
        assert shown.count(f"warning: {each['words']}") == 2  # when it happened, and on the last screen
