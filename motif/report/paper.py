"""Table 1 of the MOTIF paper (arXiv 2507.02851), as rows to stand beside runs of its setting.

Its percentages are of 500 and of 30 questions, greedy; the counts are theirs, the intervals Wilson's of those counts.
The tokens are the most that an episode of its evaluation may generate: it reports no mean and no truncation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motif.reading import Recorded

QUESTIONS = {"math500": 500, "aime24": 30}
CORRECT = {  # 37.6, 44.8, 48.6 % and 0, 3.33, 6.67 %
    "Qwen2.5-3B-Instruct": {"math500": 188, "aime24": 0},
    "vanilla GRPO": {"math500": 224, "aime24": 1},
    "MOTIF": {"math500": 243, "aime24": 2},
}
ROUNDS = {"Qwen2.5-3B-Instruct": 1, "vanilla GRPO": 1, "MOTIF": 3}
BUDGET = {1: 1024, 3: 1024 + 2048 + 2048}


@dataclass(frozen=True)
class Reference:
    """One accuracy of Table 1."""

    arm: str
    dataset: str
    rounds: int
    n: int
    accuracy: float
    interval: tuple[float, float]
    budget: int


def references(runs: Sequence[Recorded]) -> list[Reference]:
    """Table 1 for the data sets that Qwen2.5-3B was measured on by `runs`; nothing of another setting."""
    from motif.statistics import wilson

    alike = [run for run in runs if is_papers(run.config, run.name if run.measured else run.choice("model"))]
    measured = {result.dataset for run in alike for result in run.results}
    return [
        Reference(arm, dataset, ROUNDS[arm], n, correct[dataset] / n, wilson(correct[dataset], n), BUDGET[ROUNDS[arm]])
        for dataset, n in QUESTIONS.items()
        if dataset in measured
        for arm, correct in CORRECT.items()
    ]


def is_papers(config: Mapping[str, Any], name: Any) -> bool:
    """Whether a run's model is a Qwen2.5-3B."""
    model = config.get("model")
    named: Iterable[Any] = model.values() if isinstance(model, Mapping) else [model]
    return any("qwen2.5-3b" in str(value).lower() for value in [name, *named])
