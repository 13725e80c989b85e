"""An experiment: its choices, and what running them means: prepare, train, measure, save."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from motif.choices import Choices
from motif.evaluation import Measurer, Validation
from motif.evaluation.terminal import show_result
from motif.policies.policy import Policy
from motif.rounds.replies import Generate
from motif.runs import Ledger, Limits, Run
from motif.runs.budget import Pace
from motif.runs.model_card import write_card
from motif.runs.saving import save_policy
from motif.runs.summary import summary_of
from motif.runs.tracking.base import Silent, Tracker
from motif.runs.watchdogs import said
from motif.system import UserError, console, first_line, processes, write_json
from motif.system.environment import environment
from motif.tasks.questions import Question, fingerprint
from motif.training import Rollout
from motif.training.micro_batch import fitted
from motif.training.preflight import dropout
from motif.training.published import base_generator

Show = Callable[[Mapping[str, Any], Path], object]


@dataclass(frozen=True)
class Training:
    """What a run holds in memory once it is prepared. `started` is a monotonic time in seconds."""

    policy: Policy
    trainer: Any
    rollout: Rollout
    generate: Generate
    ledger: Ledger
    tests: Mapping[str, Sequence[Question]]
    validation: Validation
    limits: Limits
    started: float


@dataclass(frozen=True)
class Experiment(Choices):
    """What conf/config.yaml describes."""

    def run(self, config: Mapping[str, Any], heading: str = "", show: Show = show_result) -> dict[str, Any]:
        """Do what is left to do of this experiment. A finished run is shown, not redone.

        Args:
            config: the resolved configuration that the experiment is built of.
            heading: the line that is printed first; '' for name and folder.
            show: prints the summary of the run in this folder.

        Returns:
            The summary (`motif.runs.summary`).

        Raises:
            UserError: for a person's mistake.
            Stopped: after a stop that wrote a checkpoint.
        """
        work = partial(self._run, heading=heading or f"{self.name}  →  {self.folder}", show=show)
        return Run.once(self.folder, config, self.overwrite, work, show)

    def _run(self, run: Run, config: Mapping[str, Any], overwrite: bool, heading: str, show: Show) -> dict[str, Any]:
        console.say(heading, style="bold")
        training = self.prepare(run, config, overwrite)
        tracking = self.tracking if processes.first() else Silent()
        tracker, summary = tracking.start(run.folder, run.id, self.name, config), dict[str, Any]()
        try:
            results = self.measure("base", training, run) if self.evaluation.before else []
            self.train(training, run, tracker, tracking.episodes_every)
            if not training.ledger.totals()["optimiser_steps"]:
                raise UserError(
                    f"{self.folder}: training took no step, so the run is not finished; see algo.steps and budget"
                )
            results += self.measure("trained", training, run)
            summary = self.save(training, run, config, results)
        finally:
            tracker.finish(summary, run.policy if summary else None)
        if processes.first():
            run.finish(summary)
            show(summary, self.folder)
        processes.wait()
        return summary

    def prepare(self, run: Run, config: Mapping[str, Any], overwrite: bool) -> Training:
        """Load the policy, check what can be checked, begin the folder and make TRL's trainer."""
        limits = (not overwrite and run.has_recorded() and run.limits) or self.budget.limits()
        questions, tests = self.questions()
        validation = self.validation(run)
        self.generation.check()
        self.tracking.check()
        console.quiet_bars()
        from transformers import set_seed

        from motif.training.trainer import make_trainer
        from motif.training.trl_config import trainer_arguments

        episode = self.training_episode
        settings = (episode, self.reward, self.seed, run.checkpoints, self.checkpoint)
        algorithm = replace(self.algo, steps=self.budget.steps or self.algo.steps)
        arguments = trainer_arguments(algorithm, *settings)
        started, ledger = time.monotonic(), Ledger()
        with ledger.phase("load"), console.progress("warm start") as report:
            set_seed(self.seed)  # of fresh adapters
            policy = self.model.load(report)
            if self.algo.trainer.get("disable_dropout", True):
                dropout.silence(policy.model)
            if self.algo.micro_batch is None:
                precision = (bool(arguments.bf16), arguments.gradient_checkpointing)
                arguments = trainer_arguments(fitted(algorithm, policy, episode, questions, *precision), *settings)
        continues = run.has_recorded() and not overwrite
        checked = self.checks(questions, tests).check(policy, continues) if self.preflight else None
        if processes.first():
            rows = fingerprint([*questions, *(question for test in tests.values() for question in test)])
            run.begin(config, overwrite, rows, limits)
            where = run.folder / "environment.json"
            write_json(where, environment(self.seed, where))
            if checked and not continues:
                write_json(run.folder / "preflight.json", checked)
        processes.wait()
        pace = Pace(limits, ledger, self.algo.worst(episode), self.budget.steps)
        from_base = self.flaws.futures == "base"  # a flaw: rounds 2 and on come from the untrained policy
        rollout = Rollout(
            algorithm=self.algo,
            episode=episode,
            reward=self.reward,
            questions=questions,
            generator=partial(self.generation.generator, policy),
            tokenizer=policy.tokenizer,
            ledger=ledger,
            seed=self.seed,
            scale_rewards=arguments.scale_rewards,
            only_finished=bool(self.algo.trainer.get("mask_truncated_completions")),
            check=self.guard.watch(episode.sampling, self.generation.cut, [1] if from_base else None),
            marks=self.flaws.marks(),
            pace=pace,
            continuations=base_generator(policy, self.generation) if from_base else None,
        )
        try:
            trainer = make_trainer(policy, arguments, rollout, pace.fraction)
        except (ValueError, KeyError, ImportError) as error:  # TRL's, of settings that do not go together
            raise error if isinstance(error, UserError) else UserError(f"algo.trainer: {first_line(error)}") from error
        generate = rollout.generator(trainer)
        return Training(policy, trainer, rollout, generate, ledger, tests, validation, limits, started)

    def measure(self, which: str, training: Training, run: Run) -> list[dict[str, Any]]:
        """Evaluate the policy as it is now, base or trained, on each data set in each number of rounds."""
        run.check_there()
        how = (self.evaluation, self.seed, self.flaws.marks(), training.ledger)
        measurements = self.measurements(which, training.tests)
        measurer = Measurer(training.policy, training.generate, *how)
        return measurer.measure_all(measurements, run.evaluation, self.flaws.grader(), self.generation.name)

    def train(self, training: Training, run: Run, tracker: Tracker, tables: int) -> None:
        """Train the policy in place, from the newest checkpoint of `run` where there is one."""
        from motif.training.trainer import train

        measured = (training.policy, training.generate, training.ledger)
        known = 0 if run.metrics_file.exists() else training.trainer.args.max_steps  # what is done is not shown again
        with console.progress("training", known) as report:
            train(
                training.trainer,
                training.rollout,
                run,
                tracker,
                report,
                episodes=self.record.questions,
                tables=tables,
                limits=training.limits,
                checkpoints=self.checkpoint,
                watch=self.watch,
                held_out=partial(training.validation.accuracy, *measured),
            )

    def save(
        self, training: Training, run: Run, config: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Put the trained policy and its card into the run's folder. Returns the summary."""
        summary = summary_of(
            {
                **{"name": self.name, "algo": self.algo.name, "model": self.model.name, "dataset": self.dataset.name},
                **{"rounds": self.rounds, "seed": self.seed},
            },
            results,
            trained=self.flaws.training_episode(self.episode).sampling,
            measured=self.evaluation.sampling(self.episode),
            flaws=self.flaws.on(),
            ledger=training.ledger,
            budget=self.budget,
            limits=training.limits,
            elapsed=time.monotonic() - training.started,
        )
        summary |= {"held_out": training.validation.results(), "warnings": said(run.folder)}
        if processes.first():
            run.check_there()
            choices = {key: config[key] for key in ("model", "episode", "rounds", "flaws") if key in config}
            card = partial(write_card, config=config, summary=summary, environment=environment(self.seed))
            save_policy(training.policy, run.policy, choices, card)
        return summary
