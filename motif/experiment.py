"""An experiment: five choices together, and what running it means: load, evaluate, train, evaluate, save.

Building one loads no weights and imports neither torch nor trl, so a bad value costs a second.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from motif.evaluation.evaluate import Evaluation, evaluate
from motif.evaluation.scores import disagreements, summarise
from motif.evaluation.terminal import show_result
from motif.evaluation.validation import HeldOut
from motif.policies.model_card import write_card
from motif.policies.pretrained import CHOICES, Policy, frozen_copy, untrained
from motif.rounds.episode import Episode
from motif.rounds.prompts import Conversation
from motif.rounds.replies import Generate, Reply, Sampling
from motif.runs.budget import Budget
from motif.runs.checkpoints import Checkpoints, drafts
from motif.runs.folder import Record, Run
from motif.runs.identity import check_name
from motif.runs.ledger import Ledger, forget_peak, of_evaluation
from motif.runs.summary import summary_of
from motif.runs.tracking.base import Silent
from motif.system import console, processes
from motif.system.environment import environment
from motif.system.errors import UserError, of_kind, text, whole
from motif.system.files import read_json, sync_all, unwritable, write_json, write_text
from motif.tasks.questions import Dataset, Question, fingerprint, without
from motif.training.algorithms import Algorithm
from motif.training.guard import Guard
from motif.training.micro_batch import micro_batch
from motif.training.preflight import check
from motif.training.published import Flaws
from motif.training.rewards import Reward
from motif.training.rollout import Rollout
from motif.training.watchdogs import Watch, said

NODES = {
    **{"reward": Reward, "episode": Episode, "algo": Algorithm},
    **{"evaluation": Evaluation, "checkpoint": Checkpoints, "record": Record, "guard": Guard, "flaws": Flaws},
    **{"budget": Budget, "watch": Watch},
}


@dataclass(frozen=True)
class Experiment:
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
        for name in ("overwrite", "preflight"):
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
        return settings.episode(self.flaws.measured_episode(self.episode, policy, dataset), rounds)

    def questions(self) -> tuple[list[Question], dict[str, list[Question]]]:
        """What is trained on, and the test questions by data set; what is in both is not trained on, and is shown."""
        if not self.dataset.trainable:
            self.dataset.train()  # which says why not
        tests = {found.name: self.evaluation.of(found) for found in self.evaluation.datasets or [self.dataset]}
        kept, dropped = without(self.dataset.train(), [question for test in tests.values() for question in test])
        if dropped:
            console.say(
                f"{len(dropped)} of {len(kept) + len(dropped)} training questions are test questions too "
                f"({', '.join(tests)}) and are left out",
                style="yellow",
            )
        return kept, {name: test[: self.evaluation.questions] for name, test in tests.items()}

    def run(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is left to do of this experiment, whose resolved configuration is `config`; returns the summary.

        A finished run is shown, not redone. Raises `UserError` for a person's mistake, `Stopped` after a
        stop that wrote a checkpoint.
        """
        run = Run(self.folder)
        overwrite = self.overwrite and not run.begun_by_this_job()
        run = Run.open(self.folder, config, overwrite)
        if (found := run.summary()) and not overwrite:
            console.say(f"{self.folder} is finished already; overwrite=true runs it again.", style="yellow")
            show_result(found, self.folder)
            return found
        with run.held():
            run = Run.open(self.folder, config, overwrite)  # as the one who held it before has left it
            try:
                return (not overwrite and run.summary()) or self._run(run, config, overwrite)
            except Exception as error:
                words = unwritable(error, self.folder)
                shutil.rmtree(drafts(run.checkpoints), ignore_errors=True)  # takes the room that has to be made
                if words:
                    same = "the same command without overwrite=true" if self.overwrite else "the same command"
                    raise UserError(f"{words}, and {same} continues{run.from_where()}") from error
                raise

    def _run(self, run: Run, config: Mapping[str, Any], overwrite: bool) -> dict[str, Any]:
        limits = (not overwrite and run.has_recorded() and run.limits) or self.budget.limits()
        console.say(f"{self.name}  →  {self.folder}", style="bold")
        questions, tests = self.questions()
        held_out = HeldOut.of(self, run)
        episode = self.flaws.training_episode(self.episode)
        training_episode = episode.with_rounds(self.algo.rounds(self.rounds))

        self.generation.check()
        console.quiet_bars()
        from transformers import set_seed

        from motif.training.trainer import make_trainer, train
        from motif.training.trl_config import trainer_arguments

        settings = (training_episode, self.reward, self.seed, run.checkpoints, self.checkpoint)
        arguments = trainer_arguments(self.algo, *settings)
        started, ledger, summary = time.monotonic(), Ledger(), {}
        with ledger.phase("load"), console.progress("warm start") as report:
            set_seed(self.seed)  # of fresh adapters
            policy = self.model.load(report)
            if self.algo.micro_batch is None:
                arguments = trainer_arguments(self._fitted(policy, training_episode, questions, arguments), *settings)

        continues = run.has_recorded() and not overwrite
        checked = check.check(self, policy, questions, tests, continues) if self.preflight else None
        if processes.first():
            rows = fingerprint([*questions, *(question for test in tests.values() for question in test)])
            run.begin(config, overwrite, rows, limits)
            where = run.folder / "environment.json"
            write_json(where, environment(self.seed, where))
            if checked and not continues:
                write_json(run.folder / "check.json", checked)
        processes.wait()
        rollout = Rollout(
            self.algo,
            training_episode,
            self.reward,
            questions,
            None,
            policy.tokenizer,
            ledger,
            self.seed,
            arguments.scale_rewards,
            self.guard.watch(training_episode.sampling, self.generation.cut, self.flaws.guarded_rounds()),
            self.flaws.marks(),
        )
        trainer = make_trainer(policy, arguments, rollout)
        rollout.generate = generate = self.generation.generator(policy, trainer)
        if self.flaws.futures == "base":
            rollout.futures = self._from_base(policy, generate)
        tracking = self.tracking if processes.first() else Silent()
        tracker = tracking.start(run.folder, run.id, self.name, config)
        try:
            before = self._measure("base", tests, policy, generate, run, ledger) if self.evaluation.before else []
            with console.progress("training", self.algo.steps) as report:
                measure = held_out.measurement(policy, generate, ledger)
                kept = self.record.questions, tracking.episodes_every
                train(trainer, rollout, run, tracker, report, *kept, limits, self.checkpoint, self.watch, measure)
            after = self._measure("trained", tests, policy, generate, run, ledger)
            measured = summary_of(self, [*before, *after], ledger, time.monotonic() - started, limits)
            measured |= {"held_out": held_out.results(), "warnings": said(run.folder)}
            if processes.first():
                self._save(policy, run, config, measured)
            summary = measured
        finally:
            tracker.finish(summary, run.policy if summary else None)
        if processes.first():
            run.finish(summary)
            show_result(summary, self.folder)
        processes.wait()
        return summary

    def _save(self, policy: Policy, run: Run, config: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Put the trained policy and its card into the run's folder, whole or not at all."""
        run.check_there()
        draft = run.policy.with_name("policy.writing")
        for left in (draft, run.policy):
            shutil.rmtree(left, ignore_errors=True)
        policy.model.save_pretrained(draft)
        policy.tokenizer.save_pretrained(draft)
        choices = {key: config[key] for key in ("model", "episode", "rounds", "flaws") if key in config}
        write_text(draft / CHOICES, yaml.safe_dump(choices, sort_keys=False))
        write_card(draft, config, summary, environment(self.seed))
        sync_all(draft)
        draft.rename(run.policy)

    def _fitted(self, policy: Policy, episode: Episode, questions: Sequence[Question], arguments: Any) -> Algorithm:
        """The algorithm with the micro-batch that fits the memory of a GPU."""
        longest = sorted(questions, key=lambda question: len(question.text))[-8:]
        prompts = policy.render([episode.conversation(question, 1, None) for question in longest])
        trained = self.algo.trained_rounds(episode.rounds)
        rooms = [episode.sampling(round).tokens for round in range(1, trained + 1)]
        rows = self.algo.questions * self.algo.m * trained // processes.count()
        lengths = max(map(len, prompts)) + (episode.carry.most(rooms[:-1]) if trained > 1 else 0), max(rooms)
        size = micro_batch(policy.model, rows, *lengths, arguments.bf16, arguments.gradient_checkpointing)
        return replace(self.algo, micro_batch=size)

    def _from_base(self, policy: Policy, generate: Generate) -> Generate:
        """A generator of the untrained policy (flaw 1)."""
        if not hasattr(policy.model, "peft_config"):
            return self.generation.generator(frozen_copy(policy))

        def without_adapters(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            with untrained(policy):
                return generate(talks, sampling)

        return without_adapters

    def _measure(
        self,
        which: str,
        tests: Mapping[str, list[Question]],
        policy: Policy,
        generate: Generate,
        run: Run,
        ledger: Ledger,
    ) -> list[dict[str, Any]]:
        """Evaluate the policy as it is now on each data set in each number of rounds."""
        found = []
        run.check_there()
        settings = self.evaluation
        for name, test in tests.items():
            for rounds in self.evaluated_rounds(which):
                title = f"{which}, {name}, {rounds} round{'s' * (rounds > 1)}"
                file = run.evaluation / f"{which}-{name}-r{rounds}.jsonl"
                episode = self.measured(which, name, rounds)
                before = ledger.seconds["evaluation"] - seconds_of(file.with_suffix(".json"))
                forget_peak()
                with ledger.phase("evaluation"), console.progress(title, len(test)) as report:
                    records = evaluate(
                        test, episode, generate, policy.tokenizer, settings, file, self.seed, report, self.flaws.marks()
                    )
                result = {
                    "policy": which,
                    "dataset": name,
                    "split": settings.split,
                    "rounds": rounds,
                    "rows": fingerprint(test),
                    "grader": self.flaws.grader(),
                    "budget": episode.budget(),
                    **summarise(records),
                    "compute": of_evaluation(records, policy.model, ledger.seconds["evaluation"] - before),
                }
                if processes.first():
                    write_json(file.with_suffix(".json"), {**result, "disagreeing": disagreements(records)})
                found.append(result)
        return found


def seconds_of(result: Path) -> float:
    """What the evaluation took whose result lies there, made before this process; 0 where none does."""
    return read_json(result).get("compute", {}).get("seconds", 0.0) if result.is_file() else 0.0
