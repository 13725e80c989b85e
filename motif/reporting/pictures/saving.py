"""Figures as PNG and SVG files, and as SVG within the page, where they take the page's own ink."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from motif.reporting.pictures.style import INK, PAPER
from motif.system import console, visible, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure that is not saved yet: the name of its files, its section of the page, and a caption that says what
    intervals and bands are."""

    name: str
    section: str
    caption: str
    figure: "Figure"


@dataclass(frozen=True)
class Picture:
    """A saved drawing. `svg` is for the page: without paper, its ink the text's colour."""

    name: str
    section: str
    caption: str
    svg: str


@contextmanager
def unless_unreadable(file: str) -> Iterator[None]:
    """Where the JSON `file` does not hold what is drawn within this context, a line says that its picture is left
    out."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        console.say(f"{file} cannot be drawn ({type(error).__name__}: {error}): its picture is left out", "yellow")


def save(folder: Path, drawing: Drawing) -> Picture:
    """Write both files to `folder`. Each is drawn once; `savefig` would lay each out twice."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    name, figure = drawing.name, drawing.figure
    FigureCanvasAgg(figure).print_png(folder / f"{name}.png", metadata={"Software": None})
    figure.set_layout_engine("none")  # it is laid out now
    written = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    write_text(folder / f"{name}.svg", svg)
    title = " ".join(axes.get_title(loc="left") or axes.get_title() for axes in figure.axes)
    return Picture(name, drawing.section, drawing.caption, inline(svg, name, title))


def inline(svg: str, name: str, title: str) -> str:
    """The text of an SVG file for use within a page: the page's ink and paper, ids of its own, scaled to its place, and
    a `title` for those who hear the page."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(PAPER, "none")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for size in ("width", "height"):
        svg = re.sub(rf'(<svg[^>]*?) {size}="[^"]+"', r"\1", svg, count=1)
    svg = svg.replace("<svg", f'<svg role="img" aria-labelledby="{name}-title"', 1)
    return svg.replace(">", f'><title id="{name}-title">{escape(visible(title))}</title>', 1)
