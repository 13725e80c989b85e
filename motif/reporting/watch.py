"""`python -m motif.report outputs/* --watch`: the page is written again while runs go on.

A look reads where runs stand, which costs little, and puts that at the top of the page. The whole report is made again
where a file of a run has changed, and rests in between. A look that finds nothing new writes nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from motif.reporting.folders import EVALUATIONS, NO_RUNS, asked, folders_of, holds_runs
from motif.reporting.markup import Table
from motif.reporting.page import Report, page, write_report
from motif.reporting.status import FINISHED, Status
from motif.reporting.status_screen import TOLD, duration, steps, totals
from motif.reporting.study import survey
from motif.system import there, visible, write_text

REST = 4  # times what the last report took pass before another one is made
QUIET = 60.0  # seconds after which nothing is waited for any more where nothing runs
FILES = ("*.*", "*/*.json*", "*/*/*.json*")  # of a folder, that tell whether it has changed
FEW = 3  # runs that a line names


@dataclass
class Watch:
    """Looks at `paths` every so many `seconds`, and keeps the page in the folder `to` fresh.

    `make(runs, write=...)` makes the whole report, and lets `write` write it; `say` is given a line for each change.
    """

    paths: Sequence[Path]
    to: Path
    make: Callable[..., object]
    seconds: float
    say: Callable[[str], object]
    report: Report | None = None  # the last one, without its top
    top: Mapping[str, Any] = field(default_factory=dict)  # what runs, and when the page is loaded again
    found: Sequence[Status] = ()
    files: object = None
    due: float = 0.0  # by a monotonic clock
    quiet: float = 0.0  # seconds for which nothing has run

    def __post_init__(self) -> None:
        self.paths = meant(self.paths)

    def go(self) -> None:
        """Look until nothing is left that runs. After a stop the page says so, and `KeyboardInterrupt` goes on."""
        try:
            while self.look():
                time.sleep(self.seconds)
        except KeyboardInterrupt:
            if self.report:
                write_text(self.to / "index.html", page(replace(self.report, **{**self.top, "reload": 0.0})))
            raise

    def look(self) -> bool:
        """Write what is new. Whether to look again."""
        try:
            return self._look()
        except FileNotFoundError as error:  # a run was begun again, or taken away, in the middle of it
            self.say(visible(f"{time.strftime('%H:%M:%S')}  {error.filename} is gone; it is looked for again"))
            return True

    def _look(self) -> bool:
        meant_now = [folder for place in there(self.paths) for folder in folders_of(place)]
        own = [folder for folder in meant_now if folder.absolute() != self.to.absolute()]
        folders = [folder for folder in own if folder.name == EVALUATIONS or folder.name not in NO_RUNS]
        found = survey(folder for folder in folders if folder.name != EVALUATIONS)[0]
        runs = any(each.state == "running" for each in found)
        self.quiet = 0.0 if runs else self.quiet + self.seconds * bool(self.found)
        goes_on = runs or (any(each.state not in FINISHED for each in found) and self.quiet < QUIET)
        self.top = {"now": now(found), "reload": self.seconds if goes_on else 0.0}
        files, began = stamps(folders), time.monotonic()
        if files != self.files and (began >= self.due or not goes_on):
            self.make(asked(folders)[0], write=self.write)
            self.files, self.due = files, time.monotonic() + REST * (time.monotonic() - began)
        elif self.report and (found != self.found or not goes_on):
            write_text(self.to / "index.html", page(replace(self.report, **self.top)))
        if found != self.found:
            self.say(visible(f"{time.strftime('%H:%M:%S')}  {line(self.found, found)}"))
            self.found = found
        return goes_on

    def write(self, to: Path, report: Report) -> Path:
        """Write a whole report with what runs at its top, and keep it: its top may be another one soon."""
        self.report = report
        return write_report(to, replace(report, **self.top))


def meant(paths: Sequence[Path]) -> list[Path]:
    """`paths`, where a folder stands for all that lies in it: a shell has written `outputs/*` out, and what is begun
    later is meant too."""
    given = {path.absolute() for path in paths}
    parents = {path.parent for path in given}
    whole = {place for place in parents if holds_runs(place) and given.issuperset(place.glob("[!.]*"))}
    kept = [path for path in paths if path.absolute().parent not in whole]
    return [*dict.fromkeys(path.parent for path in paths if path.absolute().parent in whole), *kept]


def stamps(folders: Sequence[Path]) -> list[tuple[Path, int, int]]:
    """What tells whether a file in `folders` has changed."""
    files = (file for folder in folders for pattern in FILES for file in sorted(folder.glob(pattern)))
    return [(file, stat.st_mtime_ns, stat.st_size) for file in files if file.is_file() for stat in [file.stat()]]


def now(found: Sequence[Status]) -> Table | None:
    """What runs, and what does not go as planned, as the top of the page has it; None where all is finished."""
    if all(each.state in FINISHED for each in found):
        return None
    columns = ("run", "state", "steps", "time left", "why, or where")
    shown = [each for state in reversed(TOLD) for each in found if each.state == state]
    cells = [(each.name, each.state, steps(each), duration(each.left), each.result_or_why) for each in shown]
    rows = [dict(zip(columns, row, strict=True)) for row in cells]
    return Table("now", totals(found), rows, f"As of {time.strftime('%Y-%m-%d %H:%M:%S')}.", frozenset({"steps"}))


def line(before: Sequence[Status], found: Sequence[Status]) -> str:
    """What has changed, in one line: how many runs are in each state, and those whose state or step is another."""
    known = {each.name: (each.state, each.step) for each in before}
    new = [each for each in found if known.get(each.name) != (each.state, each.step)]
    named = [each for each in new if each.state == "running" or (before and each.state in (*FINISHED, *TOLD))]
    named.sort(key=lambda each: each.state == "running")
    why = {each.name: each.detail if each.state in ("failed", "unreadable") else "" for each in named}
    words = [f"{each.name} {each.state} {steps(each)} {why[each.name]}".strip() for each in named[:FEW]]
    return "; ".join([totals(found), *words])
