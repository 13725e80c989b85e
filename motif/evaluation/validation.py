"""Accuracy on validation questions, measured now and then while training goes on.

It changes nothing of training: greedy or drawn, its replies have random numbers of their own, and it comes between
steps. A measurement that a kill interrupted goes on where it was, one that is finished is read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.evaluation.evaluate import Evaluation, Grade
from motif.evaluation.measure import Measurer
from motif.policies.policy import Policy
from motif.rounds import Episode, Generate
from motif.runs.ledger import Ledger
from motif.system import UserError, processes, read_json, write_json
from motif.tasks.questions import Dataset, Question


@dataclass(frozen=True)
class Validation:
    """Measures `questions` in `episode` after `every` so many steps (0: never).

    `settings` say how replies are drawn, `marks` grades them, and what is measured lies in `folder`.
    """

    questions: list[Question]
    episode: Episode
    settings: Evaluation
    folder: Path
    every: int
    seed: int
    marks: Grade

    def accuracy(self, policy: Policy, generate: Generate, ledger: Ledger, step: int) -> dict[str, float]:
        """`held_out/accuracy` of the policy after `step`, in every `every`-th step; else nothing."""
        if not self.every or step % self.every:
            return {}
        file = self.folder / f"step-{step:06d}-n{len(self.questions)}.jsonl"
        lies = file.with_suffix(".json")
        result = processes.by_first(lambda: read_json(lies) if lies.is_file() else None)
        if result is None:
            measurer = Measurer(policy, generate, self.settings, self.seed, self.marks, ledger)
            result = {"step": step} | measurer.measure(self.questions, self.episode, file, phase="held_out")
            if processes.first():
                write_json(lies, result)
        return {"held_out/accuracy": result["accuracy"]}

    def results(self) -> list[dict[str, Any]]:
        """What was measured, in the order of steps: accuracy, its interval, n and what it cost."""
        results = [read_json(file) for file in sorted(self.folder.glob("step-*.json"))]
        return [{key: each[key] for key in ("step", "accuracy", "interval", "n", "compute")} for each in results]


def validation_questions(dataset: Dataset, every: int, most: int) -> list[Question]:
    """The first `most` validation questions of `dataset`; none where they are measured never (`every` is 0).

    Raises:
        UserError: where the data set has none.
    """
    questions = dataset.validation()[:most] if every else []
    if every and not questions:
        raise UserError(f"watch.every={every}: {dataset.name} has no validation questions; watch.every=0")
    return questions
