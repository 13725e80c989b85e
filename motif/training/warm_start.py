"""A warm start by imitation, for any model (`python -m motif.warm_start`): it learns to write worked solutions.

Part of what it imitates is whole solutions in one window, the rest is solutions cut into the rounds of the episode. So
both ways are taught with as many tokens, and a comparison of them is fair. The folder is that of a run: the same
command goes on after a stop, and shows what is finished. Training by reward is another program, which starts from the
policy that this one leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from motif.policies.policy import Policy, context
from motif.rounds import Episode
from motif.runs import Checkpoints, Run
from motif.runs.identity import check_name
from motif.runs.ledger import forget_peak, measured_peak, memory_kind
from motif.runs.saving import save_policy
from motif.runs.tracking.base import Silent
from motif.system import (
    UserError,
    console,
    number,
    of_kind,
    one_of,
    processes,
    program,
    read_json,
    text,
    whole,
    write_json,
)
from motif.system.environment import environment
from motif.system.files import remove
from motif.tasks.questions import Dataset, Question, apart, fingerprint
from motif.training.demonstrations import Demonstration, Demonstrator, demonstrations, length
from motif.training.nonfinite import NotFinite

CHOICES = ("model", "episode", "rounds")  # that one needs to use the policy
SAME = ("episode=", "episode.", "dataset.")  # settings that training by reward shares with the warm start


@dataclass(frozen=True)
class WarmStart:
    """What conf/warm_start.yaml describes.

    Args:
        model: of the group `model`; it has `load`, `name`, `peft`, `bf16` and `gradient_checkpointing`.
        dataset: whose training questions have worked solutions.
        episode: what the rounds look like.
        steps, batch: optimiser steps, and demonstrations in each.
        micro_batch: demonstrations in a forward pass; None for all of a step.
        whole: the share of demonstrations that are whole solutions in one window as large as all rounds together.
        held_out: demonstrations from validation questions whose loss is measured.

    Raises:
        UserError: a value that cannot be, by its key.
    """

    model: Any
    dataset: Dataset
    episode: Episode
    tracking: Any = field(default_factory=Silent)
    checkpoint: Checkpoints = field(default_factory=Checkpoints)
    rounds: int = 3
    steps: int = 400
    batch: int = 8
    micro_batch: int | None = None
    learning_rate: float = 2e-4
    max_grad_norm: float = 1.0
    whole: float = 0.5
    held_out: int = 64
    seed: int = 0
    name: str = "warm-start"
    outputs: str = "outputs/warm_starts"
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, kind in {"episode": Episode, "checkpoint": Checkpoints}.items():
            of_kind(name, getattr(self, name), kind)
        for name in ("rounds", "steps", "batch"):
            whole(name, getattr(self, name))
        whole("held_out", self.held_out, at_least=0)
        whole("seed", self.seed, at_least=0, at_most=2**31 - 1)
        number("learning_rate", self.learning_rate, above=0)
        number("max_grad_norm", self.max_grad_norm, above=0)
        number("whole", self.whole, at_least=0, at_most=1)
        if self.micro_batch is not None and self.batch % whole("micro_batch", self.micro_batch):
            raise UserError(f"micro_batch={self.micro_batch} must divide batch={self.batch}")
        check_name(self.name)
        text("outputs", self.outputs)
        one_of("overwrite", self.overwrite, (True, False))

    @property
    def folder(self) -> Path:
        return Path(self.outputs) / self.name

    @property
    def share(self) -> float:
        """That of whole solutions; all, where an episode has one round."""
        return self.whole if self.rounds > 1 else 1.0

    def run(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is left to do. A finished warm start is shown, not redone.

        Args:
            config: the resolved configuration that this object is built of.

        Returns:
            The summary.

        Raises:
            UserError: for a person's mistake.
            Stopped: after a stop that wrote a checkpoint.
        """
        if processes.count() > 1:
            raise UserError("a warm start runs in one process; begin it without torchrun or accelerate launch")
        try:
            return Run.once(self.folder, config, self.overwrite, self._run, show)
        except NotFinite as error:
            raise UserError(str(error).replace("algo.trainer.", "")) from error

    def _run(self, run: Run, config: Mapping[str, Any], overwrite: bool) -> dict[str, Any]:
        console.say(f"{self.name}  →  {self.folder}", style="bold")
        train, validation = self.questions()
        self.tracking.check()
        console.quiet_bars()
        from transformers import set_seed

        from motif.training.sft import imitate

        forget_peak()
        with console.progress("loading"):
            set_seed(self.seed)  # of fresh adapters
            policy = self.model.load()
        rows, held_out, left_out = self.demonstrations(policy, train, validation)
        run.begin(config, overwrite, fingerprint([*train, *validation]))
        where = run.folder / "environment.json"
        write_json(where, environment(self.seed, where))
        tracker, summary = self.tracking.start(run.folder, run.id, self.name, config), dict[str, Any]()
        try:
            with console.progress("warm start", self.steps) as report:
                imitate(self, policy, rows, held_out, run, tracker, report)
            run.check_there()
            choices = {key: config[key] for key in CHOICES if key in config}
            save_policy(policy, run.policy, choices, lambda folder: None)
            summary = self.summary(run, rows, left_out)
        finally:
            tracker.finish(summary, run.policy if summary else None)
        run.finish(summary)
        remove(run.checkpoints)  # nothing goes on from them any more
        show(summary, self.folder)
        return summary

    def questions(self) -> tuple[list[Question], list[Question]]:
        """Training and validation questions with worked solutions; no test question is among them."""
        train = self.dataset.train()
        kept = [question for question in apart(train, {self.dataset.name: self.dataset.test()}) if question.solution]
        if not kept:
            raise UserError(
                f"dataset={self.dataset.name} has no worked solutions to imitate: take gsm8k, stories or chain; for "
                "your own rows dataset.gold=hashes, dataset.gold=boxed or dataset.solution=COLUMN"
            )
        return kept, [question for question in self.dataset.validation() if question.solution]

    def demonstrations(
        self, policy: Policy, train: Sequence[Question], validation: Sequence[Question]
    ) -> tuple[list[Demonstration], list[Demonstration], dict[str, int]]:
        """What is imitated, what the loss is measured on, and how many training questions did not fit, by windows."""
        episode = self.episode.showing(train)
        single = episode.with_rounds(1).with_budget(episode.budget())
        makers = Demonstrator(single, policy), Demonstrator(episode, policy)
        rows = demonstrations(*makers, train, self.steps * self.batch, self.share, self.seed)
        left_out = {maker.window: len(maker.unfit) for maker in makers if maker.unfit}
        for window, unfit in left_out.items():
            words = f"{unfit} of {len(train)} worked solutions do not fit {window}, and are left out there"
            console.say(words, style="yellow")
        held_out = demonstrations(*makers, validation, self.held_out, self.share, 0) if validation else []
        policy.check_ids([max(map(max, row)) for row in rows])
        longest = max(map(length, [*rows, *held_out]))
        limit, what = min(context(policy.model), default=(longest, ""))
        if longest > limit:
            words = f"{longest} tokens of a prompt with its reply do not fit the model's {limit} positions ({what})"
            raise UserError(f"{words}; lower episode.tokens")
        return rows, held_out, left_out

    def summary(self, run: Run, rows: Sequence[Demonstration], left_out: Mapping[str, int]) -> dict[str, Any]:
        """What summary.json holds: labels, what was imitated and left out, tokens, time, and the curve of the loss."""
        lines = run.metrics()
        losses = [line["train/loss"] for line in lines if "train/loss" in line]
        measured = [line["eval/loss"] for line in lines if "eval/loss" in line]
        return {
            "kind": "warm start",
            **{"name": self.name, "model": self.model.name, "dataset": self.dataset.name, "rounds": self.rounds},
            **{"seed": self.seed, "steps": self.steps, "batch": self.batch, "learning_rate": self.learning_rate},
            "whole": self.share,
            "demonstrations": len(rows),
            "left_out": dict(left_out),
            "tokens": {"prompts": sum(len(row.prompt) for row in rows), "replies": sum(len(row.reply) for row in rows)},
            "loss": {"first": losses[0], "last": sum(losses[-10:]) / len(losses[-10:])},
            "held_out": {"first": measured[0], "last": measured[-1]} if measured else None,
            "seconds": next(line["total/seconds"] for line in reversed(lines) if "total/seconds" in line),
            "memory": {"peak": measured_peak(), "of": memory_kind()},
            "curve": lines,
        }


def show(summary: Mapping[str, Any], folder: Path) -> None:
    """What a warm start has come to, and what to type next."""
    loss, held_out, tokens = (summary[key] for key in ("loss", "held_out", "tokens"))
    measured = f", held-out {held_out['first']:.3f} → {held_out['last']:.3f}" if held_out else ""
    console.say(f"loss     {loss['first']:.3f} → {loss['last']:.3f}{measured}")
    both = f"{tokens['prompts'] + tokens['replies']:,} tokens, {tokens['replies']:,} in replies"
    shown = f"{summary['demonstrations']:,} demonstrations, {summary['whole']:.0%} of them whole solutions"
    console.say(f"shown    {shown}; {both}; {summary['seconds']:.0f} s")
    console.say(f"policy   {folder}/policy")
    console.say(f"measure  {program('evaluate')} policy={folder}")
    rest = f"dataset={summary['dataset']} rounds={summary['rounds']}"
    rest += " peft@model.peft=lora" * (folder / "policy/adapter_config.json").is_file()
    typed = [word for word in read_json(folder / "environment.json")["command"] if word.startswith(SAME)]
    rest = " ".join([rest, *map(quote, typed)])
    console.say(f"train    {program('train')} model=local model.path={folder}/policy {rest}")
