"""Training by TRL's GRPOTrainer. No placeholder reward.

TRL asks a `Rollout` for completions and for the values of the reward's terms, makes advantages of them, and takes the
step. `Recorder` writes down what happened. Where an algorithm's advantages are not TRL's, they take their place.
"""

import math
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from motif.generation import private
from motif.policies.pretrained import Policy
from motif.rounds.records import as_record
from motif.runs.budget import Limits, reached
from motif.runs.checkpoints import Checkpoints, check_made_with, drafts
from motif.runs.flops import Cost
from motif.runs.folder import Run
from motif.runs.ledger import forget_peak
from motif.runs.tracking.base import Tracker
from motif.system import processes
from motif.system.console import Report
from motif.system.errors import UserError
from motif.system.signals import Stopped, handled
from motif.training.nonfinite import check_finite, not_finite, trained, within_range
from motif.training.resume import LastStep, lost, newest, train_on
from motif.training.rollout import Rollout
from motif.training.watchdogs import Alarm, Watch

KEPT = ("loss", "grad_norm", "learning_rate", "entropy", "kl", "reward", "reward_std")  # of TRL's own log


Measure = Callable[[int], dict[str, float]]  # what there is to measure of the policy after a step


class Recorder(TrainerCallback):
    """Writes each step to the run's folder and its tracker, notes positions in checkpoints, and stops on a signal or
    at a limit."""

    def __init__(
        self,
        rollout: Rollout,
        run: Run,
        tracker: Tracker,
        report: Report,
        episodes: int | None,
        tables: int,
        limits: Limits | None = None,
        keep: int = 2,
        watch: Watch | None = None,
        held_out: Measure = lambda step: {},
    ):
        self.rollout, self.run, self.tracker, self.report = rollout, run, tracker, report
        self.episodes, self.tables, self.limits, self.keep = episodes, tables, limits or {}, keep
        self.alarm, self.held_out = Alarm(watch or Watch(), run, tracker), held_out
        self.last = LastStep(run, rollout.ledger)
        self.micro_batch: int | None = None  # that was chosen; the trainer's may be smaller
        self.signal: int | None = None  # that asks this process to stop
        self.stopped: int | None = None  # the one that all stop for

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.last.finished(state)
        if state.is_world_process_zero:
            self.alarm.begin()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.rollout.ledger.begin_step()
        self.last.begun()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not args.fp16:  # whose gradients may overflow: the update is then left out, and their scale lowered
            gradients = (weights.grad for weights in trained(kwargs["model"]))
            check_finite("the gradient is", gradients, self.run, args, state.global_step + 1)
        self.last.updating()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        check_finite("the weights are", trained(kwargs["model"]), self.run, args, state.global_step)
        self.rollout.ledger.end_step(self.rollout.trained, processes.of_all)
        self.last.finished(state)
        asked = next(filter(None, processes.of_all(self.signal)), None)  # one that a single process was sent stops all
        self.stopped = asked if state.global_step % args.num_iterations == 0 else None
        if self.stopped or reached(self.limits, self.rollout.ledger):  # by the ledger, which is the same on all ranks
            control.should_save = control.should_training_stop = True
        self.run.check_there()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise not_finite("the loss is", self.run, args, state.global_step)
        measured = self.held_out(state.global_step)
        if not state.is_world_process_zero:
            return
        metrics = {f"train/{name}": value for name, value in trl_metrics(logs).items()}
        metrics |= self.rollout.ledger.metrics() | measured
        self.run.record({"step": state.global_step, **metrics})
        self.tracker.log(metrics, state.global_step)
        again = (state.global_step - 1) % args.num_iterations  # an update on the replies of a step before
        self._write_episodes(state.global_step, new=not again)
        shown = {name: metrics[f"train/{name}"] for name in ("reward", "accuracy") if f"train/{name}" in metrics}
        self.report(state.global_step, state.max_steps, shown)
        self.alarm.see({"step": state.global_step, **metrics})

    def _write_episodes(self, step: int, new: bool) -> None:
        trees = self.rollout.trees[: self.episodes]
        if trees and new:
            self.run.write_episodes({"step": step, **as_record(tree, self.rollout.notes)} for tree in trees)
        if self.tables and (step == 1 or step % self.tables == 0):
            columns = ("question", "gold", "reply", "carried", "reward", "advantage", "correct futures", "futures")
            rows = []
            for tree in self.rollout.trees:
                for row in self.rollout.algorithm.rows(tree):
                    node, right = row.path[-1], sum(each[-1].correct for each in row.continuations)
                    note = self.rollout.notes[id(node)]
                    texts = (tree.question.text, tree.question.gold, node.reply.text, node.carried or "")
                    rows.append((*texts, note["reward"], note["advantage"], right, len(row.continuations)))
            self.tracker.table("episodes", columns, rows, step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        PartialState().wait_for_everyone()  # all have written their part
        if state.is_world_process_zero:
            note = {"step": state.global_step, "ledger": self.rollout.ledger.as_dict(), "limits": self.limits}
            if args.per_device_train_batch_size != self.micro_batch:
                note["micro_batch"] = args.per_device_train_batch_size
            draft = drafts(self.run.checkpoints) / f"checkpoint-{state.global_step}"
            (draft / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads, with whatever was typed
            self.run.seal(note, self.keep)


def trl_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """What is kept of TRL's log: its own key figures, each reward's mean, the clipped share, and everything of ours."""
    kept = {}
    for name, value in logs.items():
        if name.startswith("rewards/") and name.endswith("/mean"):
            kept[f"reward/{name.split('/')[1]}"] = value
        elif name == "clip_ratio/region_mean":
            kept["clipped"] = value
        elif name in KEPT or name.split("/")[0] in OWN_METRICS:
            kept[name] = value
    return {name: float(value) for name, value in kept.items() if value is not None}


OWN_METRICS = {
    *("accuracy", "unparsable", "truncated", "copied", "rounds_used", "zero_spread", "well_formed", "no_answer"),
    *("tokens", "grader_gave_up"),
    *("progress", "progress_cut", "progress_cleaned", "guard", "sampling"),
}


def make_trainer(policy: Policy, arguments: GRPOConfig, rollout: Rollout) -> GRPOTrainer:
    """TRL's trainer of `policy`, which has done nothing yet."""
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=rollout.reward_functions(),  # type: ignore[arg-type]
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": list(rollout.questions)}),
        processing_class=policy.tokenizer,
        rollout_func=rollout,
    )
    trainer.remove_callback(PrinterCallback)
    if not rollout.algorithm.by_trl:
        private.own_advantages(trainer, lambda: rollout.advantages or [])
    return trainer


def train(
    trainer: GRPOTrainer,
    rollout: Rollout,
    run: Run,
    tracker: Tracker,
    report: Report,
    episodes: int | None = None,
    tables: int = 0,
    limits: Limits | None = None,
    checkpoints: Checkpoints | None = None,
    watch: Watch | None = None,
    held_out: Measure = lambda step: {},
) -> None:
    """Train the trainer's policy in place, from the newest checkpoint of `run` where there is one.

    The trees of the first `episodes` questions of a step are kept (None: all); `tables` is the number of steps between
    tables of episodes for the tracker (0: none). Training ends at `algo.steps`, or at the first step that reaches one
    of `limits`. `watch` says when there is a warning, `held_out` measures after a step. Raises `Stopped` after a
    checkpoint where the process was asked to, `EngineLost`, `NoJudge` or `OutOfMemory` after one of the last finished
    step, and `NotFinite` without one.
    """
    ledger, limits, checkpoints = rollout.ledger, limits or {}, checkpoints or Checkpoints()
    recorder = Recorder(rollout, run, tracker, report, episodes, tables, limits, checkpoints.keep, watch, held_out)
    recorder.micro_batch = trainer.args.per_device_train_batch_size
    trainer.add_callback(recorder)
    found = newest(run)
    if found:
        check_made_with(found, checkpoints.accept)
        ledger.restore(found.note["ledger"])
    if trainer.is_world_process_zero():
        ledger.redone = lost(run, ledger)
        run.cut(found.note["positions"] if found else {})
        tracker.resume(run.metrics())
    ledger.cost = Cost.of_trainer(trainer)
    forget_peak()
    steps, model = trainer.args.max_steps, cast(torch.nn.Module, trainer.model)
    if found and (found.step >= steps or reached(limits, ledger)):  # from its end the trainer would take one more
        private.load_weights(trainer, found.folder)
        trainer.state.global_step = found.step  # by which an engine knows that the weights are others
        model.eval()
        return
    try:
        with stoppable(recorder), within_range(trainer, run):
            train_on(trainer, recorder.last, found)
    except UserError as error:
        tracker.alert("training stopped", str(error), trainer.state.global_step + 1)
        raise
    if asked := recorder.stopped or recorder.signal:
        raise Stopped(f"stopped after step {trainer.state.global_step} of {steps}; a checkpoint is written", asked)
    model.eval()


@contextmanager
def stoppable(recorder: Recorder) -> Any:
    """Within the block the first Ctrl-C, SIGTERM or SIGUSR2 ends training after its step, the second at once."""

    def stop(number: int, frame: Any) -> None:
        if recorder.signal:
            raise KeyboardInterrupt
        if number == signal.SIGINT and processes.first():
            os.write(2, b"\nfinishing this step; Ctrl-C again ends at once\n")  # print() may have been interrupted
        recorder.signal = number

    with handled(stop):
        yield
