"""Training curves: the metrics of an arm's runs as a mean and a band over seeds, against steps or a count.

Consecutive steps are averaged into at most `POINTS` points first, so that a long run stays legible and small.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motif.reporting.arms import Arm

POINTS = 80
Metric = Callable[[Mapping[str, Any]], float | None]


@dataclass(frozen=True)
class Curve:
    """`x`, `mean`, `low`, `high` where all seeds have been; `ends` are (x, y) of single seeds from there on."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    ends: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)


def key(name: str) -> Metric:
    return lambda line: line.get(name)


def length(line: Mapping[str, Any]) -> float | None:
    """Mean tokens of an episode: of a reply of each round, summed."""
    found = [value for name, value in line.items() if name.startswith("train/tokens/round_")]
    return sum(found) if found else None


METRICS: dict[str, tuple[str, str, Metric]] = {  # title, axis, reading
    "reward": ("Reward", "mean reward", key("train/reward")),
    "accuracy": ("Accuracy in training", "right episodes (%)", key("train/accuracy")),
    "length": ("Length", "tokens / episode", length),
    "zero-spread": ("Groups that teach nothing", "groups of equal reward (%)", key("train/zero_spread")),
    "copied": ("Rounds that copy", "episodes with copied answer (%)", key("train/copied")),
}
PERCENT = {"accuracy", "zero-spread", "copied"}
AXES = {  # of training: name, key of a metrics line, what it is
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


def curve(arm: Arm, metric: str, against: str) -> Curve | None:
    """`metric` of METRICS against a key of the metrics; None where no run has it."""
    read = METRICS[metric][2]
    scale = 100.0 if metric in PERCENT else 1.0
    seeds = []
    longest = max((len(run.metrics) for run in arm.runs), default=0)
    size = max(1, -(-longest // POINTS))
    for run in arm.runs:
        points = [
            (float(line[against]), scale * float(value))
            for line in run.metrics
            if (value := read(line)) is not None and line.get(against) is not None
        ]
        if points:
            seeds.append(thinned(np.array(points), size))
    if not seeds:
        return None
    start, end = max(found[0, 0] for found in seeds), min(found[-1, 0] for found in seeds)
    grid = max(seeds, key=len)[:, 0]
    grid = grid[(grid >= start) & (grid <= end)]
    if not len(grid):
        grid = np.array([start])
    if grid[-1] < end:  # between two points of the longest seed
        grid = np.append(grid, end)
    values = np.stack([np.interp(grid, found[:, 0], found[:, 1]) for found in seeds])
    ends = []
    for found, own in zip(seeds, values, strict=True):
        beyond = found[found[:, 0] > grid[-1]]
        if len(beyond):
            ends.append((np.append(grid[-1], beyond[:, 0]), np.append(own[-1], beyond[:, 1])))
    return Curve(grid, values.mean(0), values.min(0), values.max(0), len(seeds), ends)


def thinned(points: np.ndarray, size: int) -> np.ndarray:
    """Means of `size` consecutive points, (n, 2) → (⌈n / size⌉, 2)."""
    return np.stack([points[place : place + size].mean(0) for place in range(0, len(points), size)])


def spans(arms: Sequence[Arm]) -> int:
    """How many consecutive steps a point of these arms' curves averages at most."""
    return max((-(-len(run.metrics) // POINTS) for arm in arms for run in arm.runs), default=1) or 1
