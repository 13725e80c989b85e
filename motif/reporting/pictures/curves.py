"""The numbers of training curves: a metric of an arm's runs as a mean and a band over seeds, against steps or a count.

Consecutive steps are averaged into at most MOST_POINTS points first, so that a long run stays legible and small.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motif.reporting.arms import Arm

MOST_POINTS = 80
Line = Mapping[str, Any]  # of metrics


@dataclass(frozen=True)
class Metric:
    """A metric of training: the title of its picture, its axis, how it is read off a line, and the factor of it."""

    title: str
    axis: str
    read: Callable[[Line], float | None]
    scale: float = 1.0


@dataclass(frozen=True)
class Curve:
    """`mean`, `low` and `high` at `x`, where all `seeds` have been; `ends` are (x, y) of single seeds after that."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    ends: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)


def of_key(key: str) -> Callable[[Line], float | None]:
    return lambda line: line.get(key)


def episode_tokens(line: Line) -> float | None:
    """Mean tokens of an episode: those of a reply of each round, summed."""
    by_round = [value for key, value in line.items() if key.startswith("train/tokens/round_")]
    return sum(by_round) if by_round else None


METRICS = {
    "reward": Metric("Reward", "mean reward", of_key("train/reward")),
    "accuracy": Metric("Accuracy in training", "right episodes (%)", of_key("train/accuracy"), scale=100.0),
    "length": Metric("Length", "tokens / episode", episode_tokens),
    "zero-spread": Metric(
        "Groups that teach nothing", "groups of equal reward (%)", of_key("train/zero_spread"), scale=100.0
    ),
    "copied": Metric("Rounds that copy", "episodes with copied answer (%)", of_key("train/copied"), scale=100.0),
}
AXES = {  # of training: name, key of a metrics line, label
    "steps": ("step", "training step"),
    "tokens": ("train/generated_tokens", "tokens generated in training"),
    "responses": ("train/responses", "replies generated in training"),
    "first_round_replies": ("train/first_round_replies", "first-round replies of training"),
    "continuations": ("train/continuations", "continuations generated in training"),
    "questions": ("train/questions", "questions drawn in training"),
    "prompt_tokens": ("train/prompt_tokens", "prompt tokens read in training"),
    "trained_tokens": ("train/trained_tokens", "tokens trained on"),
    "optimiser_steps": ("train/optimiser_steps", "optimiser steps"),
    "flops": ("train/flops", "FLOPs of training (estimated)"),
    "seconds": ("seconds/training", "seconds of training"),
}


def curve(arm: Arm, metric: Metric, against: str) -> Curve | None:
    """A metric of an arm's runs.

    Args:
        arm: whose runs have lines of metrics.
        metric: one of METRICS.
        against: the key of the horizontal axis in a line.

    Returns:
        None where no run has the metric.
    """
    longest = max((len(run.metrics) for run in arm.runs), default=0)
    steps = steps_per_point(longest)
    seeds = []
    for run in arm.runs:
        points = [
            (float(line[against]), metric.scale * float(value))
            for line in run.metrics
            if (value := metric.read(line)) is not None and line.get(against) is not None
        ]
        if points:
            seeds.append(averaged(np.array(points), steps))
    if not seeds:
        return None
    start, end = max(points[0, 0] for points in seeds), min(points[-1, 0] for points in seeds)
    x = max(seeds, key=len)[:, 0]
    x = x[(x >= start) & (x <= end)]
    if not len(x):
        x = np.array([start])
    if x[-1] < end:  # between two points of the longest seed
        x = np.append(x, end)
    values = np.stack([np.interp(x, points[:, 0], points[:, 1]) for points in seeds])
    ends = []
    for points, own in zip(seeds, values, strict=True):
        beyond = points[points[:, 0] > x[-1]]
        if len(beyond):
            ends.append((np.append(x[-1], beyond[:, 0]), np.append(own[-1], beyond[:, 1])))
    return Curve(x, values.mean(0), values.min(0), values.max(0), len(seeds), ends)


def averaged(points: np.ndarray, size: int) -> np.ndarray:
    """Means of `size` consecutive points, (n, 2) → (⌈n / size⌉, 2)."""
    return np.stack([points[start : start + size].mean(0) for start in range(0, len(points), size)])


def steps_per_point(steps: int) -> int:
    """How many consecutive steps a point averages in a run of so many."""
    return max(1, -(-steps // MOST_POINTS))


def most_steps_per_point(arms: Sequence[Arm]) -> int:
    """The same of the longest run of these arms."""
    return steps_per_point(max((len(run.metrics) for arm in arms for run in arm.runs), default=0))
