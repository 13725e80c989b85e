"""What a person sees: one line at a time, progress bars on a terminal, plain lines in a log, quiet libraries."""

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from motif.system import processes
from motif.system.safe_text import masked, visible

Report = Callable[[int, int, Mapping[str, float]], None]  # (steps done, steps in all, metrics)

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False, quiet=not processes.first())
if not console.is_terminal:
    console.width = 120
LINE_EVERY = 30.0  # seconds between lines where bars cannot be drawn


def say(text: str = "", style: str | None = None) -> None:
    """One line, shown as it is, secrets aside: markup and terminal escapes in it have no effect."""
    console.print(Text(visible(masked(text)), style=style or ""))


def write(text: str) -> None:
    """Text as it comes, no line end added."""
    console.print(Text(visible(text)), end="")


def add_row(table: Table, *cells: str) -> None:
    """A row of a table, its cells shown as `say` shows a line."""
    table.add_row(*(Text(visible(masked(cell))) for cell in cells))


def show(table: Table) -> None:
    """A table, its title shown as `say` shows a line."""
    if isinstance(table.title, str):
        table.title = Text(visible(masked(table.title)), style="table.title")
    console.print(table)


def metrics_line(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())


@contextmanager
def progress(title: str, total_known: int = 0) -> Iterator[Report]:
    """Yields `report(done, total, metrics)`. On a terminal it moves a bar; elsewhere it prints a line now and then.

    The bar appears at once where the total is known already, else with the first report.
    """
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
        TextColumn("{task.description:<17}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[metrics]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        tasks: list[TaskID] = []  # made at the first report, so that what never reports shows no bar

        def move(done: int, total: int, metrics: Mapping[str, float]) -> None:
            if not tasks:
                tasks.append(bars.add_task(visible(title), total=total, metrics=""))
            bars.update(tasks[0], completed=done, total=total, metrics=metrics_line(metrics))

        if total_known:
            move(0, total_known, {})
        yield move


def quiet(verbose: bool = False) -> None:
    """Keep libraries from speaking over us, unless `verbose`. To be called before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    if verbose:
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("WANDB_SILENT", "true")
    warnings.filterwarnings("ignore")
    for library in (
        "transformers",
        "trl",
        "accelerate",
        "peft",
        "datasets",
        "torch",
        "wandb",
        "opentelemetry",
        "hydra",
    ):
        told_by_us = library in ("wandb", "opentelemetry", "hydra")
        logging.getLogger(library).setLevel(logging.CRITICAL if told_by_us else logging.ERROR)


def quiet_bars(verbose: bool = False) -> None:
    """Switch off transformers' own progress bars; it has to be imported for that, which is not silent either."""
    if not verbose:
        with redirect_stdout(StringIO()):  # it says so where WANDB_MODE is offline
            import_module("transformers.integrations.integration_utils")
            from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
