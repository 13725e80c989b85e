"""The report's verdicts, table of results and pictures as a W&B run of the study's group: `--wandb`.

The run's id follows from the group, so that another report on it updates the same run. What cannot be sent is said in
one line, and lies in the report's folder anyway.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.reporting.folders import Recorded
from motif.reporting.style import Picture
from motif.reporting.tables import Table
from motif.runs.tracking.base import WandB
from motif.runs.tracking.wandb import Watched
from motif.system.errors import UserError

COLUMNS = ("verdict", "outcome", "arm", "baseline", "dataset", "rounds", "effect", "low", "high", "p", "n")


def summary_run(runs: Sequence[Recorded]) -> tuple[str, WandB]:
    """The id and the settings of the run that stands for the group of `runs`.

    Runs of several groups have one of their own; those of none are called by the folder that they lie in. Raises
    `UserError` where they are of several projects.
    """
    given = [run.config.get("tracking") for run in runs]
    told = [one for one in given if isinstance(one, Mapping)]
    found = {(one.get("entity"), one["project"]) for one in told if one.get("project")}
    if len(found) > 1:
        names = ", ".join(sorted(f"{entity or ''}/{project}".strip("/") for entity, project in found))
        raise UserError(f"--wandb: the runs are of several W&B projects ({names}); report on one at a time")
    entity, project = found.pop() if found else (None, "motif")
    groups = sorted({str(one["group"]) for one in told if one.get("group")})
    group = "+".join(groups) or runs[0].folder.absolute().parent.name
    id = f"report-{hashlib.sha256(f'{entity}/{project}/{group}'.encode()).hexdigest()[:12]}"
    return id, WandB(project=project, entity=entity, group=group, job_type="report")


def attach(
    to: Path, runs: Sequence[Recorded], judged: Sequence[Any], tables: Sequence[Table], pictures: Sequence[Picture]
) -> None:
    """Tell W&B what the report in `to` says of `runs`."""
    id, settings = summary_run(runs)
    tracker = settings.start(to, id, f"report {settings.group}", {"runs": [run.name for run in runs]})
    if isinstance(tracker, Watched):
        images = {f"pictures/{one.name}": (to / "pictures" / f"{one.name}.png", one.caption) for one in pictures}
        results = {f"report/{table.name}": (table.columns, table.rows) for table in tables if table.rows}
        tracker.attach({"report/verdicts": (COLUMNS, [row(one) for one in judged]), **results}, images)
    tracker.finish({"evaluation": []}, None)


def row(verdict: Any) -> list[Any]:
    """A verdict, or a line in place of one, as a row of COLUMNS."""
    low, high = getattr(verdict, "interval", (None, None))
    own = [getattr(verdict, name, None) for name in ("arm", "baseline", "dataset", "rounds", "effect")]
    ends = [getattr(verdict, name, None) for name in ("p", "n")]
    return [verdict.sentence, verdict.outcome, *own, low, high, *ends]
