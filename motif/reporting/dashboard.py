"""`python -m motif.dashboard --entity E --project P [--group G]` saves a W&B workspace for runs of this suite.

With `--report outputs/*` it saves a W&B report instead: the question, the answer, the effects and the verdicts that
these folders give, the pictures, which it attaches to the group's W&B run, and the panels of the workspace. `--print`
shows the specification as JSON and needs neither server nor key.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.evaluation.wording import in_rounds, p_value
from motif.reporting.arms import arms_of
from motif.reporting.attach import attach, groups_of, summary_run
from motif.reporting.folders import asked
from motif.reporting.markup import Table
from motif.reporting.page import NO_VERDICT, Report, write_report
from motif.reporting.program import beside, report_on
from motif.reporting.recorded import MISSING, RecordedRun
from motif.reporting.verdicts import USUAL, check_against
from motif.rounds.episode import MOST
from motif.runs.tracking.base import WandB
from motif.runs.tracking.dashboard import Dashboard, check, save, specification
from motif.system import explained, failures
from motif.system.safe_text import markdown

MOST_VERDICTS = 12
DATASETS, ROUNDS = ["chain"], [1, 3]  # where none are given


def effects(place: Mapping[str, Any]) -> Table:
    """The arms of a place of the page's data, as each was trained, and how far each is from the reference."""
    view = place["views"][0]
    reference = view["rows"][view["reference"]]["arm"]
    rows = []
    for at, row in enumerate(view["rows"]):
        effect, low, high, p, corrected, *_ = view["against"].get(f"{at},{view['reference']}", [None] * 5)
        low_end, high_end = row["interval"]
        rows.append(
            {
                "arm": row["arm"],
                "decoded in": in_rounds(row["rounds"]),
                "accuracy (95 % interval)": f"{row['accuracy']:.1f}% ({low_end:.1f}% – {high_end:.1f}%)",
                "n questions": str(row["n"]),
                "seeds": str(row["seeds"] or MISSING),
                f"points against {reference} (95 % interval)": MISSING
                if effect is None
                else f"{effect:+.1f} ({low:+.1f} to {high:+.1f})",
                "p": MISSING if effect is None else p_value(p if corrected is None else corrected).removeprefix("p = "),
            }
        )
    return Table("effects", place["title"], rows)


def in_words(report: Report, attached: str) -> str:
    """What a W&B report says in Markdown; `attached` is where the rest is."""
    parts = [f"**{markdown(report.question)}** {markdown(report.answer)}", markdown(report.subtitle)]
    if places := report.data["places"]:
        table = effects(places[0])
        parts += [f"### {markdown(table.title)}", table.markdown()]
    lines = [f"- {markdown(verdict.sentence)}" for verdict in report.verdicts]
    more = [f"- {len(lines) - MOST_VERDICTS} more: {attached}"] if len(lines) > MOST_VERDICTS else []
    parts += ["### Verdicts", "\n".join([*lines[:MOST_VERDICTS], *more]) or NO_VERDICT]
    return "\n\n".join([*parts, markdown(report.footer)])


def wandb_report(runs: Sequence[RecordedRun], given: argparse.Namespace, settings: WandB) -> str:
    """Attach the report on `runs` to their group's run of W&B, and save a W&B report that shows it. Where it is only
    printed, attach nothing. Returns its address, or its specification."""
    groups = groups_of(runs)
    results = [result for run in runs for result in run.results]
    drawn = Dashboard(
        given.group or (groups[0] if len(groups) == 1 else None),
        given.by,
        given.dataset or sorted({result.dataset for result in results}) or DATASETS,
        given.rounds or sorted({result.rounds for result in results}) or ROUNDS,
    )
    with tempfile.TemporaryDirectory() as nowhere:
        to = Path(nowhere) if given.print else beside(runs[0])
        with explained(to, "where the report goes"):
            report = report_on(runs, to, given.against or USUAL)
        pictures = [f"pictures/{picture.name}" for picture in report.pictures if picture.section == "results"]
        words = in_words(report, f"the table report/verdicts of the run “report {settings.group}”")
        place = (settings.entity or "entity", settings.project)
        shown = drawn.report(*place, report.title, words, (str(settings.group), pictures), known=not given.print)
        if given.print:
            return as_json(shown)
        check(shown)
        write_report(to, report)
        attach(to, runs, report, *place)
    return save(shown)


def as_json(shown: Any) -> str:
    return json.dumps(specification(shown), indent=2)


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.dashboard", description=__doc__)
    parser.add_argument("--entity", help="the user or team that the project is of")
    parser.add_argument("--project", help="as in tracking.project= (motif)")
    parser.add_argument("--group", help="of these runs alone, such as a study's name (all)")
    parser.add_argument("--by", default="algo.name", help="the key of the configuration that a curve is of (algo.name)")
    parser.add_argument("--dataset", nargs="+", help="data sets evaluated on (chain)")
    parser.add_argument("--rounds", nargs="+", type=int, help="rounds decoded in (1 3)")
    parser.add_argument("--report", nargs="+", type=Path, metavar="RUN", help="write a W&B report on these run folders")
    parser.add_argument("--against", help="the baseline of the report's verdicts (grpo)")
    parser.add_argument("--print", action="store_true", help="show the specification, save nothing")
    given = parser.parse_args(arguments)
    if wrong := [rounds for rounds in given.rounds or [] if not 1 <= rounds <= MOST]:
        parser.error(f"--rounds must be whole numbers of at least 1 and at most {MOST}, got {wrong[0]}")
    runs = asked(given.report)[0] if given.report else []
    settings = (
        summary_run(runs, given.entity, given.project)[1] if runs else WandB(given.project or "motif", given.entity)
    )
    if not (settings.entity or given.print):
        parser.error("--entity is missing: the user or team that the project is of (--print goes without)")
    if runs:
        check_against(arms_of(runs), given.against)
        print(wandb_report(runs, given, settings))
    else:
        drawn = Dashboard(given.group, given.by, given.dataset or DATASETS, sorted({*(given.rounds or ROUNDS)}))
        shown = drawn.workspace(settings.entity or "entity", settings.project)
        print(as_json(shown) if given.print else save(shown))
