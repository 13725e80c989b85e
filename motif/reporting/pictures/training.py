"""Pictures of training: metrics as a mean and a band over seeds, against steps or a count, and where time went.

Consecutive steps are averaged into at most MOST_POINTS points, so that a long run stays legible and small. Many arms
get several pictures.
"""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from motif.reporting.arms import Arm
from motif.reporting.pictures import style
from motif.reporting.pictures.saving import Drawing
from motif.reporting.pooled import seeds_in_words
from motif.reporting.recorded import PHASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 80
HATCHES = ("", "//", "..", "xx", "\\\\", "--", "++", "oo")  # of phases
Line = Mapping[str, Any]  # of metrics


@dataclass(frozen=True)
class Metric:
    """A metric of training: the title of its picture, its axis, how it is read off a line, and the factor of it."""

    title: str
    axis: str
    read: Callable[[Line], float | None]
    scale: float = 1.0
    point: str = "step"  # what each point of its curve is, or is the mean of


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
    by_round = [value for key, value in line.items() if key.startswith("rounds/") and key.endswith("/tokens")]
    return sum(by_round) if by_round else None


METRICS = {
    "reward": Metric("Reward", "mean reward", of_key("train/reward")),
    "accuracy": Metric("Accuracy in training", "right episodes (%)", of_key("episode/accuracy"), scale=100.0),
    "held-out": Metric(
        *("Held-out accuracy", "right validation questions (%)", of_key("held_out/accuracy"), 100.0, "measurement")
    ),
    "length": Metric("Length", "tokens / episode", episode_tokens),
    "zero-spread": Metric(
        "Groups that teach nothing", "groups of equal reward (%)", of_key("groups/zero_advantage"), scale=100.0
    ),
    "copied": Metric("Rounds that copy", "episodes with copied answer (%)", of_key("episode/copied"), scale=100.0),
}
AXES = {  # of training: name, key of a metrics line, label
    "steps": ("step", "training step"),
    "tokens": ("total/generated_tokens", "tokens generated in training"),
    "responses": ("total/responses", "replies generated in training"),
    "first_round_replies": ("total/first_round_replies", "first-round replies of training"),
    "continuations": ("total/continuations", "continuations generated in training"),
    "questions": ("total/questions", "questions drawn in training"),
    "prompt_tokens": ("total/prompt_tokens", "prompt tokens read in training"),
    "trained_tokens": ("total/trained_tokens", "tokens trained on"),
    "optimiser_steps": ("total/optimiser_steps", "optimiser steps"),
    "flops": ("total/flops", "FLOPs of training (estimated)"),
    "seconds": ("total/seconds", "seconds of training"),
}


def curve(arm: Arm, metric: Metric, against: str) -> Curve | None:
    """A metric of an arm's runs against the key of an axis in their lines; None where no run has it."""
    steps, seeds = steps_per_point([arm], metric), []
    for run in arm.runs:
        own = [
            (float(line[against]), metric.scale * float(value))
            for line in run.metrics
            if (value := metric.read(line)) is not None and line.get(against) is not None
        ]
        if own:
            seeds.append(averaged(np.array(own), steps))
    if not seeds:
        return None
    start, end = max(points[0, 0] for points in seeds), min(points[-1, 0] for points in seeds)
    x = max(seeds, key=len)[:, 0]
    x = np.unique([start, *x[(x > start) & (x < end)], max(start, end)])
    values = np.stack([np.interp(x, points[:, 0], points[:, 1]) for points in seeds])
    ends = []
    for points, y in zip(seeds, values, strict=True):
        beyond = points[points[:, 0] > x[-1]]
        if len(beyond):
            ends.append((np.append(x[-1], beyond[:, 0]), np.append(y[-1], beyond[:, 1])))
    return Curve(x, values.mean(0), values.min(0), values.max(0), len(seeds), ends)


def averaged(points: np.ndarray, size: int) -> np.ndarray:
    """Means of `size` consecutive points, (n, 2) → (⌈n / size⌉, 2)."""
    starts = np.arange(0, len(points), size)
    return np.add.reduceat(points, starts) / np.diff(starts, append=len(points))[:, None]


