"""What is kept of a training: metrics of each step, what trackers are told, and when a limit ends it."""

import inspect
import re
from dataclasses import replace

import pytest
import yaml
from transformers import TrainerCallback
from trl import GRPOTrainer

from motif.policies.tiny import Tiny
from motif.rounds.replies import Reply
from motif.runs.budget import COUNTED
from motif.runs.folder import Run
from motif.runs.tracking.base import Nowhere
from motif.training.algorithms import GRPO, MOTIF
from motif.training.guard import Guard
from motif.training.recorder import named
from tests.support import ROOT, training
from tests.support.training import EPISODE, TRAINER, motif, run_training, small, without_times

LISTED = yaml.safe_load((ROOT / "docs/metrics.yaml").read_text())


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
    for name in ("accuracy", "unparsable", "truncated", "copied"):
        assert f"episode/{name}" in line
    for round in (1, 2, 3):
        assert f"rounds/{round}/tokens" in line and f"rounds/{round}/correct" in line
    assert "rounds/2/progress" in line and "rounds/3/progress" not in line
    assert {"seconds/rollout", "seconds/future_rollout", "seconds/reward", "seconds/update"} <= set(line)
    assert line["total/first_round_replies"] == 8 and line["total/continuations"] == 32
    assert 0 < line["compute/tokens_per_second"] < line["compute/generation_tokens_per_second"]


@pytest.mark.parametrize(("axis", "more"), [*((axis, 0) for axis in COUNTED), ("tokens", 1)])
def test_training_stops_at_the_first_step_that_reaches_the_limit(tmp_path, reference, axis, more):
    whole = reference.result["metrics"]
    limits = {axis: whole[0][f"total/{COUNTED[axis]}"] + more}
    run = run_training(Tiny().load(), motif(), tmp_path / "run", limits=limits)
    assert without_times(run) == whole[: 1 + more]


@pytest.mark.program
def test_seconds_of_training_stop_it(tmp_path):
    assert len(run_training(Tiny().load(), small(GRPO), tmp_path / "run", limits={"seconds": 1e-6}).metrics()) == 1


def test_trls_numbers_have_trls_names_and_ours_their_own():
    logs = {"loss": 1, "epoch": 0.5, "kl": None, "rewards/format/std": 0.25, "clip_ratio/low_min": 0, "step_time": 2.5}
    ours = {"episode/accuracy": 1.0, "rounds/2/tokens": 7.0, "groups/redrawn": 0.0, "guard/difference": 0.5}
    kept = {"loss": 1.0, "rewards/format/std": 0.25, "clip_ratio/low_min": 0.0, "step_time": 2.5}
    assert named(logs | ours, []) == {f"train/{name}": value for name, value in kept.items()} | ours


def test_a_row_that_fills_a_batch_has_no_length():
    """TRL would count it as one of a single token, or of none."""
    whole, cut = Reply("a", [1, 2, 3, 4], [0], True, None), Reply("b", [1, 2], [0], False, None)
    found = named({"completions/mean_length": 1.25, "completions/min_length": 0.0}, [whole, cut])
    assert found == {
        **{"train/completions/mean_length": 3.0, "train/completions/min_length": 2.0},
        **{"train/completions/max_length": 4.0, "train/completions/clipped_ratio": 0.5},
        **{f"train/completions/{what}_terminated_length": 4.0 for what in ("mean", "min", "max")},
    }


class Told(TrainerCallback):
    """Keeps what TRL logs of each step."""

    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs += [dict(logs)] if "loss" in logs else []


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The lines of a run that has whatever a run on a CPU can have, and what TRL has logged of the same steps."""
    heard, make = Told(), training.make_trainer

    def listened(*told):
        trainer = make(*told)
        trainer.add_callback(heard)
        return trainer

    algorithm = small(MOTIF, k=2, sampling="dynamic", trainer=TRAINER | {"beta": 0.1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "make_trainer", listened)
        episode, folder = replace(EPISODE, tokens=21), tmp_path_factory.mktemp("told") / "run"
        run = run_training(Tiny().load(), algorithm, folder, guard=Guard(), episode=episode)
    return run.metrics(), heard.logs


def test_lengths_are_those_that_trl_counts_where_no_row_fills_a_batch(told):
    """Some of the replies are cut off; TRL sees that by their last token."""
    lines, logs = told
    names = [name for name in logs[0] if name.startswith("completions/")]
    assert len(names) == 7 and any(0 < log["completions/clipped_ratio"] < 1 for log in logs)
    for line, log in zip(lines, logs, strict=True):
        assert {name: line[f"train/{name}"] for name in names} == pytest.approx({name: log[name] for name in names})


def test_every_number_of_a_run_is_listed_and_every_one_of_trls_that_it_logs(told):
    lines, logs = told
    known = [re.escape(name) for section in LISTED.values() for name in section]
    known = re.compile("|".join(re.sub(r"<\w+>|\\\*", ".+", name) for name in known))
    names = {name for line in lines for name in line}
    assert [name for name in names - {"step"} if not known.fullmatch(name)] == []
    assert {"groups/redrawn", "train/kl", "guard/difference", "rounds/3/tokens"} <= names
    own = {name for log in logs for name in log if name.split("/")[0] not in ("episode", "rounds", "groups", "guard")}
    assert {f"train/{name}" for name in own - {"epoch"}} <= names


def test_the_names_in_trls_column_are_trls_and_ours_are_what_its_callbacks_make_of_them(told):
    _, logs = told
    written = re.findall(r"_metrics\[(?:mode|\"train\")\]\[f?\"([^\"]+)\"\]", inspect.getsource(GRPOTrainer))
    written = {name.replace("{reward_func_name}", "<term>") for name in written} | {*logs[0]}
    for section, metrics in LISTED.items():
        for name, each in metrics.items():
            if section == "Warm starts":
                continue
            assert ("trl" in each) == name.startswith("train/"), name
            if "trl" in each:
                assert name == f"train/{each['trl']}"
                assert any(re.fullmatch(each["trl"].replace("*", ".+"), one) for one in written), name
