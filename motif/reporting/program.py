"""`python -m motif.report outputs/* [--against ARM] [--axis COUNT] [--at COUNTS] [--to FOLDER] [--watch]`: tables and a
page.

The report is written to report/ beside the runs unless another place is given, never into a run's folder. `build` does
the same without the terminal.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from motif.evaluation.terminal import nearest
from motif.reporting import curves, tables
from motif.reporting.arms import arms_of, finished
from motif.reporting.attach import attach
from motif.reporting.by_fact import by_facts, crossovers, tables_by_fact
from motif.reporting.comparison import Verdict
from motif.reporting.episodes import MOST, Kept, write_episodes
from motif.reporting.folders import asked
from motif.reporting.inspect_logs import check_installed, write_logs
from motif.reporting.markup import Table
from motif.reporting.page import NoVerdict, Report, remove_old_pictures, write_report
from motif.reporting.page_data import page_data, question_of
from motif.reporting.paper import references
from motif.reporting.pictures.draw import draw_all
from motif.reporting.pictures.training import AXES
from motif.reporting.pooled import pool
from motif.reporting.recorded import RecordedRun
from motif.reporting.screen import show_rows, show_table
from motif.reporting.standings import answer, places
from motif.reporting.survival import survival_table
from motif.reporting.verdicts import USUAL, check_against, choose_baselines, not_compared, survey
from motif.reporting.watch import Watch
from motif.system import UserError, console, explained, failures, visible, whole


def build(
    runs: Sequence[RecordedRun],
    to: Path,
    against: str = "grpo",
    episodes: int = MOST,
    axes: Sequence[str] = (),
    wandb: bool = False,
    say: Callable[[str], object] = lambda line: None,
    show: Callable[[Table], object] = lambda table: None,
    at: Sequence[int] = (),
    kept: Kept | None = None,
    write: Callable[[Path, Report], Path] = write_report,
) -> Path:
    """Write the report on `runs` to the folder `to`; returns its page.

    Args:
        runs: finished or not, and policies that are no runs.
        to: a `UserError` says where it lies in a run, or is a file.
        against: the baseline of the verdicts.
        episodes: the most questions of a file that the browser of episodes has.
        axes: names of `training.AXES` to draw against, besides steps and tokens.
        wandb: attach it to the group's W&B run.
        say: is called with every verdict.
        show: is called with the tables of `at`.
        at: counts of generated tokens at which held-out accuracy is said; a `UserError` where no run has it.
        kept: episodes that an earlier call for this folder has written; they are not written again.
        write: writes the files of the report, and returns its page.
    """
    report = report_on(runs, to, against, episodes, axes, say, show, at, kept)
    index = write(to, report)
    if wandb:
        attach(to, runs, report)
    return index


def report_on(
    runs: Sequence[RecordedRun],
    to: Path,
    against: str = USUAL,
    episodes: int = MOST,
    axes: Sequence[str] = (),
    say: Callable[[str], object] = lambda line: None,
    show: Callable[[Table], object] = lambda table: None,
    at: Sequence[int] = (),
    kept: Kept | None = None,
) -> Report:
    """What `build` writes. Its pictures and episodes lie in the folder `to`, its page does not yet."""
    check_place(to)
    whole("--episodes", episodes)
    known = arms_of(runs)
    trained = [arm for arm in known if arm.trained]
    at_tokens = curves.tables(trained, at, against)
    sources = write_episodes(runs, to / "episodes", episodes, kept)
    pooled = pool(known)
    facts = by_facts(pooled)
    standing = places(known, against)
    if standing and not choose_baselines(finished(known), against)[0]:
        first = standing[0].views[0]
        against = first.rows[first.reference].arm.name
    compared, refused = survey(known, against)
    if not compared and not refused:
        refused = ["no other arm was measured on the same questions"]
    verdicts: list[Verdict | NoVerdict] = [*compared, *map(NoVerdict, not_compared(refused))]
    for verdict in verdicts:
        say(f"\n{verdict.sentence}")
    for table in at_tokens:
        show(table)
    all_tables = {
        "results": [
            tables.results(pooled, references(runs)),
            *tables.trained_by_decoded(pooled),
            survival_table(pooled),
            *tables_by_fact(facts),
            *crossovers(facts, against),
        ],
        "training": at_tokens,
        "runs": [tables.runs_table(trained)],
        "configuration": [tables.differences(trained)],
    }
    remove_old_pictures(to)
    datasets = ", ".join(dict.fromkeys(result.dataset for run in runs for result in run.results)) or "nothing yet"
    return Report(
        title=f"Report on {', '.join(dict.fromkeys(run.folder.absolute().parent.name for run in runs))}",
        subtitle=counts_in_words(runs, len(trained)),
        question=question_of(runs) or f"Which arm answers most questions of {datasets}?",
        answer=answer(standing[0] if standing else None),
        verdicts=verdicts,
        tables={kind: [table for table in of_kind if table.rows] for kind, of_kind in all_tables.items()},
        pictures=draw_all(to / "pictures", known, pooled, runs, axes, facts),
        sources=sources,
        data=page_data(runs, known, standing, verdicts),
        footer=f"Written by python -m motif.report on {time.strftime('%Y-%m-%d %H:%M')}.",
    )


def check_place(to: Path) -> None:
    for folder in (to.absolute(), *to.absolute().parents):
        if (folder / "run.json").is_file() or (folder / "summary.json").is_file():
            raise UserError(f"--to={to} lies in the run {folder}; a report belongs beside runs")
    if to.exists() and not to.is_dir():
        raise UserError(f"--to={to} is a file")


def counts_in_words(runs: Sequence[RecordedRun], arms: int) -> str:
    """What the report is on: runs, arms, policies that are no runs."""
    measured, unfinished = sum(run.measured for run in runs), sum(not run.finished for run in runs)
    trained = len(runs) - measured
    parts = [f"{trained} run{'s' * (trained > 1)} in {arms} arm{'s' * (arms > 1)}"] if trained else []
    parts += [f"{measured} polic{'ies' if measured > 1 else 'y'} measured without a run"] if measured else []
    parts += [f"{unfinished} unfinished: shown as far as they are"] if unfinished else []
    return ", ".join(parts)


def beside(run: RecordedRun) -> Path:
    """Where the report is written unless another place is given."""
    return (run.folder.parent.parent if run.measured else run.folder.parent) / "report"


def folder_name(text: str) -> Path:
    """A folder as typed."""
    if not text:
        raise argparse.ArgumentTypeError("it must name a folder, got ''")
    return Path(text)


def token_counts(text: str) -> list[int]:
    """Numbers of tokens as typed: `20000,40000`."""
    if not all(part.isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"it must be numbers of tokens, such as 20000,40000, got {text!r}")
    return [int(part) for part in text.split(",")]


def show_markdown(table: Table) -> None:
    print(f"\n{table.title}\n\n{table.markdown()}")


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.report", description="Tables, pictures and a page on runs.")
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, finished or not; others are counted")
    parser.add_argument("--against", help="the baseline of the verdicts (grpo)")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown, with all its columns")
    axes = [name for name in AXES if name not in ("steps", "tokens")]
    of_axis = f"also draw against {', '.join(axes)}; may be given several times"
    parser.add_argument("--axis", action="append", default=[], choices=axes, metavar="COUNT", help=of_axis)
    of_counts = "also say held-out accuracy at these counts of generated tokens, and compare its mean between them"
    parser.add_argument("--at", type=token_counts, default=[], metavar="COUNT,COUNT", help=of_counts)
    parser.add_argument("--to", type=folder_name, help="where the report is written (report/ beside the runs)")
    parser.add_argument("--episodes", type=int, default=MOST, help=f"most questions kept of one file ({MOST})")
    parser.add_argument("--wandb", action="store_true", help="attach verdicts and pictures to the group's W&B run")
    parser.add_argument("--inspect", type=folder_name, help="also write the episodes to this folder for inspect_ai")
    of_watch = "write the page again while runs go on, with what runs at its top; look every so many seconds (30)"
    parser.add_argument("--watch", type=int, nargs="?", const=30, metavar="SECONDS", help=of_watch)
    given = parser.parse_args(arguments)
    if given.watch is not None and (given.markdown or given.wandb or given.inspect or given.watch < 1):
        parser.error("--watch takes at least 1 second, and goes without --markdown, --wandb and --inspect")
    if given.inspect:
        check_installed()
    runs, others = asked(given.runs)
    for complaint in (line for run in runs for line in run.complaints):
        print(visible(complaint), file=sys.stderr)
    known = arms_of(runs)
    check_against(known, given.against)
    folder = given.to or beside(runs[0])
    if given.watch:
        how = {"axes": given.axis, "at": given.at, "kept": Kept()}
        make = partial(build, to=folder, against=given.against or USUAL, episodes=given.episodes, **how)
        print(visible(f"report  {nearest(folder / 'index.html')}"), flush=True)
        with explained(folder, "or choose another --to="):
            return Watch(given.runs, folder, make, given.watch, partial(print, flush=True)).go()
    say, show = (print, show_markdown) if given.markdown else (console.paragraph, show_table)
    if given.markdown:
        print(tables.terminal_table(runs, known))
    else:
        show_rows(tables.terminal_rows(runs, known))
    unfinished = sum(not run.finished for run in runs) + others
    if unfinished:
        say(f"{unfinished} of {len(runs) + others} folders hold no finished run.")
    with explained(folder, "or choose another --to="):
        index = build(
            runs, folder, given.against or USUAL, given.episodes, given.axis, given.wandb, say, show, given.at
        )
    print(visible(f"\nreport  {nearest(index)}"))
    if given.inspect:
        with explained(given.inspect, "or choose another --inspect="):
            count = write_logs(runs, given.inspect)
        print(visible(f"logs    {count} in {given.inspect}; inspect view --log-dir {given.inspect}"))
