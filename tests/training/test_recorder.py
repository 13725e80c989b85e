"""What is kept of a training: metrics of each step, what trackers are told, and when a limit ends it."""

import pytest

from motif.policies.tiny import Tiny
from motif.runs.budget import COUNTED
from motif.runs.folder import Run
from motif.runs.tracking.base import Nowhere
from motif.training.algorithms import GRPO
from motif.training.recorder import trl_metrics
from tests.support.training import motif, run_training, small, without_times


@pytest.mark.program
def test_a_tracker_is_told_what_the_folder_holds_and_then_every_step_that_follows(tmp_path):
    class Told(Nowhere):
        def __init__(self):
            self.held, self.logged = [], []

        def resume(self, lines):
            self.held += [line["step"] for line in lines]

        def log(self, metrics, step):
            self.logged.append(step)

    first, second = Told(), Told()
    run_training(Tiny().load(), small(GRPO, steps=2), tmp_path / "run", every=2, tracker=first)
    run_training(Tiny().load(), small(GRPO, steps=3), tmp_path / "run", every=2, tracker=second)
    assert (first.held, first.logged) == ([], [1, 2]) and (second.held, second.logged) == ([1, 2], [3])


def test_metrics_say_what_continuations_did_and_where_time_went(reference):
    line, *_ = Run(reference.folder).metrics()
    for name in ("accuracy", "unparsable", "truncated", "copied", "zero_spread", "reward/accuracy", "reward/format"):
        assert f"train/{name}" in line
    for round in (1, 2, 3):
        assert f"train/tokens/round_{round}" in line and f"train/accuracy/round_{round}" in line
    assert "train/progress/round_2" in line and "train/progress/round_3" not in line
    assert {"seconds/rollout", "seconds/future_rollout", "seconds/reward", "seconds/update"} <= set(line)
    assert line["train/first_round_replies"] == 8 and line["train/continuations"] == 32


@pytest.mark.parametrize(("axis", "more"), [*((axis, 0) for axis in COUNTED), ("tokens", 1)])
def test_training_stops_at_the_first_step_that_reaches_the_limit(tmp_path, reference, axis, more):
    whole = reference.result["metrics"]
    limits = {axis: whole[0][f"train/{COUNTED[axis]}"] + more}
    run = run_training(Tiny().load(), motif(), tmp_path / "run", limits=limits)
    assert without_times(run) == whole[: 1 + more]


@pytest.mark.program
def test_seconds_of_training_stop_it(tmp_path):
    assert len(run_training(Tiny().load(), small(GRPO), tmp_path / "run", limits={"seconds": 1e-6}).metrics()) == 1


def test_of_trls_log_its_key_figures_each_rewards_mean_and_everything_of_ours_are_kept():
    logs = {"loss": 1, "entropy": 0.5, "rewards/format/mean": 0.25, "rewards/format/std": 1, "tokens/round_2": 7}
    logs |= {"clip_ratio/region_mean": 0.125, "clip_ratio/low_min": 1, "completions/mean_length": 3, "kl": None}
    kept = {"loss": 1.0, "entropy": 0.5, "reward/format": 0.25, "tokens/round_2": 7.0, "clipped": 0.125}
    assert trl_metrics(logs) == kept
