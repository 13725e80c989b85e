"""What is kept of training: each step's metrics and episodes, checkpoints, warnings. It also ends training in time."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from transformers import TrainerCallback

from motif.rounds.records import as_record
from motif.rounds.replies import Reply
from motif.runs.budget import Limits, reached
from motif.runs.checkpoints import drafts
from motif.runs.folder import Run
from motif.runs.tracking.base import Tracker
from motif.runs.watchdogs import Alarm, Watch
from motif.system import processes
from motif.system.console import Report
from motif.training.nonfinite import check_finite, not_finite, trained
from motif.training.resume import LastStep
from motif.training.rollout import Rollout

OURS = ("episode", "rounds", "groups", "guard")  # what the rollout has reported through TRL begins so
COLUMNS = ("question", "gold", "reply", "carried", "reward", "advantage", "correct futures", "futures")

Measure = Callable[[int], dict[str, float]]  # what there is to measure of the policy after a step


class Recorder(TrainerCallback):
    """Writes each step to the run's folder and its tracker, seals checkpoints, and ends training on a signal or at a
    limit.

    Args:
        rollout: whose trees, notes and ledger are written down.
        run: the folder.
        tracker: that is told every step's metrics.
        report: moves the progress bar.
        micro_batch: rows of an update as they were chosen. Training may go on with fewer, which a checkpoint notes.
        beta: the weight of the KL term.
        episodes: questions a step whose trees are kept; None for all.
        tables: steps between tables of episodes for the tracker; 0 for none.
        limits: of the budget, at which training ends.
        keep: checkpoints that are kept.
        watch: says when there is a warning.
        held_out: measures the policy after a step.
    """

    def __init__(
        self,
        rollout: Rollout,
        run: Run,
        tracker: Tracker,
        report: Report,
        *,
        micro_batch: int,
        beta: float,
        episodes: int | None,
        tables: int,
        limits: Limits,
        keep: int,
        watch: Watch,
        held_out: Measure,
    ):
        self.rollout, self.run, self.tracker, self.report = rollout, run, tracker, report
        self.micro_batch, self.beta, self.episodes, self.tables = micro_batch, beta, episodes, tables
        self.limits, self.keep, self.held_out = limits, keep, held_out
        self.alarm = Alarm(watch, run, tracker)
        self.last = LastStep(run, rollout.ledger)
        self.signal: int | None = None  # that asks this process to stop
        self.stopped: int | None = None  # the one that all processes stop for

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
        if not self.learns():  # an optimiser passes over weights without a gradient, and so do its moments
            for weights in trained(kwargs["model"]):
                weights.grad = None
        self.last.updating()

    def learns(self) -> bool:
        """Whether there is anything to learn from the step's replies. Without it Adam would make a whole step of a
        rounding error. Where `beta` is set, the KL term acts."""
        return any(row.weight and (row.advantage or self.beta) for row in self.rollout.batch)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        check_finite("the weights are", trained(kwargs["model"]), self.run, args, state.global_step)
        self.rollout.ledger.end_step(self.rollout.trained, processes.of_all)
        self.rollout.ledger.counts["idle_steps"] += not self.learns()
        self.last.finished(state)
        asked = next(filter(None, processes.of_all(self.signal)), None)  # one that a single process was sent stops all
        self.stopped = asked if state.global_step % args.num_iterations == 0 else None
        if self.stopped or reached(self.limits, self.rollout.ledger):  # by the ledger, which is the same on all ranks
            control.should_save = control.should_training_stop = True
        self.run.check_there()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        step = state.global_step
        if not math.isfinite(logs["loss"]):
            raise not_finite("the loss is", self.run, args, step)
        measured = self.held_out(step)
        if not state.is_world_process_zero:
            return
        metrics = named(logs, self.rollout.trained) | self.rollout.ledger.metrics() | measured
        self.run.record({"step": step, **metrics})
        self.tracker.log(metrics, step)
        if (step - 1) % args.num_iterations == 0:  # else it is an update on the replies of a step before
            self._write_episodes(step)
        if self.tables and (step == 1 or step % self.tables == 0):
            self.tracker.table("episodes", COLUMNS, self._rows(), step)
        shown = {key.split("/")[1]: metrics[key] for key in ("train/reward", "episode/accuracy") if key in metrics}
        self.report(step, state.max_steps, shown)
        self.alarm.see({"step": step, **metrics})

    def _write_episodes(self, step: int) -> None:
        if trees := self.rollout.trees[: self.episodes]:
            self.run.write_episodes({"step": step, **as_record(tree, self.rollout.notes)} for tree in trees)

    def _rows(self) -> list[list[Any]]:
        """The trained replies of the step, as a table with `COLUMNS`."""
        rows = []
        for tree in self.rollout.trees:
            for row in self.rollout.algorithm.rows(tree):
                node, right = row.path[-1], sum(each[-1].correct for each in row.continuations)
                note = self.rollout.notes[id(node)]
                texts = [tree.question.text, tree.question.gold, node.reply.text, node.carried or ""]
                rows.append([*texts, note["reward"], note["advantage"], right, len(row.continuations)])
        return rows

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        processes.wait()  # all have written their part
        if state.is_world_process_zero:
            note = {"step": state.global_step, "ledger": self.rollout.ledger.as_dict(), "limits": self.limits}
            if args.per_device_train_batch_size != self.micro_batch:
                note["micro_batch"] = args.per_device_train_batch_size
            draft = drafts(self.run.checkpoints) / f"checkpoint-{state.global_step}"
            (draft / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads, with whatever was typed
            self.run.seal(note, self.keep)
        processes.wait()  # one that ended now would have the others ended while the first seals


def named(logs: Mapping[str, Any], trained: Sequence[Reply]) -> dict[str, float]:
    """TRL's log by the names of metrics.jsonl: ours as they are, TRL's under `train/`, where its users look for them.

    The epoch is left out, since for TRL all passes are one. The lengths of completions are those of the `trained`
    replies: TRL counts the rows that fill a batch too.
    """
    kept = {name: float(value) for name, value in logs.items() if value is not None and name != "epoch"}
    if "completions/mean_length" in kept:
        kept |= lengths("length", [len(reply.token_ids) for reply in trained])
        kept |= lengths("terminated_length", [len(reply.token_ids) for reply in trained if reply.finished] or [0])
        kept["completions/clipped_ratio"] = fmean(not reply.finished for reply in trained)
    return {name if name.split("/")[0] in OURS else f"train/{name}": value for name, value in kept.items()}


def lengths(name: str, tokens: Sequence[int]) -> dict[str, float]:
    """TRL's `completions/mean_<name>`, `min` and `max`."""
    found = {"mean": fmean(tokens), "min": min(tokens), "max": max(tokens)}
    return {f"completions/{what}_{name}": float(value) for what, value in found.items()}
