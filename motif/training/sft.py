"""Imitation by TRL's SFTTrainer: the loss runs over the tokens of replies alone.

It trains on demonstrations in the order in which they are given, writes down every step, and goes on from the newest
checkpoint as a run does, bit for bit. It does not know what the demonstrations show.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from motif.generation import private
from motif.policies.policy import Policy
from motif.runs.checkpoints import Checkpoints, check_made_with, drafts
from motif.runs.folder import Run
from motif.runs.tracking.base import Tracker
from motif.system.console import Report
from motif.system.signals import Stopped
from motif.training.demonstrations import Demonstration
from motif.training.nonfinite import check_finite, not_finite, trained
from motif.training.trainer import stoppable

KEPT = {  # of the log of transformers and TRL, and what it is called here
    **{"loss": "train/loss", "grad_norm": "train/grad_norm", "learning_rate": "train/learning_rate"},
    **{"mean_token_accuracy": "train/token_accuracy", "eval_loss": "held_out/loss"},
    "eval_mean_token_accuracy": "held_out/token_accuracy",
}
LEAST_RATE = 0.05  # of the learning rate, at the end
WARMUP = 0.05  # of the steps


class Follower(TrainerCallback):
    """Writes each step to the run's folder and its tracker, seals checkpoints, and ends training on a signal.

    `tokens` are those of each step's prompts and replies, `seconds` those that were spent before.
    """

    def __init__(
        self, run: Run, tracker: Tracker, report: Report, tokens: Sequence[int], keep: int, seconds: float
    ) -> None:
        self.run, self.tracker, self.report, self.tokens, self.keep = run, tracker, report, tokens, keep
        self.signal: int | None = None  # that asks this process to stop
        self.begun = time.monotonic() - seconds

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
        if not metrics:
            return
        if not math.isfinite(metrics.get("train/loss", 0.0)):
            raise not_finite("the loss is", self.run, args, step)
        if "train/loss" in metrics:
            metrics |= {"train/tokens": sum(self.tokens[:step]), "seconds/training": time.monotonic() - self.begun}
            self.report(step, state.max_steps, {"loss": metrics["train/loss"]})
        self.run.record({"step": step, **metrics})
        self.tracker.log(metrics, step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        draft = drafts(self.run.checkpoints) / f"checkpoint-{state.global_step}"
        (draft / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
        self.run.seal({"step": state.global_step, "seconds": time.monotonic() - self.begun}, self.keep)


def length(row: Demonstration) -> int:
    """Tokens of a prompt and its reply."""
    return len(row.prompt) + len(row.reply)


def table(rows: Sequence[Demonstration]) -> Dataset:
    """Rows as TRL takes them when they are prepared: labels of -100 where no loss is."""
    ids = [row.prompt + row.reply for row in rows]
    return Dataset.from_dict({"input_ids": ids, "labels": [[-100] * len(row.prompt) + row.reply for row in rows]})


def imitate(
    policy: Policy,
    rows: Sequence[Demonstration],
    held_out: Sequence[Demonstration],
    run: Run,
    tracker: Tracker,
    report: Report,
    *,
    batch: int,
    micro_batch: int,
    learning_rate: float,
    max_grad_norm: float,
    seed: int,
    checkpoints: Checkpoints,
    bf16: bool,
    gradient_checkpointing: bool,
) -> None:
    """Train the policy's model in place on `rows`, `batch` of them a step, from the newest checkpoint of `run`.

    Args:
        policy: whose trainable weights are trained.
        rows: a whole number of batches, in the order in which they are trained on.
        held_out: rows whose loss is measured at each checkpoint and at the end; none for no measurement.
        run: the folder.
        tracker: that is told every step's metrics.
        report: moves the progress bar.
        batch, micro_batch: rows of a step, and of a forward pass.
        learning_rate: the highest; it rises over a twentieth of the steps and falls by a cosine to a twentieth.
        max_grad_norm: gradients are clipped to this norm.
        seed: of dropout.
        checkpoints: when they are made, and which stay.
        bf16: autocast to bfloat16, which leaves the weights as they are.
        gradient_checkpointing: activations are computed twice instead of kept.

    Raises:
        Stopped: where the process was asked to stop, after a checkpoint.
        NotFinite: without one.
        UserError: the checkpoint was made with other versions.
    """
    steps = len(rows) // batch
    parts = (rows[start : start + batch] for start in range(0, len(rows), batch))
    rows = [row for part in parts for row in sorted(part, key=length)]  # so that a forward pass has little padding
    arguments = SFTConfig(
        output_dir=str(drafts(run.checkpoints)),
        max_steps=steps,
        per_device_train_batch_size=micro_batch,
        per_device_eval_batch_size=micro_batch,
        gradient_accumulation_steps=batch // micro_batch,
        train_sampling_strategy="sequential",  # `rows` are in their order
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": LEAST_RATE},
        warmup_steps=math.ceil(WARMUP * steps),
        weight_decay=0.0,
        max_grad_norm=max_grad_norm,
        bf16=bf16,
        gradient_checkpointing=gradient_checkpointing,
        seed=seed,
        report_to="none",
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        eval_strategy="steps" if held_out else "no",
        eval_steps=checkpoints.every,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=checkpoints.every,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
    )
    found = run.checkpoint()
    if found:
        check_made_with(found, checkpoints.accept)
    run.cut(found.note["positions"] if found else {})
    tracker.resume(run.metrics())
    trainer = SFTTrainer(
        model=policy.model,
        args=arguments,
        train_dataset=table(rows),
        eval_dataset=table(held_out) if held_out else None,
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    if found and found.step >= steps:  # from its end the trainer would take one more
        private.load_weights(trainer, found.folder)
        return
    lengths = [*map(length, rows)]
    tokens = [sum(lengths[start : start + batch]) for start in range(0, len(lengths), batch)]
    follower = Follower(run, tracker, report, tokens, checkpoints.keep, found.note["seconds"] if found else 0.0)
    trainer.add_callback(follower)
    with stoppable(follower):
        trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
    if follower.signal and trainer.state.global_step < steps:
        words = f"stopped after step {trainer.state.global_step} of {steps}; a checkpoint is written"
        raise Stopped(words, follower.signal)
