"""How far a run has come and how long the rest takes, read from its files alone, also while it runs.

Estimates go by seconds that were measured with clocks that nobody sets, so that none of them is negative. Nothing here
writes, waits, or asks a process.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.evaluation.terminal import interval
from motif.runs.budget import TOTALS, Budget, Limits
from motif.runs.folder import Run
from motif.system.errors import UserError
from motif.system.files import read_json, read_yaml
from motif.system.locks import Holder, holder, reason
from motif.training.watchdogs import names, said

FINISHED = ("done", "skipped", "finished")
RECENT = 20  # steps whose mean is the pace


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


def status(folder: Path) -> Status:
    """Where the run at `folder` stands; one whose files cannot be read is said to be unreadable, and why."""
    try:
        return replace(_status(Run(folder)), warned=names(said(folder)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Status(folder.name, "unreadable", reason(error))


def _status(run: Run) -> Status:
    folder = run.folder
    file = folder / "config.yaml"
    config = read_yaml(file) if file.is_file() else {}
    lines = metrics(run.metrics_file)
    step = int(lines[-1]["step"]) if lines else 0
    held = holder(run.lock)
    if (not held or not held.alive) and (summary := run.summary()):
        spent = sum(summary.get("compute", {}).get(part, {}).get("seconds", 0.0) for part in ("training", "evaluation"))
        return Status(folder.name, "finished", "", step, step, result_line(summary), spent)
    if run.is_run() or (held and held.alive):
        more = steps_left(config, lines)
        spent = (float(lines[-1].get("seconds/training", 0.0)) if lines else 0.0) + evaluated(run)
        state, detail = unfinished(run, held)
        return Status(folder.name, state, detail, step, step + more, "", spent, time_left(run, lines, more))
    if held and (held.ended or "").startswith("failed"):
        return Status(folder.name, "failed", reason_of(held))
    return Status(folder.name, "not begun")


def unfinished(run: Run, held: Holder | None) -> tuple[str, str]:
    """State and detail of a run without a result, by the lock on it."""
    if held and held.alive:
        doing = measuring(run)
        return "running", f"{doing}, on {held}" if doing else f"on {held}"
    if held is None or held.ended in ("done", "stopped"):
        return "stopped", ""
    if held.ended is None:
        return "killed", f"{'not heard of any more, ' if held.silent else ''}was on {held}"
    return "failed", reason_of(held)


def reason_of(held: Holder) -> str:
    return (held.ended or "").removeprefix("failed: ")


def metrics(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's metrics; the last one may be being written."""
    text = file.read_text() if file.is_file() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


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
    told = {key: value for key, value in config.get("budget", {}).items() if key != "_target_"}
    try:
        return Budget(**told).limits()
    except (UserError, TypeError):
        return {}


def time_left(run: Run, lines: Sequence[Mapping[str, Any]], steps: int) -> float | None:
    """Seconds that `steps` more take at the pace of the last ones, and the evaluation that follows."""
    if not lines:
        return None
    phases = [
        [value for key, value in line.items() if key.startswith("seconds/") and key != "seconds/training"]
        for line in lines[-RECENT:]
    ]
    return max(0.0, fmean(map(sum, phases)) * steps) + evaluation_left(run)


def evaluated(run: Run) -> float:
    """Seconds that the evaluations of a run took that are done."""
    return sum(
        seconds(file) for file in run.evaluation.glob("*-r*.json") if file.name.startswith(("base-", "trained-"))
    )


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
    begun = [file for file in run.evaluation.glob("*.jsonl") if not file.with_suffix(".json").is_file()]
    return f"measuring {begun[0].stem}, {records(begun[0])} done" if begun else ""


def records(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def seconds(file: Path) -> float:
    """What the evaluation with this result took."""
    return max(0.0, float(read_json(file).get("compute", {}).get("seconds", 0.0)))


def with_guesses(found: Sequence[Status]) -> list[Status]:
    """The same, where those of which nothing is known yet are said to take as long as the runs of the likest names did
    or will: of the same algorithm and rounds, say; the seed makes no difference."""
    known = [each for each in found if each.state in FINISHED or each.left is not None]
    known = [each for each in known if each.spent + (each.left or 0.0) > 0]

    def guess(open_one: Status) -> float | None:
        likeness = [len(parts(open_one.name) & parts(each.name)) for each in known]
        alike = [each for each, shared in zip(known, likeness, strict=True) if shared == max(likeness)]
        return fmean(each.spent + (each.left or 0.0) for each in alike) if alike else None

    return [
        each if each.left is not None or each.state in FINISHED else replace(each, left=guess(each)) for each in found
    ]


def parts(name: str) -> set[str]:
    return {part for part in name.split("-") if not re.fullmatch(r"s\d+", part)}


def headline(summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one result a run is known by: the trained policy's, on its first data set, at the run's rounds."""
    trained = [found for found in summary.get("evaluation", []) if found["policy"] == "trained"]
    first = [found for found in trained if found["dataset"] == trained[0]["dataset"]]
    return next((found for found in first if found["rounds"] == summary["rounds"]), first[-1] if first else None)


def result_line(summary: Mapping[str, Any]) -> str:
    """That result in words."""
    if (found := headline(summary)) is None:
        return ""
    rounds = f"{found['rounds']} round" + "s" * (found["rounds"] > 1)
    return (
        f"{found['accuracy']:.1%} ({interval(found['interval'])}, n = {found['n']}) on {found['dataset']} in {rounds}"
    )


def objective(summary: Mapping[str, Any] | None) -> float | None:
    """What an optimiser may see: the accuracy on validation questions; None where test questions were measured on."""
    found = headline(summary) if summary else None
    return found["accuracy"] if found and found.get("split") == "validation" else None
