"""Training by TRL's GRPOTrainer. No trainer subclass and no placeholder reward.

TRL asks a `Rollout` for completions and for the values of the reward's terms, makes advantages of them, and takes the
step. `Recorder` writes down what happened.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from motif import processes
from motif.alarm import Alarm
from motif.algorithms import Algorithm
from motif.budget import Limits, reached
from motif.checkpoints import Checkpoints, check_made_with, drafts
from motif.checks import UserError, hint, number, one_of
from motif.compute import forget_peak
from motif.episode import Episode
from motif.finite import check_finite, not_finite, trained, within_range
from motif.flops import Cost
from motif.measures import trl_metrics
from motif.models import Policy
from motif.resuming import LastStep, lost, newest, train_on
from motif.rewards import Reward
from motif.rollout import Rollout
from motif.runs import Run, as_record
from motif.screen import Report
from motif.stops import Stopped, handled
from motif.tracking import Tracker
from motif.watchdogs import Watch

VLLM_KEYS = {
    **{"mode": "mode", "server_base_url": "base_url", "server_timeout": "wait", "group_port": "group_port"},
    **{"server_host": "base_url", "server_port": "base_url", "enable_sleep_mode": "sleep"},
    **{"gpu_memory_utilization": "memory", "max_model_length": "max_length", "tensor_parallel_size": "tensor_parallel"},
}
OURS = {  # what TRL is told by the suite itself, and the setting to use instead
    "output_dir": "outputs",
    "max_steps": "algo.steps",
    "num_generations": "algo.m",
    "generation_batch_size": "algo.questions",
    "per_device_train_batch_size": "algo.micro_batch",
    "gradient_accumulation_steps": "algo.micro_batch",
    "steps_per_generation": "algo.questions",
    "max_completion_length": "episode.tokens",
    "temperature": "episode.temperature",
    "top_p": "episode.top_p",
    "top_k": "episode.top_k",
    "seed": "seed",
    "report_to": "tracking",
    "save_steps": "checkpoint.every",
    "save_total_limit": "checkpoint.keep",
    "use_vllm": "generation",
    **{f"vllm_{key}": f"generation.{ours}" for key, ours in VLLM_KEYS.items()},
}
CHOICES = {  # that TRL checks only when it takes a step
    "loss_type": ("grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo", "sapo", "vespo"),
    "scale_rewards": ("group", "batch", "none"),
    "importance_sampling_level": ("token", "sequence"),
}
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
            self.tracker.table("episodes", *self.rollout.table(), step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        PartialState().wait_for_everyone()  # all have written their part
        if state.is_world_process_zero:
            note = {"step": state.global_step, "ledger": self.rollout.ledger.as_dict(), "limits": self.limits}
            if args.per_device_train_batch_size != self.micro_batch:
                note["micro_batch"] = args.per_device_train_batch_size
            self.run.seal(note, self.keep)


def trainer_arguments(
    algorithm: Algorithm, episode: Episode, reward: Reward, seed: int, folder: Path, checkpoints: Checkpoints
) -> GRPOConfig:
    """TRL's configuration for these choices. Unknown or contradictory `algo.trainer` keys are `UserError`s."""
    known = {field.name: field.default for field in fields(GRPOConfig)}
    for key, value in algorithm.trainer.items():
        if key in OURS:
            raise UserError(f"algo.trainer.{key} is set by {OURS[key]}=")
        if key not in known:
            raise UserError(f"algo.trainer.{key} is not an argument of TRL's GRPOConfig{hint(key, known)}")
        if isinstance(known[key], int | float) and not isinstance(known[key], bool) and value is not None:
            number(f"algo.trainer.{key}", value)
        if key in CHOICES:
            one_of(f"algo.trainer.{key}", value, CHOICES[key])
    rows = algorithm.questions * algorithm.m
    shares = processes.count()
    micro = algorithm.micro_batch or rows // shares
    if rows % (micro * shares):
        raise UserError(
            f"algo.micro_batch={micro} times {shares} processes must divide the {rows} rows of a step "
            f"(algo.questions={algorithm.questions} × algo.m={algorithm.m})"
        )
    sampling = episode.sampling(1)
    if sampling.temperature == 0:
        raise UserError(
            "episode.temperature must be above 0 for training: greedy replies to a question are all the same"
        )
    options = {key: value for key, value in algorithm.trainer.items() if value is not None}
    passes = options.get("num_iterations", 1)
    if isinstance(passes, int) and passes > 0 and checkpoints.every % passes:
        raise UserError(
            f"checkpoint.every={checkpoints.every} must be a multiple of algo.trainer.num_iterations={passes}: between "
            "the updates on the same replies no checkpoint could be gone on from exactly"
        )
    try:
        return GRPOConfig(
            output_dir=str(drafts(folder)),
            max_steps=algorithm.steps,
            num_generations=algorithm.m,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=rows // (micro * shares),
            max_completion_length=sampling.tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            reward_weights=list(reward.weights.values()),
            seed=seed,
            report_to="none",
            logging_steps=1,
            logging_nan_inf_filter=False,
            disable_tqdm=True,
            save_strategy="steps",
            save_steps=checkpoints.every,
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
            **options,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"algo.trainer: {str(error).strip().splitlines()[0]}") from error


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
        if found.note["limits"] != limits:
            raise UserError(
                f"the run that budget.match names has changed since this one began (limits were "
                f"{found.note['limits']}, are {limits}); overwrite=true begins again"
            )
        ledger.restore(found.note["ledger"])
    if trainer.is_world_process_zero():
        ledger.redone = lost(run, ledger)
        run.cut(found.note["positions"] if found else {})
        tracker.resume(run.metrics())
    ledger.cost = Cost.of_trainer(trainer)
    forget_peak()
    steps, model = trainer.args.max_steps, cast(torch.nn.Module, trainer.model)
    if found and (found.step >= steps or reached(limits, ledger)):  # from its end the trainer would take one more
        trainer._load_from_checkpoint(str(found.folder))
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
        recorder.signal = number

    with handled(stop):
        yield
