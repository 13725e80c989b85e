"""Table 1 of the MOTIF paper (arXiv 2507.02851), as rows beside runs of its setting.

Its percentages are of 500 and of 30 greedy answers. The counts are the paper's, the intervals are Wilson's of these
counts. The tokens are the most that an episode of its evaluation may generate: the paper reports no mean and no
truncation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from motif.evaluation.statistics import Interval, wilson
from motif.reporting.recorded import RecordedRun, Result

MODEL, TRAINED_ON = "qwen2.5-3b-instruct", "gsm8k"
QUESTIONS = {"math500": 500, "aime24": 30}
CORRECT = {  # 37.6, 44.8, 48.6 % and 0, 3.33, 6.67 %
    "Qwen2.5-3B-Instruct": {"math500": 188, "aime24": 0},
    "vanilla GRPO": {"math500": 224, "aime24": 1},
    "MOTIF": {"math500": 243, "aime24": 2},
}
ROUNDS = {"Qwen2.5-3B-Instruct": 1, "vanilla GRPO": 1, "MOTIF": 3}
BUDGET = {1: 1024, 3: 1024 + 2048 + 2048}  # by rounds, in tokens


@dataclass(frozen=True)
class Reference:
    """One accuracy of Table 1."""

    arm: str
    dataset: str
    rounds: int
    n: int
    accuracy: float
    interval: Interval
    budget: int


def references(runs: Sequence[RecordedRun]) -> list[Reference]:
    """Table 1 for the data sets that `runs` measured as the paper did; nothing for another setting."""
    measured = {result.dataset for run in runs if is_papers(run) for result in run.results if is_measured_alike(result)}
    return [
        Reference(arm, dataset, ROUNDS[arm], n, correct[dataset] / n, wilson(correct[dataset], n), BUDGET[ROUNDS[arm]])
        for dataset, n in QUESTIONS.items()
        if dataset in measured
        for arm, correct in CORRECT.items()
    ]


def is_papers(run: RecordedRun) -> bool:
    """Whether the model is Qwen2.5-3B-Instruct, as it is or trained on GSM8K."""
    if run.measured:
        return MODEL in run.folder.name.lower()
    model = run.config.get("model")
    path = model.get("path") if isinstance(model, Mapping) else None
    return MODEL in str(path).lower() and run.choice("dataset") == TRAINED_ON


def is_measured_alike(result: Result) -> bool:
    """Whether it was measured greedily, on as many questions."""
    alike = (result.n, result.samples, result.settings["temperature"])
    return alike == (QUESTIONS.get(result.dataset), 1, 0)
