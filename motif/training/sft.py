"""Imitation by TRL's SFTTrainer: the loss runs over the tokens of replies alone.

It trains on demonstrations in the order in which they are given, writes down every step, and goes on from the newest
checkpoint as a run does, bit for bit. It does not know what the demonstrations show.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from motif.generation import private
from motif.policies.policy import Policy
from motif.runs.checkpoints import check_made_with, drafts
from motif.runs.folder import Run
from motif.runs.tracking.base import Tracker
from motif.system.console import Report
from motif.system.signals import Stopped
from motif.training.demonstrations import Demonstration, length
from motif.training.nonfinite import check_finite, trained
from motif.training.trainer import stoppable
from motif.training.trl_config import of_any_trainer

KEPT = {  # of the log of transformers and TRL, and what their callbacks make of it
    **{"loss": "train/loss", "grad_norm": "train/grad_norm", "learning_rate": "train/learning_rate"},
    **{"mean_token_accuracy": "train/mean_token_accuracy", "eval_loss": "eval/loss"},
    "eval_mean_token_accuracy": "eval/mean_token_accuracy",
}
LEAST_RATE = 0.05  # of the learning rate, at the end
WARMUP = 0.05  # of the steps


@dataclass(eq=False)
class Follower(TrainerCallback):
    """Writes each step to the run's folder and its tracker, seals checkpoints, and ends training on a signal.

    `tokens` are those of each step's prompts and replies, `begun` is when training began on a monotonic clock that
    stands still between two processes, and `signal` is the one that asks this process to stop.
    """

    run: Run
    tracker: Tracker
    report: Report
    tokens: Sequence[int]
    keep: int
    begun: float
    signal: int | None = None

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        gradients = (weights.grad for weights in trained(kwargs["model"]))
        check_finite("the gradient is", gradients, self.run, args, state.global_step + 1)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_evaluate = args.eval_strategy != "no"
        if self.signal:
            control.should_save = control.should_training_stop = True
        self.run.check_there()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        step, told = state.global_step, logs or {}
        metrics = {KEPT[name]: float(told[name]) for name in KEPT if name in told}
        if "train/loss" in metrics:
            metrics |= {"train/num_tokens": sum(self.tokens[:step]), "total/seconds": time.monotonic() - self.begun}
            self.report(step, state.max_steps, {"loss": metrics["train/loss"]})
        if metrics:
            self.run.record({"step": step, **metrics})
            self.tracker.log(metrics, step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        draft = drafts(self.run.checkpoints) / f"checkpoint-{state.global_step}"
        (draft / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
        self.run.seal({"step": state.global_step, "seconds": time.monotonic() - self.begun}, self.keep)


def table(rows: Sequence[Demonstration]) -> Dataset:
    """Rows as TRL takes them when they are prepared: labels of -100 where no loss is."""
    ids = [row.prompt + row.reply for row in rows]
    return Dataset.from_dict({"input_ids": ids, "labels": [[-100] * len(row.prompt) + row.reply for row in rows]})


def imitate(
    settings: Any,
    policy: Policy,
    rows: Sequence[Demonstration],
    held_out: Sequence[Demonstration],
    run: Run,
    tracker: Tracker,
    report: Report,
) -> None:
    """Train the policy's model in place on `rows`, from the newest checkpoint of `run`.

    The learning rate rises over a twentieth of the steps and falls by a cosine to a twentieth.

    Args:
        settings: a `WarmStart`: of it the numbers of a step, the checkpoints, and how its model is trained.
        policy: whose trainable weights are trained.
        rows: `settings.batch` a step, in the order in which they are trained on.
        held_out: rows whose loss is measured at each checkpoint and at the end; none for no measurement.
        run: the folder.
        tracker: that is told every step's metrics.
        report: moves the progress bar.

    Raises:
        Stopped: where the process was asked to stop, after a checkpoint.
        NotFinite: without one.
        UserError: the checkpoint was made with other versions.
    """
    batch, steps, checkpoints = settings.batch, settings.steps, settings.checkpoint
    micro_batch = settings.micro_batch or batch
    starts = range(0, len(rows), batch)
    batches = [sorted(rows[start : start + batch], key=length) for start in starts]  # so that parts have little padding
    arguments = SFTConfig(
        **of_any_trainer(run.checkpoints, steps, settings.seed, checkpoints),
        per_device_train_batch_size=micro_batch,
        per_device_eval_batch_size=micro_batch,
        gradient_accumulation_steps=batch // micro_batch,
        train_sampling_strategy="sequential",  # the rows are in their order
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": LEAST_RATE},
        warmup_steps=math.ceil(WARMUP * steps),
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.model.bf16,
        gradient_checkpointing=settings.model.gradient_checkpointing,
        eval_strategy="steps" if held_out else "no",
        eval_steps=checkpoints.every,
        prediction_loss_only=True,
    )
    if found := run.checkpoint():
        check_made_with(found, checkpoints.accept)
    run.cut(found.note["positions"] if found else {})
    tracker.resume(run.metrics())
    trainer = SFTTrainer(
        model=policy.model,
        args=arguments,
        train_dataset=table([row for batch in batches for row in batch]),
        eval_dataset=table(held_out) if held_out else None,
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    if found and found.step >= steps:  # from its end the trainer would take one more
        return private.load_weights(trainer, found.folder)
    begun = time.monotonic() - (found.note["seconds"] if found else 0.0)
    follower = Follower(run, tracker, report, [sum(map(length, batch)) for batch in batches], checkpoints.keep, begun)
    trainer.add_callback(follower)
    with stoppable(follower):
        trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
    if follower.signal and trainer.state.global_step < steps:
        words = f"stopped after step {trainer.state.global_step} of {steps}; a checkpoint is written"
        raise Stopped(words, follower.signal)