def steps_per_point(arms: Sequence[Arm], metric: Metric) -> int:
    """How many consecutive steps with a metric a point averages at most, in the longest run of these arms."""
    read = [[metric.read(line) is not None for line in run.metrics] for arm in arms for run in arm.runs]
    longest = max(map(sum, read), default=0)
    return max(1, -(-longest // MOST_POINTS))


def training_curves(
    arms: Sequence[Arm], axes: Sequence[str], metrics: Sequence[str] | None = None
) -> Iterator[Drawing]:
    """Each of `metrics` (names of METRICS; None: all) against each of `axes` (names of AXES), the arms trained on one
    data set together."""
    by_dataset: dict[str, list[Arm]] = {}
    for arm in arms:
        by_dataset.setdefault(str(arm.settings.get("dataset.name")), []).append(arm)
    for dataset, own in by_dataset.items():
        for suffix, title_suffix, page in style.pages(own):
            for name, metric in ((name, METRICS[name]) for name in (METRICS if metrics is None else metrics)):
                for against in dict.fromkeys(axes):
                    key, label = AXES[against]
                    title = f"{metric.title}, trained on {dataset}{title_suffix}"
                    figure, plot = style.new_figure(title, label, metric.axis)
                    drawn = [draw_curve(plot, arm, metric, key, style.look(own.index(arm))) for arm in page]
                    if any(drawn):
                        style.counts_axis(plot)
                        style.room_for_level_curves(plot, 100.0 if metric.scale == 100 else None)
                        style.legend(figure, plot)
                        file = f"{name}-{against}-{style.file_word(dataset)}{suffix}"
                        yield Drawing(file, "training", curves_caption(page, metric, drawn), figure)


def draw_curve(axes: "Axes", arm: Arm, metric: Metric, key: str, look: dict[str, Any]) -> Curve | None:
    """The curve of an arm, drawn; None where it has none."""
    line = curve(arm, metric, key)
    if line is None:
        return None
    every = max(1, len(line.x) // 8)
    axes.plot(line.x, line.mean, label=f"{arm.name} ({seeds_in_words(arm)})", markevery=every, **look)
    if line.seeds > 1:
        axes.fill_between(line.x, line.low, line.high, color=look["color"], alpha=0.18, linewidth=0)
    for x, y in line.ends:
        axes.plot(x, y, color=look["color"], linewidth=0.7, alpha=0.7)
    return line


def curves_caption(page: Sequence[Arm], metric: Metric, drawn: Sequence[Curve | None]) -> str:
    sentences = []
    if max(len(arm.runs) for arm in page) > 1:
        sentences.append("Mean over seeds; the band is from the lowest to the highest.")
    if any(line.ends for line in drawn if line):
        sentences.append("Thin lines are seeds that go further than the others.")
    steps, point = steps_per_point(page, metric), metric.point
    sentences.append(f"A point is the mean of up to {steps} {point}s." if steps > 1 else f"A point is a {point}.")
    return " ".join(sentences)


def times(arms: Sequence[Arm]) -> Iterator[Drawing]:
    """Where time went, by phase, the mean over an arm's runs."""
    timed = [arm for arm in arms if any(run.seconds for run in arm.runs)]
    for suffix, title_suffix, page in style.pages(timed):
        figure, axes = style.new_figure(f"Where time went{title_suffix}", "minutes a run, mean over seeds", "")
        names = [f"{textwrap.fill(arm.name, 24)}\n{seeds_in_words(arm)}" for arm in page]
        left = [0.0] * len(page)
        for phase, colour, hatch in zip(PHASES, (*style.COLOURS, "#999999", "#cccccc"), HATCHES, strict=True):
            lengths = [sum(run.seconds.get(phase, 0.0) for run in arm.runs) / len(arm.runs) / 60 for arm in page]
            if any(lengths):
                axes.barh(names, lengths, left=left, label=phase, color=colour, hatch=hatch, edgecolor=style.PAPER)
            left = [start + length for start, length in zip(left, lengths, strict=True)]
        totals = [[sum(run.seconds.values()) / 60 for run in arm.runs] for arm in page]
        _, spread = style.error_bars(left, [(min(own), max(own)) for own in totals])
        axes.errorbar(left, range(len(page)), xerr=spread, fmt="none", ecolor=style.INK, capsize=3, linewidth=1)
        axes.invert_yaxis()
        style.legend(figure, axes)
        caption = "The bar at the end is from the quickest seed to the slowest. future_rollout is rounds 2 and on."
        yield Drawing(f"time{suffix}", "time", caption, figure)
