"""The choices of an experiment, and what follows from them before anything is loaded: episodes, measurements, checks.

Building them imports neither torch nor trl, so a bad value costs a second.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, gcd
from pathlib import Path
from typing import Any

from motif.evaluation import Evaluation, Validation, validation_questions
from motif.evaluation.measure import Measurement
from motif.rounds.episode import Episode
from motif.runs import Budget, Checkpoints
from motif.runs.folder import Record, Run
from motif.runs.identity import check_name
from motif.runs.tracking.base import Silent
from motif.system import UserError, of_kind, processes, shown, text, whole
from motif.tasks.questions import Dataset, Question, apart
from motif.training import Algorithm, Flaws, Guard, Reward, Watch
from motif.training.preflight import Plan, Preflight
from motif.training.trainer_keys import check_keys, check_temperature

NODES = {
    **{"reward": Reward, "episode": Episode, "algo": Algorithm},
    **{"evaluation": Evaluation, "checkpoint": Checkpoints, "record": Record, "guard": Guard, "flaws": Flaws},
    **{"budget": Budget, "watch": Watch},
}

VALIDATED = 0.05  # of the tokens of training, for validation questions that nobody has asked for


def sharded(trainer: Mapping[str, Any]) -> str:
    """What divides the weights of a model among processes, by these keys of TRL's or as accelerate was told to; '' for
    nothing."""
    keys = [f"algo.trainer.{key}" for key in ("fsdp", "deepspeed") if trainer.get(key)]
    names = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return next(iter([*keys, *(name for name in names if os.environ.get(name, "").lower() in ("1", "true"))]), "")


@dataclass(frozen=True)
class Choices:
    """The choices, and plain numbers. Every field is a key of conf/config.yaml."""

    model: Any
    dataset: Dataset
    reward: Reward
    episode: Episode
    algo: Algorithm
    generation: Any
    tracking: Any = field(default_factory=Silent)
    evaluation: Evaluation = field(default_factory=Evaluation)
    checkpoint: Checkpoints = field(default_factory=Checkpoints)
    record: Record = field(default_factory=Record)
    guard: Guard = field(default_factory=Guard)
    watch: Watch = field(default_factory=Watch)
    flaws: Flaws = field(default_factory=Flaws)
    budget: Budget = field(default_factory=Budget)
    rounds: int = 3
    seed: int = 0
    name: str = "experiment"
    outputs: str = "outputs"
    overwrite: bool = False
    preflight: bool = True
    plan: bool = False

    def __post_init__(self) -> None:
        for name, kind in NODES.items():
            of_kind(name, getattr(self, name), kind)
        whole("rounds", self.rounds)
        whole("seed", self.seed, at_least=0, at_most=2**31 - 1)
        check_name(self.name)
        text("outputs", self.outputs)
        if self.flaws.futures == "base" and self.generation.name != "transformers":
            raise UserError("flaws.futures=base needs generation=transformers, whose weights can go without adapters")
        if self.episode.rounds != self.rounds:
            raise UserError(f"episode.rounds is set by rounds={self.rounds}, got {self.episode.rounds}")
        check_keys(self.algo.trainer)
        drawn = self.flaws.training_episode(self.episode).sampling
        check_temperature(drawn(1).temperature)
        trained = [drawn(round) for round in range(1, self.trained_rounds + 1)]
        if len({each.temperature for each in trained}) > 1:
            raise UserError(
                f"episode.later.temperature={trained[1].temperature:g} is of rounds that algo={self.algo.name} trains, "
                f"and their loss is computed at episode.temperature={trained[0].temperature:g}: leave it null, or "
                "train the first round alone (algo=motif)"
            )
        if self.generation.cut and any(each.top_p < 1 or each.top_k for each in trained):
            raise UserError(
                f"generation={self.generation.name} reports log-probabilities of what top_p and top_k leave, which the "
                "loss would take for the policy's own: set episode.top_p=1 episode.top_k=0, or generation=transformers"
            )
        if what := sharded(self.algo.trainer):
            raise UserError(
                f"{what} divides the weights among processes, and decoding, the guard, the evaluation before training "
                "and what is saved need them whole: leave it out"
            )
        replies, shares = self.algo.m * self.trained_rounds, processes.count()
        if self.algo.questions * replies % shares:
            raise UserError(
                f"algo.questions={self.algo.questions} × {replies} trained replies a question are "
                f"{self.algo.questions * replies} rows a step, which {shares} processes cannot share equally: make "
                f"algo.questions a multiple of {shares // gcd(replies, shares)}"
            )
        for name in ("overwrite", "preflight", "plan"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} must be true or false, got {getattr(self, name)!r}")

    @property
    def folder(self) -> Path:
        return Path(self.outputs) / self.name

    def evaluated_rounds(self, policy: str = "trained") -> list[int]:
        """Numbers of rounds at which `policy` (base or trained) is evaluated."""
        if self.flaws.evaluation_budget == "unequal":
            return [1 if policy == "base" else self.algo.rounds(self.rounds)]
        return sorted(set(self.evaluation.rounds or {1, self.rounds}))

    def measured(self, policy: str, dataset: str, rounds: int) -> Episode:
        """The episode in which `policy` is measured on `dataset` in `rounds` rounds."""
        settings = self.evaluation
        if self.flaws.evaluation_budget == "unequal":
            settings = replace(settings, budget=None)
        return settings.episode(self.flaws.measured_episode(self.shown, policy, dataset), rounds)

    def measurements(self, policy: str, tests: Mapping[str, Sequence[Question]]) -> list[Measurement]:
        """All that `policy` (base or trained) is measured in."""
        return [
            Measurement(policy, dataset, self.measured(policy, dataset, rounds), test)
            for dataset, test in tests.items()
            for rounds in self.evaluated_rounds(policy)
        ]

    @property
    def trained_rounds(self) -> int:
        """Rounds whose replies are trained."""
        return self.algo.trained_rounds(self.algo.rounds(self.rounds))

    @property
    def training_episode(self) -> Episode:
        """The episode as it is trained."""
        return self.flaws.training_episode(self.shown).with_rounds(self.algo.rounds(self.rounds))

    @cached_property
    def shown(self) -> Episode:
        """The episode with its worked examples, which are training questions."""
        return self.episode.showing(self.questions()[0]) if self.episode.prompts.examples else self.episode

    def questions(self) -> tuple[list[Question], dict[str, list[Question]]]:
        """What is trained on, and the test questions by data set; what is in both is not trained on, and is shown."""
        return self._questions

    @cached_property
    def _questions(self) -> tuple[list[Question], dict[str, list[Question]]]:
        if not self.dataset.trainable:
            self.dataset.train()  # which says why not
        tests = {found.name: self.evaluation.of(found) for found in self.evaluation.datasets or [self.dataset]}
        kept = apart(self.dataset.train(), tests)
        if len(kept) < self.algo.questions:
            raise UserError(
                f"algo.questions={self.algo.questions} are more than the {len(kept)} questions to train on, so that no "
                f"step could be made: lower algo.questions, or give more rows (dataset={self.dataset.name})"
            )
        unread = getattr(self.model, "unread", lambda text: "")
        if self.preflight and (strange := next((each for each in kept if unread(each.text)), None)):
            raise UserError(
                f"model={self.model.name} cannot read {unread(strange.text)[:40]!r}, as in {shown(strange.text)} "
                f"(dataset={self.dataset.name}), so that it would learn nothing: choose another, as in "
                "model=smollm2-135m; preflight=false goes on regardless"
            )
        return kept, {name: test[: self.evaluation.questions] for name, test in tests.items()}

    def validation(self, run: Run) -> Validation:
        """What `watch.every` asks for: the trained rounds on validation questions, drawn as in an evaluation."""
        return Validation(
            validation_questions(self.dataset, self.validated_every, self.watch.questions),
            self.validated,
            self.evaluation,
            run.folder / "held_out",
            self.validated_every,
            self.seed,
            self.flaws.marks(),
        )

    @property
    def validated(self) -> Episode:
        """The episode in which validation questions are measured."""
        return self.measured("trained", self.dataset.name, self.algo.rounds(self.rounds))

    @cached_property
    def validated_every(self) -> int:
        """Steps between measurements of validation questions; 0: never.

        `watch.every=null` takes the fewest with which they may generate at most `VALIDATED` of the tokens of training.
        It measures nothing where less than two measurements come of that, where there are no such questions, or where
        `budget.steps` makes steps smaller.
        """
        if self.watch.every is not None:
            return self.watch.every
        questions = len(self.dataset.validation()[: self.watch.questions])
        tokens = questions * self.evaluation.samples * self.validated.budget()
        step = self.algo.questions * self.algo.worst(self.training_episode)["tokens"]
        every = ceil(tokens / (VALIDATED * step))
        return every if 2 * every <= self.algo.steps and not self.budget.steps else 0

    def checks(self, questions: Sequence[Question], tests: Mapping[str, Sequence[Question]]) -> Preflight:
        """What is looked at before the first step."""
        policies = ("base", "trained") if self.evaluation.before else ("trained",)
        asked = [each for policy in policies for each in self.measurements(policy, tests)]
        plans = [Plan("training", self.training_episode, questions)]
        for each in asked:
            plan = Plan(each.dataset, each.episode, each.questions)
            plans += [] if plan in plans else [plan]
        return Preflight(
            dataset=self.dataset.name,
            questions=questions,
            tests=tests,
            plans=plans,
            algorithm=self.algo,
            reward=self.reward,
            flaws=self.flaws,
            engine=self.generation,
            checkpoints=self.checkpoint,
            recorded=self.record.questions,
            measured=sum(len(each.questions) * each.episode.budget() for each in asked) * self.evaluation.samples,
            budgeted=self.evaluation.budget is not None and self.flaws.evaluation_budget == "equal",
            folder=self.folder,
        )
