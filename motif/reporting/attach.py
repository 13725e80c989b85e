"""The report's verdicts, table of results and pictures as a W&B run of the study's group: `--wandb`.

The id of the run follows from the group, so that another report on it updates the same run. Where something cannot be
sent a line says so; it lies in the report's folder in any case.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.reporting.page import Report
from motif.reporting.recorded import RecordedRun
from motif.runs.tracking.base import WandB
from motif.runs.tracking.wandb import Watched
from motif.system.errors import UserError

COLUMNS = ("verdict", "outcome", "arm", "baseline", "dataset", "rounds", "effect", "low", "high", "p", "n")


def settings_of_wandb(runs: Sequence[RecordedRun]) -> list[Mapping[str, Any]]:
    """What `runs` were told of W&B, alone or as one of several trackers."""
    chosen = [settings for run in runs if isinstance(settings := run.config.get("tracking"), Mapping)]
    return [own for settings in chosen for own in settings.get("trackers", [settings]) if "entity" in own]


def groups_of(runs: Sequence[RecordedRun]) -> list[str]:
    """The groups of W&B that `runs` are of."""
    return sorted({str(settings["group"]) for settings in settings_of_wandb(runs) if settings.get("group")})


def summary_run(
    runs: Sequence[RecordedRun], entity: str | None = None, project: str | None = None
) -> tuple[str, WandB]:
    """The id and the settings of the W&B run that stands for the group of `runs`.

    It is in the entity and the project of the runs, unless others are given.

    Runs of several groups together have one of their own. Those without a group are called by the folder that they lie
    in.

    Raises:
        UserError: where they are of several projects.
    """
    tracking = settings_of_wandb(runs)
    projects = {(settings.get("entity"), settings["project"]) for settings in tracking if settings.get("project")}
    if len(projects) > 1:
        names = ", ".join(sorted(f"{entity or ''}/{project}".strip("/") for entity, project in projects))
        raise UserError(f"--wandb: the runs are of several W&B projects ({names}); report on one at a time")
    theirs = projects.pop() if projects else (None, "motif")
    entity, project = entity or theirs[0], project or theirs[1]
    group = "+".join(groups_of(runs)) or runs[0].folder.absolute().parent.name
    id = f"report-{hashlib.sha256(f'{entity}/{project}/{group}'.encode()).hexdigest()[:12]}"
    return id, WandB(project=project, entity=entity, group=group, job_type="report")


def attach(
    to: Path, runs: Sequence[RecordedRun], report: Report, entity: str | None = None, project: str | None = None
) -> None:
    """Send W&B what the report in the folder `to` says of `runs`."""
    id, settings = summary_run(runs, entity, project)
    tracker = settings.start(to, id, f"report {settings.group}", {"runs": [run.name for run in runs]})
    if isinstance(tracker, Watched):
        results = {
            f"report/{table.name}": (table.columns, [list(row.values()) for row in table.rows])
            for table in report.tables["results"]
        }
        verdicts = (list(COLUMNS), [verdict_row(verdict) for verdict in report.verdicts])
        pictures = {f"pictures/{each.name}": each.caption for each in report.pictures}
        images = {name: (to / f"{name}.png", caption) for name, caption in pictures.items()}
        tracker.attach({"report/verdicts": verdicts, **results}, images)
    tracker.finish({"evaluation": []}, None)


def verdict_row(verdict: Any) -> list[Any]:
    """A verdict, or a line in place of one, as a row of COLUMNS."""
    values = {**vars(verdict), "verdict": verdict.sentence, "outcome": verdict.outcome}
    values["low"], values["high"] = values.get("interval", (None, None))
    return [values.get(column) for column in COLUMNS]
