"""`python -m motif.report outputs/* --watch`: the page is written again while runs go on.

A look reads where runs stand, which costs little, and puts that at the top of the page. The whole report is made again
where a file of a run has changed, and rests in between. A look that finds nothing new writes nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from motif.reporting.folders import EVALUATIONS, NO_RUNS, folders_of, holds_runs
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

    `make` makes the whole report of what lies in the folders that it is given; `say` is given a line for each change.
    """

    paths: Sequence[Path]
    to: Path
    make: Callable[[Sequence[Path]], Report]
    seconds: float
    say: Callable[[str], object] = print
    report: Report | None = None
    found: Sequence[Status] = ()
    files: object = None
    due: float = 0.0  # by a monotonic clock
    quiet: float = 0.0  # seconds for which nothing has run
    places: Sequence[Path] = field(init=False)

    def __post_init__(self) -> None:
        self.places = meant(self.paths)

    def go(self) -> None:
        """Look until nothing is left that runs. After a stop the page says so, and `KeyboardInterrupt` goes on."""
        try:
            while self.look():
                time.sleep(self.seconds)
        except KeyboardInterrupt:
            if self.report:
                write_text(self.to / "index.html", page(replace(self.report, reload=0.0)))
            raise

    def look(self) -> bool:
        """Write what is new. Whether to look again."""
        try:
            return self._look()
        except FileNotFoundError as error:  # a run was begun again, or taken away, in the middle of it
            self.say(visible(f"{time.strftime('%H:%M:%S')}  {error.filename} is gone; it is looked for again"))
            return True

    def _look(self) -> bool:
        folders = [folder for folder in there(self.places) for folder in folders_of(folder) if self.counts(folder)]
        found = survey(folder for folder in folders if folder.name != EVALUATIONS)[0]
        runs = any(each.state == "running" for each in found)
        self.quiet = 0.0 if runs else self.quiet + self.seconds * bool(self.found)
        goes_on = runs or (any(each.state not in FINISHED for each in found) and self.quiet < QUIET)
        files, began, made = stamps(folders), time.monotonic(), False
        if files != self.files and (began >= self.due or not goes_on):
            self.report, self.files, made = self.make(folders), files, True
            self.due = time.monotonic() + REST * (time.monotonic() - began)
        assert self.report
        if made or found != self.found or not goes_on:
            self.report = replace(self.report, now=now(found), reload=self.seconds if goes_on else 0.0)
            if made:
                write_report(self.to, self.report)
            else:
                write_text(self.to / "index.html", page(self.report))
        if found != self.found:
            self.say(visible(f"{time.strftime('%H:%M:%S')}  {line(self.found, found)}"))
            self.found = found
        return goes_on

    def counts(self, folder: Path) -> bool:
        """Whether `folder` may hold a run, or policies that are no runs; a report, also this one, holds none."""
        return folder.absolute() != self.to.absolute() and (folder.name == EVALUATIONS or folder.name not in NO_RUNS)


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
    rows = [
        {
            "run": each.name,
            "state": each.state,
            "steps": steps(each),
            "time left": duration(each.left) if each.state not in ("failed", "unreadable") else "",
            "why, or where": each.result_or_why,
        }
        for state in reversed(TOLD)
        for each in found
        if each.state == state
    ]
    return Table("now", totals(found), rows, f"As of {time.strftime('%Y-%m-%d %H:%M:%S')}.", frozenset({"steps"}))


def line(before: Sequence[Status], found: Sequence[Status]) -> str:
    """What has changed, in one line: how many runs are in each state, and those whose state or step is another."""
    known = {each.name: (each.state, each.step) for each in before}
    new = [each for each in found if known.get(each.name) != (each.state, each.step)]
    named = [each for each in new if each.state == "running" or (before and each.state in (*FINISHED, *TOLD))]
    named.sort(key=lambda each: each.state == "running")
    words = [" ".join(filter(None, (each.name, each.state, steps(each), why(each)))) for each in named[:FEW]]
    return "; ".join([totals(found), *words, *([f"{len(named) - FEW} more"] if len(named) > FEW else [])])


def why(each: Status) -> str:
    return f"({each.detail})" if each.detail and each.state in ("failed", "unreadable") else ""
