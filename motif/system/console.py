"""What a person sees: single lines, progress bars on a terminal, plain lines in a log. Libraries are kept quiet."""

import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import Any

from rich import box
from rich import progress as bar
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from motif.system import processes
from motif.system.safe_text import masked, visible

Report = Callable[[int, int, Mapping[str, float]], None]  # (steps done, steps in all, metrics)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which can show a line in place of the last one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") and processes.first()


console = Console(
    highlight=False,
    soft_wrap=True,
    markup=False,
    emoji=False,
    quiet=not processes.first(),
    force_jupyter=False,  # where rich would make a block of HTML of each word that is written
)
if in_notebook() or not console.is_terminal:  # a kernel says that it has the colours of a terminal, and its width
    console.width = get_terminal_size((120, 24)).columns
LIBRARIES = ("transformers", "trl", "accelerate", "peft", "datasets", "torch", "wandb", "opentelemetry", "hydra")
LINE_EVERY = 30.0  # seconds between lines where bars cannot be drawn
WIDEST = 10_000  # columns that no table takes
UNBROKEN = "\u00a0"  # a space at which no line ends
CELL_EVERY = 0.5  # seconds between two states of a line in a notebook


def say(text: str = "", style: str | None = None) -> None:
    """Print one line as it is, without secrets. Markup and terminal escapes in it have no effect."""
    console.print(Text(visible(masked(text)), style=style or ""))


def write(text: str) -> None:
    """Print text without a line end."""
    console.print(Text(visible(text)), end="")


def add_row(table: Table, *cells: str) -> None:
    """Add a row to a table. Its cells are shown as `say` shows a line."""
    table.add_row(*(Text(visible(masked(cell))) for cell in cells))


def show(table: Table) -> None:
    """Print a table. Its title is shown as `say` shows a line."""
    if isinstance(table.title, str):
        table.title = Text(visible(masked(table.title)), style="table.title")
    console.print(table)


def fits(table: Table) -> bool:
    """Whether the terminal is as wide as a table whose cells are not folded."""
    return Measurement.get(console, console.options.update(width=WIDEST), table).maximum <= console.width


def show_rows(rows: Sequence[Mapping[str, str]], needed: Sequence[str], left: Sequence[str] = ()) -> None:
    """Print a table of `rows`, which have the same columns: as many of these as there is room for. No cell is cut.

    Args:
        rows: texts by column.
        needed: columns that are always shown; where there is no room for them all, in lines of words.
        left: columns that are set flush left.
    """
    columns = list(rows[0]) if rows else list(needed)
    while True:
        table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
        for column in columns:
            table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
        for row in rows:
            add_row(table, *(row[column] for column in columns))
        if fits(table):
            return console.print(table)
        if not (spare := [column for column in columns if column not in needed]):
            break
        columns.remove(spare[-1])
    for row in rows:
        paragraph(", ".join(f"{column} {row[column]}".replace(" ", UNBROKEN) for column in columns))


def paragraph(text: str, head: str = "") -> None:
    """Print text in lines that fit the terminal; those that follow the first stand below what follows `head`."""
    wrapper = TextWrapper(max(40, console.width), head, " " * len(head), break_on_hyphens=False, break_long_words=False)
    for part in text.split("\n"):
        for line in wrapper.wrap(part) or [wrapper.initial_indent.rstrip()]:
            say(line.replace(UNBROKEN, " "))
        wrapper.initial_indent = ""


def metrics_line(metrics: Mapping[str, float]) -> str:
    """Metrics in one line: `loss 0.12  reward 0.5`."""
    return "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())


@contextmanager
def progress(title: str, total_known: int = 0) -> Iterator[Report]:
    """Yield a function `report(done, total, metrics)`.

    On a terminal it moves a bar, in a notebook it renews a line of the cell, elsewhere it prints a line now and then.
    The bar appears at once where the total is known already, else with the first report.
    """
    if in_notebook():
        yield cell_line(title)
        return
    if not console.is_terminal:
        last = time.monotonic()

        def line(done: int, total: int, metrics: Mapping[str, float]) -> None:
            nonlocal last
            if done >= total or time.monotonic() - last >= LINE_EVERY:
                last = time.monotonic()
                say(f"{title}: {done}/{total}  {metrics_line(metrics)}".rstrip())

        yield line
        return
    columns = (
        bar.TextColumn("{task.description:<17}", markup=False),
        *(bar.BarColumn(bar_width=30), bar.MofNCompleteColumn()),
        *(bar.TimeElapsedColumn(), bar.TextColumn("left"), bar.TimeRemainingColumn()),
        bar.TextColumn("{task.fields[metrics]}", markup=False),
    )
    with bar.Progress(*columns, console=console) as bars:
        tasks: list[bar.TaskID] = []  # made at the first report: without one there is no bar

        def move(done: int, total: int, metrics: Mapping[str, float]) -> None:
            if not tasks:
                tasks.append(bars.add_task(visible(title), total=total, metrics=""))
            bars.update(tasks[0], completed=done, total=total, metrics=metrics_line(metrics))

        if total_known:
            move(0, total_known, {})
        yield move


def cell_line(title: str) -> Report:
    """A `report` that renews one line of a notebook's cell, at most every `CELL_EVERY` seconds."""
    from IPython.display import display

    begun, last = time.monotonic(), -math.inf
    line: Any = None

    def renew(done: int, total: int, metrics: Mapping[str, float]) -> None:
        nonlocal line, last
        now = time.monotonic()
        if done < total and now - last < CELL_EVERY:
            return
        last = now
        left = f", {(now - begun) / done * (total - done):.0f} s left" if 0 < done < total else ""
        words = f"{title}: {done}/{total}  {metrics_line(metrics)}".rstrip() + f"  ({now - begun:.0f} s{left})"
        shown = {"text/plain": visible(words)}
        if line is None:
            line = display(shown, raw=True, display_id=True)
        else:
            line.update(shown, raw=True)

    return renew


def quiet(verbose: bool = False) -> None:
    """Keep libraries quiet, unless `verbose`. Call this before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    if verbose:
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("WANDB_SILENT", "true")
    warnings.filterwarnings("ignore")
    for library in LIBRARIES:
        said_by_us = library in ("wandb", "opentelemetry", "hydra")
        logging.getLogger(library).setLevel(logging.CRITICAL if said_by_us else logging.ERROR)


def quiet_bars(verbose: bool = False) -> None:
    """Switch off the progress bars of transformers. That imports it, which is not silent by itself."""
    if not verbose:
        with redirect_stdout(StringIO()):  # it says so where WANDB_MODE is offline
            import_module("transformers.integrations.integration_utils")
            from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
