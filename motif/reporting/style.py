"""The style of all pictures: Okabe and Ito's colours, which the colour-blind can tell apart, with markers and line
styles besides. A picture is written as PNG and SVG; for the page the SVG takes the page's own ink.
"""

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.runs.folder import write_text
from motif.system import console

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER = "#1a1b1e", "#fefefe"  # replaced by the page's own
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe & Ito, without black and yellow
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 3)), (0, (8, 2)))
BASE = "#7f7f7f"  # untrained policies
STYLE: dict[str, Any] = {
    **{"font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left"},
    **{"legend.fontsize": 9, "legend.frameon": False, "figure.figsize": (5.2, 3.9), "figure.dpi": 160},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25},
    **{"grid.linewidth": 0.6, "lines.linewidth": 1.6, "lines.markersize": 5, "svg.fonttype": "none"},
    **{"text.parse_math": False, "font.family": "sans-serif", "figure.facecolor": PAPER, "axes.facecolor": PAPER},
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "grid.color": INK,
}


@dataclass(frozen=True)
class Picture:
    """`svg` is for the page: no paper, its ink the text's colour. `caption` says what the intervals and bands are."""

    name: str
    section: str
    caption: str
    svg: str


@contextmanager
def left_out(what: str) -> Iterator[None]:
    """A picture of a file that does not hold what is drawn of such files is said to be left out."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        console.say(f"{what} cannot be drawn ({type(error).__name__}: {error}): its picture is left out", "yellow")


def save(folder: Path, name: str, section: str, caption: str, figure: "Figure") -> Picture:
    """Draw it once a kind: `savefig` would draw, and lay out, each twice."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasAgg(figure).print_png(folder / f"{name}.png", metadata={"Software": None})
    figure.set_layout_engine("none")  # it is laid out now
    held = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(held, metadata={"Date": None, "Creator": None})
    svg = held.getvalue()
    write_text(folder / f"{name}.svg", svg)
    return Picture(name, section, caption, inline(svg, name))


def inline(svg: str, name: str) -> str:
    """An SVG file's text for use within a page: the page's ink and paper, ids of its own, scaled to its place."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(PAPER, "none")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]+"', r"\1", svg, count=1)
    return re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", svg, count=1).replace("<svg", '<svg role="img"', 1)


def figure(title: str, x: str, y: str) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    made = Figure(layout="constrained")
    axes = made.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return made, axes


def legend(made: "Figure", axes: "Axes") -> None:
    """Below the axes, so that it covers no data; the picture grows with it."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        widest = max(map(len, labels))
        labels = [textwrap.fill(label, 72) for label in labels]
        columns = 2 if widest <= 30 and len(labels) > 1 else 1
        made.set_figheight(
            made.get_figheight() + 0.2 * max(0, sum(label.count("\n") + 1 for label in labels) / columns - 3)
        )
        made.legend(handles, labels, loc="outside lower left", ncols=columns)


def look(place: int) -> dict[str, Any]:
    """The colour, marker and line style of the arm at `place`; no two of the first 36 look alike."""
    turn = place // len(COLOURS)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[(place + turn) % len(MARKERS)],
        "linestyle": DASHES[(place + turn) % len(DASHES)],
    }
