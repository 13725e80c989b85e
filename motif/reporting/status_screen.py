"""Where runs stand, on the terminal: a row for each of a few runs, and about 25 lines for however many.

It shows what `status` has read, and reads nothing itself.
"""

from collections.abc import Iterator, Sequence

from rich.table import Table

from motif.evaluation.terminal import new_table
from motif.reporting.status import FINISHED, Status, arm
from motif.system import console
from motif.system.files import shortened

FEW = 25  # runs that have a row each
ARMS = 10  # that have a line each
TOLD = ("failed", "unreadable", "killed", "stopped", "running elsewhere", "running")  # states whose runs are named


def show(found: Sequence[Status], title: str = "", every: bool = False) -> None:
    """A table of runs under `title`; where there are more than `FEW`, a summary, unless `every` run is asked for."""
    if every or len(found) <= FEW:
        made = table(found, title or None)
        return console.show(made) if console.fits(made) else in_lines(found, title)
    if title:
        console.say(title)
    for line in summary(found):
        console.say(line)


def table(found: Sequence[Status], title: str | None = None) -> Table:
    """One row a run."""
    made = new_table(title)
    for column in ("run", "state", "steps", "left", "result, or why"):
        made.add_column(column, justify="right" if column in ("steps", "left") else "left", overflow="fold")
    for each in found:
        console.add_row(made, each.name, each.state, steps(each), duration(each.left), each.result_or_why)
    return made


def in_lines(found: Sequence[Status], title: str = "") -> None:
    """The name of each run in a line of its own, and below it what a row would have."""
    if title:
        console.say(title)
    rows = [(each.state, steps(each), time_left(each)) for each in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for each, row in zip(found, rows, strict=True):
        console.say(each.name)
        cells = [f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=True) if width]
        console.paragraph(each.result_or_why, f"  {''.join(cells)}")


def summary(found: Sequence[Status]) -> Iterator[str]:
    """How many runs of each arm are in each state, then the runs that do not go as planned and those that run."""
    arms: dict[str, list[Status]] = {}
    for each in found:
        arms.setdefault(arm(each.name), []).append(each)
    yield f"{len(found):,} runs in {len(arms):,} arm{'s' * (len(arms) > 1)}"
    shown = list(arms)[:ARMS]
    width = max(len(counts(arms[name])) for name in shown)
    for name in shown:
        yield f"  {counts(arms[name]):<{width}}  {name}"
    if rest := [each for name in list(arms)[ARMS:] for each in arms[name]]:
        yield f"  {counts(rest)} in {len(arms) - ARMS} arms more"
    groups = {state: [each for each in found if each.state == state] for state in TOLD}
    groups = {state: members for state, members in groups.items() if members}
    for state, members in groups.items():
        named = max(1, ARMS // len(groups))
        for each in members[:named]:
            words = "; ".join(filter(None, (steps(each), time_left(each), shortened(each.result_or_why))))
            yield f"{state}  {each.name}  {words}".rstrip()
        if len(members) > named:
            yield f"{state}  {len(members) - named:,} more"


def steps(each: Status) -> str:
    return f"{each.step}/{each.steps}" if each.steps else ""


def time_left(each: Status) -> str:
    return f"{duration(each.left)} left" if each.left is not None else ""


def duration(seconds: float | None) -> str:
    """`2 d 3 h`, `1 h 05 min`, `12 min`, `40 s`; nothing for None."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def counts(found: Sequence[Status]) -> str:
    """How many runs are in each state, as in `3 finished, 1 failed`."""
    states = list(dict.fromkeys(each.state for each in found))
    return ", ".join(f"{sum(each.state == state for each in found):,} {state}" for state in states)


def totals(found: Sequence[Status]) -> str:
    """How many runs are in each state, and how long the rest takes where that can be told."""
    open_ones = [each for each in found if each.state not in FINISHED]
    guesses = [each.left for each in open_ones if each.left is not None]
    if not guesses:
        return counts(found)
    unknown = len(open_ones) - len(guesses)
    also = f", and {unknown} of which nothing is known yet" * bool(unknown)
    return f"{counts(found)}; about {duration(sum(guesses))} of work left in {len(guesses)} of them{also}"
