"""What the terminal shows of arms after a sweep, and of all results in a report: tables as wide as there is room."""

from collections.abc import Sequence
from pathlib import Path

from motif.reporting.arms import Arm, arms_of
from motif.reporting.folders import read_runs
from motif.reporting.markup import Table
from motif.reporting.pooled import Pooled, pool
from motif.reporting.recorded import MISSING
from motif.reporting.tables import result_row
from motif.reporting.verdicts import not_compared, survey
from motif.system import console

ARMS = {  # columns of the table of arms, by those of the report
    **{"arm": "arm", "data set": "data set", "decoded rounds": "rounds", "accuracy": "accuracy"},
    **{"95 % interval": "95 % interval", "truncated": "truncated", "seeds": "seeds", "n questions": "n"},
    **{"tokens / question": "tokens", "unparsable": "unparsable", "copied": "copied"},
}
NEEDED = ("arm", "data set", "rounds", "accuracy", "95 % interval", "truncated")  # columns that are always shown


def show_arms(folders: Sequence[Path]) -> None:
    """The arms of the runs in `folders`, one row each, and the first verdict on them."""
    runs, _ = read_runs(folders)
    arms = arms_of(runs)
    pooled = [of_arm for arm in arms if arm.trained and (of_arm := as_trained(arm))]
    rows = [{ARMS[key]: value for key, value in result_row(one).items() if key in ARMS} for one in pooled]
    console.show_rows([{key: row[key] for key in ARMS.values()} for row in rows], NEEDED, ("arm", "data set"))
    verdicts, refused = survey(arms)
    for line in [each.sentence for each in verdicts[:1]] or not_compared(refused)[:1]:
        console.paragraph(line, "verdict ")


def as_trained(arm: Arm) -> Pooled | None:
    """Its results on its first data set, decoded in the rounds of the experiment; in others where it has none there."""
    found = pool([arm])
    first = arm.results[0].dataset if arm.results else MISSING
    found = [one for one in found if one["dataset"] == first]
    return next((one for one in found if one["rounds"] == arm.settings.get("rounds")), found[-1] if found else None)


def show_rows(rows: Sequence[dict[str, str]]) -> None:
    """The table of all results, a row each."""
    needed = ("arm", "seed", "data set", "decoded in", "accuracy", "95 % interval", "truncated")
    console.show_rows(rows, needed, ("arm", "policy", "data set", "decoded in"))


def show_table(table: Table) -> None:
    """A table of the report with its title."""
    console.paragraph(f"\n{table.title}")
    console.show_rows(table.rows, table.columns, [each for each in table.columns if each not in table.right])
