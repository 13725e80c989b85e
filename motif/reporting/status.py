"""How far a run has come and how long the rest takes, read from its files alone, also while it runs.

Estimates go by seconds that were measured with clocks that nobody sets, so that none of them is negative. Nothing here
writes, waits, or asks a process.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.evaluation.wording import in_rounds, percent_interval
from motif.runs.budget import TOTALS, Budget, Limits
from motif.runs.folder import Run
from motif.runs.metric_names import renamed
from motif.runs.watchdogs import names, said
from motif.system import UserError, read_json, read_yaml
from motif.system.locks import Holder, holder, reason

FINISHED = ("done", "skipped", "finished")
RECENT = 20  # steps whose mean is the pace
BLOCK = 1 << 14  # bytes of metrics that are read at first, from the end: a few lines


@dataclass(frozen=True)
class Status:
    """Where a run stands. `spent` and `left` are seconds of training and evaluation, done and estimated to come; `left`
    is None where there is nothing to go by. `warned` names what its watchdogs have warned of."""

    name: str
    state: str
    detail: str = ""
    step: int = 0
    steps: int = 0
    result: str = ""
    spent: float = 0.0
    left: float | None = None
    overrides: Sequence[str] = ()
    warned: str = ""

    @property
    def result_or_why(self) -> str:
        """Its result, or else why it stands as it does; and what it was warned of."""
        warned = f"warned of {self.warned}" if self.warned else ""
        return "; ".join(filter(None, (self.result or self.detail, warned)))


def status(folder: Path) -> Status:
    """Where the run at `folder` stands; one whose files cannot be read is said to be unreadable, and why."""
    try:
        return replace(_status(Run(folder)), warned=names(said(folder)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Status(folder.name, "unreadable", reason(error))


def _status(run: Run) -> Status:
    name, held = run.folder.name, holder(run.lock)
    at_work = held is not None and held.alive
    if not at_work and (summary := run.summary()):
        last = last_lines(run.metrics_file, 1)
        step, compute = int(last[0]["step"]) if last else 0, summary.get("compute", {})
        spent = sum(compute.get(part, {}).get("seconds", 0.0) for part in ("training", "evaluation"))
        return Status(name, "finished", "", step, step, result_line(summary), spent)
    if at_work or run.is_run():
        return begun(run, held)
    if held and held.ended and held.ended.startswith("failed"):
        return Status(name, "failed", held.ended.removeprefix("failed: "))
    return Status(name, "not begun")


def begun(run: Run, held: Holder | None) -> Status:
    """Where a run without a result stands, by its files and by the lock on it."""
    file = run.folder / "config.yaml"
    config = read_yaml(file) if file.is_file() else {}
    lines = last_lines(run.metrics_file, RECENT)
    step = int(lines[-1]["step"]) if lines else 0
    more = steps_left(config, lines)
    spent = (float(lines[-1].get("total/seconds", 0.0)) if lines else 0.0) + evaluated(run)
    state, detail = unfinished(run, held)
    return Status(run.folder.name, state, detail, step, step + more, "", spent, time_left(run, lines, more))


def unfinished(run: Run, held: Holder | None) -> tuple[str, str]:
    """State and detail of a run without a result, by the lock on it."""
    if held and held.alive:
        doing = measuring(run)
        return "running", f"{doing}, on {held}" if doing else f"on {held}"
    if held is None or held.ended in ("done", "stopped"):
        return "stopped", ""
    if held.ended is None:
        return "killed", f"{'not heard of any more, ' if held.silent else ''}was on {held}"
    return "failed", held.ended.removeprefix("failed: ")


def last_lines(file: Path, most: int) -> list[dict[str, Any]]:
    """The last lines of a run's metrics, at most `most`; what follows the last line end is being written. The lines
    before are not read: a run may have thousands."""
    if not file.is_file():
        return []
    with file.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        end = b""
        while end.count(b"\n") <= most and len(end) < size:
            opened.seek(-min(size, 2 * len(end) or BLOCK), os.SEEK_END)
            end = opened.read()
    return [renamed(json.loads(line)) for line in end[: end.rfind(b"\n") + 1].splitlines()[-most:]]


def steps_left(config: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> int:
    """Steps to the end of training: to algo.steps, or to the limit of the budget that comes first at this pace."""
    step = int(lines[-1]["step"]) if lines else 0
    left = int(config.get("algo", {}).get("steps", 0)) - step
    for name, limit in limits(config).items():
        if step and (spent := lines[-1].get(TOTALS[name])):
            left = min(left, ceil((limit - spent) / (spent / step)))
    return max(0, left)


def limits(config: Mapping[str, Any]) -> Limits:
    """The limits of a run's budget; none where they cannot be told any more."""
    try:
        return Budget(**{key: value for key, value in config["budget"].items() if key != "_target_"}).limits()
    except (UserError, TypeError, KeyError):
        return {}


