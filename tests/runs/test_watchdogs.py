"""Each watchdog barks at its own trouble, once, and lets a healthy training pass.

What they say reaches the screen, the run's folder and whoever tracks it: once, whatever stops between.
"""

import json
import re
from dataclasses import fields

import pytest

from motif.policies.tiny import Tiny
from motif.runs.folder import Run
from motif.runs.tracking.base import Nowhere
from motif.runs.watchdogs import Alarm, Watch, Watchdogs, place, said
from motif.system.errors import UserError
from motif.training.algorithms import GRPO
from motif.training.nonfinite import NotFinite
from tests.support import FEW, ROOT
from tests.support.training import TRAINER, Killed, dies_at, motif, run_training, small

STEPS = 5
HEALTHY = {
    **{"train/entropy": 0.5, "groups/zero_advantage": 0.3, "episode/copied": 0.1, "train/reward": 0.6},
    **{"rounds/1/truncated": 0.1, "rounds/2/truncated": 0.2},
    **{"rounds/1/guard_difference": 0.01, "rounds/2/guard_difference": 0.02},
}
TROUBLES = {  # what of a healthy step changes, and what is said once the mean of five has crossed the threshold
    "entropy collapse": ({"train/entropy": 0.05}, "the entropy is 0.05 nats a token in the mean of 5 steps, 10% of"),
    "groups without spread": ({"groups/zero_advantage": 1.0}, "in 100% of groups all rewards are alike"),
    "answers copied": ({"episode/copied": 0.75}, "62% of episodes repeat the answer of an earlier round"),
    "replies cut off": ({"rounds/2/truncated": 0.6}, "52% of the replies of round 2 are cut off"),
    "another policy": ({"rounds/2/guard_difference": 0.07}, "the replies of round 2 are 0.06 nats a token from"),
}
SETTINGS = {
    **{"entropy collapse": "entropy", "groups without spread": "spread", "answers copied": "copied"},
    **{"replies cut off": "truncated", "another policy": "mismatch", "reward without accuracy": "fall"},
}


def lines(*stretches):
    """The lines of a training: each stretch is a number of steps and what is different in them."""
    changes = [change for steps, change in stretches for _ in range(steps)]
    return [{"step": step, **HEALTHY, **change} for step, change in enumerate(changes, 1)]


def barks(found, **settings):
    """(step, name) of every warning."""
    dogs = Watchdogs(Watch(steps=STEPS, **settings))
    for line in found:
        assert all(each["step"] == line["step"] for each in dogs.see(line))
    return [(each["step"], each["name"]) for each in dogs.said]


def words(found, **settings):
    dogs = Watchdogs(Watch(steps=STEPS, **settings))
    return [each["words"] for line in found for each in dogs.see(line)]


def test_a_healthy_training_is_passed_in_silence():
    assert barks(lines((100, {}))) == []
    noisy = [{"train/entropy": 0.4 + 0.1 * (step % 3), "rounds/1/truncated": step % 2 * 0.8} for step in range(60)]
    assert barks(lines(*((1, change) for change in noisy))) == []


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_said_once_with_its_number_and_where_to_read_on(name):
    change, shown = TROUBLES[name]
    (found,) = words(lines((20, {}), (30, change)))
    assert shown in found and found.endswith(f"; see docs/troubleshooting.md#{name.replace(' ', '-')}")
    ((step, called),) = barks(lines((20, {}), (30, change)))
    assert called == name and 20 < step <= 20 + STEPS and found.startswith(f"step {step}: ")


@pytest.mark.parametrize("name", TROUBLES)
def test_one_that_is_there_from_the_beginning_is_said_as_soon_as_there_are_steps_enough(name):
    if name != "entropy collapse":  # which is measured by how a training begins
        assert barks(lines((30, TROUBLES[name][0]))) == [(STEPS, name)]


