"""Pictures of training: curves against steps and counts, and where time went. Many arms get several pictures."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from motif.reporting.arms import Arm
from motif.reporting.pictures.curves import AXES, METRICS, Curve, Metric, curve, most_steps_per_point
from motif.reporting.pictures.saving import Drawing
from motif.reporting.pictures.style import (
    COLOURS,
    INK,
    PAPER,
    counts_axis,
    error_bars,
    file_word,
    legend,
    look,
    new_figure,
    pages,
)
from motif.reporting.pooled import seeds_in_words
from motif.reporting.recorded import PHASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HATCHES = ("", "//", "..", "xx", "\\\\", "--", "++", "oo")  # of phases


def training_curves(arms: Sequence[Arm], axes: Sequence[str]) -> Iterator[Drawing]:
    """Every metric against each of `axes` (names of AXES), the arms trained on one data set together."""
    by_dataset: dict[str, list[Arm]] = {}
    for arm in arms:
        by_dataset.setdefault(str(arm.settings.get("dataset.name")), []).append(arm)
    for dataset, own in by_dataset.items():
        for suffix, title_suffix, page in pages(own):
            for name, metric in METRICS.items():
                for against in dict.fromkeys(axes):
                    key, label = AXES[against]
                    figure, plot = new_figure(f"{metric.title}, trained on {dataset}{title_suffix}", label, metric.axis)
                    drawn = [draw_curve(plot, arm, metric, key, look(own.index(arm))) for arm in page]
                    if any(drawn):
                        counts_axis(plot)
                        legend(figure, plot)
                        file = f"{name}-{against}-{file_word(dataset)}{suffix}"
                        yield Drawing(file, "training", curves_caption(page, drawn), figure)


def draw_curve(axes: "Axes", arm: Arm, metric: Metric, key: str, style: dict[str, Any]) -> Curve | None:
    """The curve of an arm, drawn; None where it has none."""
    line = curve(arm, metric, key)
    if line is None:
        return None
    every = max(1, len(line.x) // 8)
    axes.plot(line.x, line.mean, label=f"{arm.name} ({seeds_in_words(arm)})", markevery=every, **style)
    if line.seeds > 1:
        axes.fill_between(line.x, line.low, line.high, color=style["color"], alpha=0.18, linewidth=0)
    for x, y in line.ends:
        axes.plot(x, y, color=style["color"], linewidth=0.7, alpha=0.7)
    return line


def curves_caption(page: Sequence[Arm], drawn: Sequence[Curve | None]) -> str:
    sentences = []
    if max(len(arm.runs) for arm in page) > 1:
        sentences.append("Mean over seeds; the band is from the lowest to the highest.")
    if any(line.ends for line in drawn if line):
        sentences.append("Thin lines are seeds that go further than the others.")
    steps = most_steps_per_point(page)
    sentences.append(f"A point is the mean of up to {steps} steps." if steps > 1 else "A point is a step.")
    return " ".join(sentences)


def times(arms: Sequence[Arm]) -> Iterator[Drawing]:
    """Where time went, by phase, the mean over an arm's runs."""
    timed = [arm for arm in arms if any(run.seconds for run in arm.runs)]
    for suffix, title_suffix, page in pages(timed):
        figure, axes = new_figure(f"Where time went{title_suffix}", "minutes a run, mean over seeds", "")
        names = [f"{textwrap.fill(arm.name, 24)}\n{seeds_in_words(arm)}" for arm in page]
        left = [0.0] * len(page)
        for phase, colour, hatch in zip(PHASES, (*COLOURS, "#999999", "#cccccc"), HATCHES, strict=True):
            lengths = [sum(run.seconds.get(phase, 0.0) for run in arm.runs) / len(arm.runs) / 60 for arm in page]
            if any(lengths):
                axes.barh(names, lengths, left=left, label=phase, color=colour, hatch=hatch, edgecolor=PAPER)
            left = [start + length for start, length in zip(left, lengths, strict=True)]
        totals = [[sum(run.seconds.values()) / 60 for run in arm.runs] for arm in page]
        _, spread = error_bars(left, [(min(own), max(own)) for own in totals])
        axes.errorbar(left, range(len(page)), xerr=spread, fmt="none", ecolor=INK, capsize=3, linewidth=1)
        axes.invert_yaxis()
        legend(figure, axes)
        caption = "The bar at the end is from the quickest seed to the slowest. future_rollout is rounds 2 and on."
        yield Drawing(f"time{suffix}", "time", caption, figure)
