"""How all pictures look. The colours are Okabe and Ito's, which the colour-blind can tell apart; arms have markers and
line styles besides.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")
INK, PAPER = "#1a1b1e", "#fefefe"  # the page replaces them with its own
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe & Ito, without black and yellow
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 3)), (0, (8, 2)))
UNTRAINED = "#7f7f7f"
MOST_ARMS = 8  # in a picture, so that it stays legible
STYLE: dict[str, Any] = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.facecolor": PAPER,
    "figure.figsize": (5.2, 3.9),
    "figure.dpi": 160,
    "figure.facecolor": PAPER,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "grid.color": INK,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}


def look(place: int) -> dict[str, Any]:
    """The colour, marker and line style of the arm at `place`; no two of the first 36 look alike."""
    turn = place // len(COLOURS)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[(place + turn) % len(MARKERS)],
        "linestyle": DASHES[(place + turn) % len(DASHES)],
    }


def pages(arms: Sequence[T]) -> Iterator[tuple[str, str, Sequence[T]]]:
    """Arms, or results, in pictures of at most MOST_ARMS: a suffix of the file's name, one of the title, and they."""
    parts = [arms[start : start + MOST_ARMS] for start in range(0, len(arms), MOST_ARMS)]
    for number, part in enumerate(parts, 1):
        yield (f"-{number}", f" ({number} of {len(parts)})", part) if len(parts) > 1 else ("", "", part)


def new_figure(title: str, x: str, y: str) -> tuple["Figure", "Axes"]:
    """An empty figure with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def legend(figure: "Figure", axes: "Axes") -> None:
    """Below the axes, so that it covers no data; the figure grows with it."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = 2 if max(map(len, labels)) <= 30 and len(labels) > 1 else 1
        labels = [textwrap.fill(label, 72) for label in labels]
        lines = sum(label.count("\n") + 1 for label in labels)
        figure.set_figheight(figure.get_figheight() + 0.2 * max(0, lines / columns - 3))
        figure.legend(handles, labels, loc="outside lower left", ncols=columns)


def error_bars(
    values: Sequence[float], intervals: Sequence[Sequence[float]], scale: float = 1.0
) -> tuple[list[float], list[list[float]]]:
    """Values times `scale`, and the lengths of their bars below and above, as matplotlib's `errorbar` takes them."""
    below = [max(0.0, scale * (value - low)) for value, (low, _) in zip(values, intervals, strict=True)]
    above = [max(0.0, scale * (high - value)) for value, (_, high) in zip(values, intervals, strict=True)]
    return [scale * value for value in values], [below, above]


def percent_axis(axes: "Axes", rounds: bool = False) -> None:
    """From 0 to 100 % upwards, with room for markers at both ends; whole numbers across where these are `rounds`."""
    from matplotlib.ticker import MaxNLocator

    axes.set(ylim=(-3, 103), yticks=range(0, 101, 20))
    if rounds:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def room_for_level_curves(axes: "Axes", most: float | None) -> None:
    """Where all values are alike, an axis from 0 to `most`, or to twice the value: not one that magnifies nothing."""
    low, high = axes.dataLim.intervaly
    if high - low < 1e-9:
        axes.set_ylim(min(0.0, 2 * low), most or max(1.0, 2 * high))


def counts_axis(axes: "Axes") -> None:
    """Whole numbers across, large ones as 200k and 1.5M."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    if axes.get_xlim()[1] >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def file_word(text: str) -> str:
    """`text` as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"