@pytest.mark.parametrize("name", TROUBLES)
def test_null_turns_a_watchdog_off_and_no_other(name):
    trouble = lines((20, {}), (20, TROUBLES[name][0]))
    assert barks(trouble, **{SETTINGS[name]: None}) == []
    for other in SETTINGS.values():
        if other != SETTINGS[name]:
            assert [each for _, each in barks(trouble, **{other: None})] == [name]


def test_a_trouble_that_flickers_is_said_once_and_one_that_comes_back_again():
    bad = TROUBLES["replies cut off"][0]
    flickering = [(1, bad if step % 2 else {"rounds/2/truncated": 0.45}) for step in range(40)]
    assert len(barks(lines((10, {}), *flickering))) == 1
    assert len(barks(lines((10, {}), (10, bad), (STEPS * 3, {}), (10, bad)))) == 2


def test_one_step_is_no_trouble():
    everything = {key: value for change, _ in TROUBLES.values() for key, value in change.items()}
    spiked = everything | {"rounds/2/guard_difference": 0.1, "train/entropy": 0.0}
    assert barks(lines((20, {}), (1, spiked), (20, {}))) == []


def test_entropy_is_held_against_that_of_the_first_steps_as_they_were_not_as_they_are_remembered():
    """Of the steps 1 to 5 the mean is 0.42, which a fall from the second step on has lowered but not hidden."""
    falling = lines((1, {"train/entropy": 1.7}), (4, {"train/entropy": 0.1}), (20, {"train/entropy": 0.07}))
    assert barks(falling) == [(8, "entropy collapse")]  # (2 × 0.1 + 3 × 0.07) / 5 is the first below 0.2 × 0.42
    slow = lines(*((1, {"train/entropy": 0.99**step}) for step in range(300)))
    ((step, _),) = barks(slow)
    assert 161 < step < 167  # 0.99¹⁶¹ is 0.2; both ends are means of five steps
    assert barks(lines((3, {"train/entropy": 0.0}), (20, {}))) == []


def held_out(steps, accuracy, reward):
    """So many steps of that reward, and one more after which accuracy is measured."""
    return (steps, {"train/reward": reward}), (1, {"held_out/accuracy": accuracy, "train/reward": reward})


def test_reward_that_rises_while_held_out_accuracy_falls_is_said():
    good, better, hacked = held_out(9, 0.5, 0.5), held_out(9, 0.6, 0.6), held_out(9, 0.4, 0.9)
    (found,) = words(lines(*good, *better, *hacked, *hacked))
    assert "accuracy on validation questions fell from 60.0% at step 20 to 40.0% at step 30, while" in found
    assert "the reward rose from 0.6 to 0.9" in found
    assert barks(lines(*good, *better, *hacked), fall=None) == []
    assert barks(lines(*good, *better, *hacked), fall=0.25) == []
    both_fall = held_out(9, 0.3, 0.2)
    assert barks(lines(*good, *better, *both_fall, *both_fall)) == []
    assert barks(lines(*good, *better, *held_out(9, 0.55, 0.9))) == []


def test_what_was_said_depends_on_the_recorded_lines_alone():
    """A run that is continued reads its lines anew, and says what one without a stop would have said."""
    change = TROUBLES["answers copied"][0]
    found = lines((8, {}), (6, change), (4, {}), (9, change), *held_out(9, 0.9, 0.1), *held_out(9, 0.1, 0.9))
    whole, read = Watchdogs(Watch(steps=STEPS)), [json.loads(json.dumps(line)) for line in found]
    at_once = [whole.see(line) for line in found]
    assert len(whole.said) == 3
    for stop in range(len(found)):
        again = Watchdogs(Watch(steps=STEPS))
        for line in read[:stop]:
            again.see(line)
        assert [again.see(line) for line in found[stop:]] == at_once[stop:] and again.said == whole.said


