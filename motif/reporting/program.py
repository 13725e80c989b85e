"""`python -m motif.report outputs/* [--against ARM] [--axis COUNT] [--to FOLDER] [--wandb]`: tables, pictures, a page.

The report is written to report/ beside the runs unless told otherwise, never into a run's folder. `build` does the same
without the terminal.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.reporting import tables
from motif.reporting.arms import Arm, arms
from motif.reporting.attach import attach
from motif.reporting.curves import AXES
from motif.reporting.episodes import MOST, write_episodes
from motif.reporting.folders import Recorded, read_runs
from motif.reporting.groups import groups
from motif.reporting.page import clear, page, report_md, tables_tex, write_page
from motif.reporting.paper import references
from motif.reporting.pictures import draw_all
from motif.reporting.probed import draw_probes
from motif.system import failures
from motif.system.errors import UserError, whole
from motif.system.files import explained, named, there
from motif.system.safe_text import visible


@dataclass(frozen=True)
class Said:
    """A line where verdicts stand that is not one."""

    sentence: str
    outcome: str = "none"


def build(
    runs: Sequence[Recorded],
    to: Path,
    against: str = "grpo",
    episodes: int = MOST,
    axes: Sequence[str] = (),
    wandb: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Write the report on `runs` into `to`; returns its page. Every verdict is said, too.

    Pictures are drawn against steps, tokens and the `axes`, names of `motif.reporting.curves.AXES`. Of a file at most
    `episodes` questions are kept for the browser. With `wandb` it is attached to the group's run. Raises `UserError`
    where `to` lies in a run.
    """
    for place in (to.absolute(), *to.absolute().parents):
        if (place / "run.json").is_file() or (place / "summary.json").is_file():
            raise UserError(f"--to={to} lies in the run {place}; a report belongs beside runs")
    if to.exists() and not to.is_dir():
        raise UserError(f"--to={to} is a file")
    whole("--episodes", episodes)
    sources = write_episodes(runs, to / "episodes", episodes)
    found = arms(runs)
    measured = groups(found)
    trained = [arm for arm in found if arm.trained]
    judged = judge(found, against)
    for verdict in judged:
        say(f"\n{verdict.sentence}")
    kinds = {
        "results": [tables.results(measured, references(runs)), *tables.trained_by_decoded(measured)],
        "runs": [tables.runs_table(trained)],
        "configuration": [tables.differences(trained)],
    }
    kinds = {kind: [table for table in found if table.rows] for kind, found in kinds.items()}
    clear(to)
    pictures = [*draw_all(to / "pictures", found, measured, axes), *draw_probes(to / "pictures", runs)]
    title = f"Report on {', '.join(dict.fromkeys(run.folder.absolute().parent.name for run in runs))}"
    footer = f"Written by python -m motif.report on {time.strftime('%Y-%m-%d %H:%M')}."
    subtitle = counted_in_words(runs, len(trained))
    index = page(title, subtitle, judged, kinds, pictures, sources, footer)
    write_page(to, index, report_md(title, subtitle, judged, kinds, pictures), tables_tex(kinds))
    if wandb:
        attach(to, runs, judged, kinds["results"], pictures)
    return to / "index.html"


def counted_in_words(runs: Sequence[Recorded], arms: int) -> str:
    """What the report is on: runs, arms, policies that are no run."""
    measured, unfinished = sum(run.measured for run in runs), sum(not run.finished for run in runs)
    trained = len(runs) - measured
    said = [f"{trained} run{'s' * (trained > 1)} in {arms} arm{'s' * (arms > 1)}"] if trained else []
    said += [f"{measured} polic{'ies' if measured > 1 else 'y'} measured without a run"] if measured else []
    said += [f"{unfinished} unfinished: shown as far as they are"] if unfinished else []
    return ", ".join(said)


def judge(found: Sequence[Arm], against: str) -> list[Any]:
    """The verdicts on the finished runs, and what was not compared."""
    from motif.reporting.verdicts import survey

    reached, refused = survey(found, against)
    return [*reached, *(Said(f"Not compared: {line}.") for line in dict.fromkeys(refused))]


def beside(run: Recorded) -> Path:
    """Where the report lies unless told otherwise."""
    return (run.folder.parent.parent if run.measured else run.folder.parent) / "report"


def place(text: str) -> Path:
    """A folder as typed."""
    if not text:
        raise argparse.ArgumentTypeError("it must name a folder, got ''")
    return Path(text)


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.report", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, finished or not; others are counted")
    parser.add_argument("--against", default="grpo", help="the baseline of the verdicts (grpo)")
    axes = [name for name in AXES if name not in ("steps", "tokens")]
    said = f"also draw against {', '.join(axes)}; may be given several times"
    parser.add_argument("--axis", action="append", default=[], choices=axes, metavar="COUNT", help=said)
    parser.add_argument("--to", type=place, help="where the report is written (report/ beside the runs)")
    parser.add_argument("--episodes", type=int, default=MOST, help=f"most questions kept of one file ({MOST})")
    parser.add_argument("--wandb", action="store_true", help="attach verdicts and pictures to the group's W&B run")
    given = parser.parse_args(arguments)
    runs, others = read_runs(there(given.runs))
    for complaint in (line for run in runs for line in run.complaints):
        print(visible(complaint), file=sys.stderr)
    if not runs:
        raise UserError(f"no run (run.json) in {named(given.runs)}; try outputs/*")
    folder = given.to or beside(runs[0])
    print(tables.markdown(tables.LINES, tables.lines(runs, arms(runs))))
    unfinished = sum(not run.finished for run in runs) + others
    if unfinished:
        print(f"\n{unfinished} of {len(runs) + others} folders hold no finished run.")
    with explained(folder, "or choose another --to="):
        index = build(runs, folder, given.against, given.episodes, given.axis, given.wandb, print)
    print(visible(f"\nreport  {index}"))
