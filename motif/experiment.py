"""An experiment: five choices together, and what running it means: load, evaluate, train, evaluate, save.

Building one loads no weights and imports neither torch nor trl, so a bad value costs a second.
"""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from motif import screen
from motif.algorithms import Algorithm
from motif.checks import UserError, of_kind, whole
from motif.compute import Ledger
from motif.data import Dataset, Question
from motif.episode import Episode
from motif.evaluation import Evaluation, evaluate, summarise
from motif.generation import Generate, Sampling
from motif.guard import Guard
from motif.rewards import Reward
from motif.rollout import Rollout
from motif.runs import Checkpoints, Record, Run, check_name, environment, write_json
from motif.tracking import Silent

PHASES = ("rollout", "future_rollout", "guard", "reward", "update")  # of a training step
NODES = {
    **{"reward": Reward, "episode": Episode, "algo": Algorithm},
    **{"evaluation": Evaluation, "checkpoint": Checkpoints, "record": Record, "guard": Guard},
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
    rounds: int = 3
    seed: int = 0
    name: str = "experiment"
    outputs: str = "outputs"
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, kind in NODES.items():
            of_kind(name, getattr(self, name), kind)
        whole("rounds", self.rounds)
        whole("seed", self.seed, at_least=0, at_most=2**31 - 1)
        check_name(self.name)
        if self.episode.rounds != self.rounds:
            raise UserError(f"episode.rounds is set by rounds={self.rounds}, got {self.episode.rounds}")
        if not isinstance(self.overwrite, bool):
            raise UserError(f"overwrite must be true or false, got {self.overwrite!r}")

    @property
    def folder(self) -> Path:
        return Path(self.outputs) / self.name

    def evaluated_rounds(self) -> list[int]:
        """Numbers of rounds at which policies are evaluated: one, and the run's."""
        return sorted({1, self.rounds})

    def run(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is left to do of this experiment, whose resolved configuration is `config`; returns the summary.

        A finished run is shown, not redone. Raises `UserError` for a person's mistake, `Stopped` after a
        stop that wrote a checkpoint.
        """
        run = Run.open(self.folder, config, self.overwrite)
        if (found := run.summary()) and not self.overwrite:
            screen.say(f"{self.folder} is finished already; overwrite=true runs it again.", style="yellow")
            show_result(found, self.folder)
            return found
        screen.say(f"{self.name}  →  {self.folder}", style="bold")
        questions, test = self.dataset.train(), self.dataset.test()[: self.evaluation.questions]
        training_episode = self.episode.with_rounds(self.algo.rounds(self.rounds))

        self.generation.check()
        screen.quiet_bars()
        from transformers import set_seed

        from motif.training import make_trainer, train, trainer_arguments

        arguments = trainer_arguments(
            self.algo, training_episode, self.reward, self.seed, run.checkpoints, self.checkpoint
        )
        started, ledger, summary = time.monotonic(), Ledger(), {}
        with ledger.phase("load"), screen.progress("warm start") as report:
            set_seed(self.seed)  # of fresh adapters
            policy = self.model.load(report)

        run.begin(config, self.overwrite)
        write_json(run.folder / "environment.json", environment(self.seed))
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
            self.guard.watch(training_episode.sampling, self.generation.cut),
        )
        trainer = make_trainer(policy, arguments, rollout)
        rollout.generate = generate = self.generation.generator(policy, trainer)
        tracker = self.tracking.start(run.folder, run.id, self.name, config)
        try:
            before = self._measure("base", test, policy, generate, run, ledger) if self.evaluation.before else []
            with screen.progress("training", self.algo.steps) as report:
                train(trainer, rollout, run, tracker, report, self.record.questions, self.tracking.episodes_every)
            after = self._measure("trained", test, policy, generate, run, ledger)
            policy.model.save_pretrained(run.policy)
            policy.tokenizer.save_pretrained(run.policy)
            summary = self._summary([*before, *after], ledger, time.monotonic() - started)
        finally:
            tracker.finish(summary, run.policy if summary else None)
        run.finish(summary)
        show_result(summary, self.folder)
        return summary

    def _measure(
        self, which: str, test: list[Question], policy: Any, generate: Generate, run: Run, ledger: Ledger
    ) -> list[dict[str, Any]]:
        """Evaluate the policy as it is now at each number of rounds."""
        found = []
        for rounds in self.evaluated_rounds():
            title = f"{which}, {rounds} round{'s' * (rounds > 1)}"
            file = run.evaluation / f"{which}-{self.dataset.name}-r{rounds}.jsonl"
            episode = self.episode.with_rounds(rounds)
            with ledger.phase("evaluation"), screen.progress(title, len(test)) as report:
                records = evaluate(test, episode, generate, policy.tokenizer, self.evaluation, file, self.seed, report)
            found.append({"policy": which, "dataset": self.dataset.name, "rounds": rounds, **summarise(records)})
        return found

    def _summary(self, results: list[dict[str, Any]], ledger: Ledger, elapsed: float) -> dict[str, Any]:
        measured, spent = self.evaluation.sampling(self.episode, self.seed), ledger.as_dict()
        return {
            "name": self.name,
            "algo": self.algo.name,
            "model": self.model.name,
            "dataset": self.dataset.name,
            "rounds": self.rounds,
            "seed": self.seed,
            "sampling": {
                "training": [stated(self.episode.sampling(round)) for round in (1, 2)],
                "evaluation": [stated(measured(round)) for round in (1, 2)],
            },
            "evaluation": results,
            "compute": {
                "training": spent["counts"],
                "evaluation": {
                    "questions": sum(found["n"] for found in results),
                    "generated_tokens": round(sum(found["tokens"] * found["n"] for found in results)),
                },
            },
            "seconds": spent["seconds"],
            "elapsed": round(elapsed, 1),
        }


def stated(sampling: Sampling) -> dict[str, Any]:
    """How tokens were drawn, without the seed, which is keyed by step and round."""
    return {key: value for key, value in asdict(sampling).items() if key != "seed"}


def show_result(summary: Mapping[str, Any], folder: Path) -> None:
    """The last screen: what happened, where it lies, what to type next."""
    from rich.table import Table

    title = f"{summary['name']}: {summary['dataset']}, {summary['evaluation'][0]['n']} test questions"
    table = Table(title=title, title_justify="left")
    for column in ("rounds", "policy"):
        table.add_column(column)
    for column in ("accuracy", "95 % interval", "truncated", "unparsable", "tokens/question"):
        table.add_column(column, justify="right")
    for found in sorted(summary["evaluation"], key=lambda item: item["rounds"]):
        low, high = found["interval"]
        table.add_row(
            str(found["rounds"]),
            found["policy"],
            f"{found['accuracy']:.1%}",
            f"{low:.1%} – {high:.1%}",
            f"{found['truncated']:.1%}",
            f"{found['unparsable']:.1%}",
            f"{found['tokens']:.0f}",
        )
    screen.show(table)
    spent, seconds = summary["compute"]["training"], summary["seconds"]
    training = sum(seconds.get(phase, 0.0) for phase in PHASES)
    screen.say(
        f"trained on {spent['questions']:,} questions, {spent['generated_tokens']:,} tokens generated, "
        f"in {training:.0f} s ({', '.join(f'{name} {s:.0f}' for name, s in seconds.items())})"
    )
    screen.say(f"folder  {folder}")
    for place, command in enumerate(next_commands(summary["algo"], sys.argv[1:])):
        screen.say(f"{'' if place else 'next':<8}{command}")


def next_commands(algo: str, typed: Sequence[str]) -> list[str]:
    """What to type next after a run of `algo` that came of these arguments."""
    table = "python -m motif.report outputs/*"
    if any(argument in ("-m", "--multirun") or argument.startswith("sweeps=") for argument in typed):
        return [table]
    fixed = [
        shlex.quote(argument)
        for argument in typed
        if argument.split("=")[0] not in ("algo", "seed", "name", "overwrite")
    ]
    other = "grpo" if algo != "grpo" else "motif"
    one = " ".join(["python train.py", *fixed, f"algo={other}"])
    sweep = " ".join(["python train.py -m", *fixed, "algo=grpo,motif seed=0,1,2"])
    return [one, sweep, table]
