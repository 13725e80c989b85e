"""`python -m motif.report outputs/* [--against ARM] [--to FOLDER] [--wandb]`: prints results and writes the report.

The report is written to report/ beside the runs unless told otherwise, never into a run's folder. `build` does the same
without the terminal.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.checks import UserError, whole
from motif.report import tables
from motif.report.arms import arms, groups
from motif.report.attach import attach
from motif.report.episodes import MOST, write_episodes
from motif.report.page import clear, page, report_md, tables_tex, write_page
from motif.report.paper import references
from motif.report.pictures import draw_all
from motif.report.reading import Recorded, read_runs


@dataclass(frozen=True)
class Said:
    """A line where verdicts stand that is not one."""

    sentence: str
    outcome: str = "none"


def build(runs: Sequence[Recorded], to: Path, against: str = "grpo", episodes: int = MOST, wandb: bool = False) -> Path:
    """Write the report on `runs` into `to`; returns its page.

    Of a file at most `episodes` questions are kept for the browser. With `wandb` it is attached to the group's run.
    Raises `UserError` where `to` lies in a run.
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
    judged = judge([run.folder for run in runs], against)
    kinds = {
        "results": [tables.results(measured, references(runs)), *tables.trained_by_decoded(measured)],
        "runs": [tables.runs_table(found)],
        "configuration": [tables.differences(found)],
    }
    clear(to)
    pictures = draw_all(to / "pictures", found, measured)
    unfinished = sum(not run.finished for run in runs)
    subtitle = f"{len(runs)} run{'s' * (len(runs) > 1)} in {len(found)} arm{'s' * (len(found) > 1)}"
    subtitle += f", {unfinished} unfinished: shown as far as they are" if unfinished else ""
    title = f"Report on {', '.join(dict.fromkeys(run.folder.absolute().parent.name for run in runs))}"
    footer = f"Written by python -m motif.report on {time.strftime('%Y-%m-%d %H:%M')}."
    index = page(title, subtitle, judged, kinds, pictures, sources, footer)
    write_page(to, index, report_md(title, subtitle, judged, kinds, pictures), tables_tex(kinds))
    if wandb:
        attach(to, runs, judged, kinds["results"], pictures)
    return to / "index.html"


def judge(folders: Sequence[Path], against: str) -> list[Any]:
    """The verdicts on the finished runs, or what keeps them from being reached."""
    from motif.verdicts import verdicts

    try:
        return list(verdicts(folders, against=against))
    except UserError as error:
        return [Said(f"No verdict: {error}")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motif.report", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, finished or not; others are counted")
    parser.add_argument("--against", default="grpo", help="the baseline of the verdicts (grpo)")
    parser.add_argument("--to", type=Path, help="where the report is written (report/ beside the runs)")
    parser.add_argument("--episodes", type=int, default=MOST, help=f"most questions kept of one file ({MOST})")
    parser.add_argument("--wandb", action="store_true", help="attach verdicts and pictures to the group's W&B run")
    given = parser.parse_args(arguments)
    runs, others = read_runs(given.runs)
    if not runs:
        parser.error(f"no run (run.json) in {', '.join(map(str, given.runs))[:200]}")
    folder = given.to or runs[0].folder.parent / "report"
    print(tables.markdown(tables.LINES, tables.lines(runs)))
    unfinished = sum(not run.finished for run in runs) + others
    if unfinished:
        print(f"\n{unfinished} of {len(runs) + others} folders hold no finished run.")
    try:
        index = build(runs, folder, given.against, given.episodes, given.wandb)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\nreport  {index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
