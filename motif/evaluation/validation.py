"""Accuracy on questions that are not trained on, measured now and then while training goes on.

It changes nothing of training: greedy or drawn, its replies have random numbers of their own, and it comes between
steps. A measurement that a kill interrupted goes on where it was, one that is finished is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.evaluation.evaluate import Evaluation, evaluate
from motif.evaluation.scores import summarise
from motif.policies.pretrained import Policy
from motif.rounds.episode import Episode
from motif.rounds.replies import Generate
from motif.runs.folder import Run
from motif.runs.ledger import Ledger, of_evaluation
from motif.system import processes
from motif.system.errors import UserError
from motif.system.files import read_json, write_json
from motif.tasks.questions import Question

if TYPE_CHECKING:
    from motif.experiment import Experiment


@dataclass(frozen=True)
class HeldOut:
    """Measures `questions` in `episode` after `every` so many steps (0: never), as `settings` say; what it leaves lies
    in `folder`."""

    questions: list[Question]
    episode: Episode
    settings: Evaluation
    folder: Path
    every: int
    seed: int
    marks: Callable[..., None]

    @classmethod
    def of(cls, experiment: "Experiment", run: Run) -> "HeldOut":
        """What `watch.every` asks for: validation questions of the data set that is trained on, in as many rounds as
        are trained, drawn as in an evaluation."""
        watch, dataset = experiment.watch, experiment.dataset
        questions = dataset.validation()[: watch.questions] if watch.every else []
        if watch.every and not questions:
            raise UserError(f"watch.every={watch.every}: {dataset.name} has no validation questions; watch.every=0")
        rounds = experiment.algo.rounds(experiment.rounds)
        return cls(
            questions,
            experiment.measured("trained", dataset.name, rounds),
            experiment.evaluation,
            run.folder / "held_out",
            watch.every,
            experiment.seed,
            experiment.flaws.marks(),
        )

    def measurement(self, policy: Policy, generate: Generate, ledger: Ledger) -> Callable[[int], dict[str, float]]:
        """A function of the step that has just ended: `held_out/accuracy` of the policy as it is now, every so many
        steps, else nothing."""

        def measure(step: int) -> dict[str, float]:
            if not self.every or step % self.every:
                return {}
            file = self.folder / f"step-{step:06d}-n{len(self.questions)}.jsonl"
            result = file.with_suffix(".json")
            made = read_json(result) if processes.first() and result.is_file() else None
            if (found := processes.of_first(made)) is None:
                before = ledger.seconds["held_out"]
                with ledger.phase("held_out"):
                    how = (self.episode, generate, policy.tokenizer, self.settings, file, self.seed)
                    records = evaluate(self.questions, *how, grade=self.marks)
                compute = of_evaluation(records, policy.model, ledger.seconds["held_out"] - before)
                found = {"step": step, **summarise(records), "compute": compute}
                if processes.first():
                    write_json(result, found)
            return {"held_out/accuracy": found["accuracy"]}

        return measure

    def results(self) -> list[dict[str, Any]]:
        """What was measured, in the order of steps: accuracy, its interval, n and what it cost."""
        found = [read_json(file) for file in sorted(self.folder.glob("step-*.json"))]
        return [{key: each[key] for key in ("step", "accuracy", "interval", "n", "compute")} for each in found]