def time_left(run: Run, lines: Sequence[Mapping[str, Any]], steps: int) -> float | None:
    """Seconds that `steps` more take at the pace of the last `lines`, and the evaluation that follows."""
    return max(0.0, fmean(map(step_seconds, lines)) * steps) + evaluation_left(run) if lines else None


def step_seconds(line: Mapping[str, Any]) -> float:
    """Seconds of the step of this line of metrics."""
    return sum(value for key, value in line.items() if key.startswith("seconds/"))


def evaluated(run: Run) -> float:
    """Seconds that the evaluations of a run took that are done."""
    return sum(seconds(file) for which in ("base", "trained") for file in run.evaluation.glob(f"{which}-*-r*.json"))


def evaluation_left(run: Run) -> float:
    """Seconds that the trained policy's evaluations will take if they take as long as the untrained policy's did; 0
    where that one was not measured."""
    left = 0.0
    for before in run.evaluation.glob("base-*.json"):
        after = before.with_name(before.name.replace("base-", "trained-", 1))
        if not after.is_file():
            share = records(after.with_suffix(".jsonl")) / max(1, records(before.with_suffix(".jsonl")))
            left += seconds(before) * max(0.0, 1 - share)
    return left


def measuring(run: Run) -> str:
    """The evaluation that is being made, with how many questions are done; nothing where none is."""
    open_ones = (file for file in run.evaluation.glob("*.jsonl") if not file.with_suffix(".json").is_file())
    return next((f"measuring {file.stem}, {records(file)} done" for file in open_ones), "")


def records(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def seconds(file: Path) -> float:
    """What the evaluation with this result took."""
    return max(0.0, float(read_json(file).get("compute", {}).get("seconds", 0.0)))


def with_guesses(found: Sequence[Status]) -> list[Status]:
    """The same, where those of which nothing is known yet are said to take as long as the runs of the likest names did
    or will: of the same algorithm and rounds, say; the seed makes no difference."""
    took: dict[str, list[float]] = {}  # seconds of the runs of each arm
    for each in found:
        if (each.state in FINISHED or each.left is not None) and (all_of_it := each.spent + (each.left or 0.0)) > 0:
            took.setdefault(arm(each.name), []).append(all_of_it)

    @cache
    def guess(open_arm: str) -> float | None:
        likeness = {known: len({*open_arm.split("-")} & {*known.split("-")}) for known in took}
        alike = [known for known, shared in likeness.items() if shared == max(likeness.values())]
        return fmean(seconds for known in alike for seconds in took[known]) if alike else None

    known = [each.left is not None or each.state in FINISHED for each in found]
    return [
        one if is_known else replace(one, left=guess(arm(one.name))) for one, is_known in zip(found, known, strict=True)
    ]


def arm(name: str) -> str:
    """The name of a run without its seed, and without the hash that makes it one of its kind."""
    short = "|[0-9a-f]{4}" if re.search(r"-r\d+-s\d+-", name) else ""  # of a name that was not typed
    return re.sub(rf"-([0-9a-f]{{6}}{short})$", "", re.sub(r"-s\d+(?=-|$)", "", name))


def headline(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one result a run is known by: the trained policy's, on its first data set, at the run's rounds."""
    trained = [found for found in summary.get("evaluation", []) if found["policy"] == "trained"]
    first = [found for found in trained if found["dataset"] == trained[0]["dataset"]]
    return next((found for found in first if found["rounds"] == summary["rounds"]), first[-1] if first else None)


def result_line(summary: Mapping[str, Any]) -> str:
    """That result in words."""
    if (found := headline(summary)) is None:
        return ""
    share = f"{found['accuracy']:.1%} ({percent_interval(found['interval'])}, n = {found['n']})"
    return f"{share} on {found['dataset']} in {in_rounds(found['rounds'])}"


def objective(summary: Mapping[str, Any] | None) -> float | None:
    """What an optimiser may see: the accuracy on validation questions; None where test questions were measured on."""
    found = headline(summary) if summary else None
    return found["accuracy"] if found and found.get("split") == "validation" else None