def test_lines_without_a_number_are_passed_over():
    bare = [{"step": step} for step in range(1, 30)]
    assert barks(bare) == []
    nothing = {key: float("nan") for key in HEALTHY}
    assert barks(lines((20, nothing))) == []


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"steps": 0}, "watch.steps must be a whole number of at least 1, got 0"),
        ({"steps": 2.5}, "watch.steps must be a whole number"),
        ({"every": -1}, "watch.every must be a whole number of at least 0, got -1"),
        ({"questions": 0}, "watch.questions must be a whole number of at least 1, got 0"),
        ({"entropy": 2}, "watch.entropy must be a number at least 0 and at most 1, got 2"),
        ({"spread": "all"}, "watch.spread must be a number at least 0 and at most 1, got 'all'"),
        ({"copied": -0.1}, "watch.copied must be"),
        ({"truncated": float("nan")}, "watch.truncated must be"),
        ({"mismatch": -1}, "watch.mismatch must be a number at least 0, got -1"),
        ({"fall": True}, "watch.fall must be"),
    ],
)
def test_a_threshold_that_is_none_is_refused(settings, shown):
    with pytest.raises(UserError, match=re.escape(shown)):
        Watch(**settings)


def test_every_warning_has_a_section_of_the_docs_that_names_its_setting():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    sections = {head.lower(): text for head, text in re.findall(r"^### (.+)\n((?:(?!^#).*\n)*)", page, re.M)}
    for name, setting in SETTINGS.items():
        assert f"watch.{setting}" in sections[name]
        assert place(name) == f"docs/troubleshooting.md#{name.replace(' ', '-')}"
    assert "not finite" in sections
    assert {*SETTINGS.values(), "steps", "every", "questions"} == {field.name for field in fields(Watch)}


# the alarm


COPIED = [{"step": step, "episode/copied": float(step > 3)} for step in range(1, 8)]


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


@pytest.mark.slow
@pytest.mark.program
def test_a_run_that_is_killed_and_continued_warns_as_one_that_is_not(tmp_path):
    """The tiny policy's rewards seldom differ at this temperature; a checkpoint lies a step before the kill."""
    algorithm, watch = motif(steps=4), Watch(steps=2, truncated=0.0, spread=0.0)
    whole = run_training(Tiny().load(), algorithm, tmp_path / "whole", watch=watch)
    assert {each["step"] for each in said(whole.folder)} >= {2}
    first, second = Told(), Told()
    with pytest.raises(Killed):
        run_training(Tiny().load(), algorithm, tmp_path / "run", every=2, report=dies_at(3), watch=watch, tracker=first)
    part = run_training(Tiny().load(), algorithm, tmp_path / "run", every=2, watch=watch, tracker=second)
    assert said(part.folder) == said(whole.folder)
    told = [(step, name) for step, name, _ in first.alerts + second.alerts]
    assert told == [(each["step"], each["name"]) for each in said(whole.folder)]


@pytest.mark.program
def test_a_training_that_stops_on_an_error_is_told_too(tmp_path):
    tracker, wild = Told(), small(GRPO, trainer={**TRAINER, "learning_rate": 1e38})
    with pytest.raises(NotFinite) as error:
        run_training(Tiny().load(), wild, tmp_path / "run", tracker=tracker)
    assert [each[1:] for each in tracker.alerts] == [("training stopped", str(error.value))]


def test_a_reward_that_is_constant_and_a_window_that_is_too_small_are_warned_of(tmp_path, forks):
    flat = ["reward.weights.accuracy=0", "reward.weights.format=0", "episode.tokens=6", "preflight=false"]
    few = [*FEW, "experiment=smoke", "name=run", "algo.m=2", "evaluation.questions=4", "evaluation.before=false"]
    status, shown = forks.train(tmp_path, *few, *flat, "watch.steps=2", "tracking=none").wait()
    assert status == 0, shown
    found = json.loads((tmp_path / "outputs/run/summary.json").read_text())["warnings"]
    assert [(each["step"], each["name"]) for each in found] == [(2, "groups without spread"), (2, "replies cut off")]
    for each in found:
        assert shown.count(f"warning: {each['words']}") == 2  # when it happened, and on the last screen
