"""A study is a sweep and what has become of it: `python -m motif.study status outputs/*` says so at any time.

Each launch of a sweep leaves a folder `outputs/.sweeps/<time>/` with a file for each job: what it was asked, what came
of it. Jobs write their own, from whatever process or machine they run in. What a run has reached is read from its
folder and its lock. Nothing here runs a job, and nothing has to be running; to go on is to type the same command again.
"""

import argparse
import json
import shlex
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from rich import box
from rich.table import Table

from motif import screen
from motif.checks import UserError
from motif.locks import holder, reason
from motif.results import interval
from motif.runs import Run, write_json

FINISHED = ("done", "skipped", "finished")


@dataclass(frozen=True)
class Job:
    """One job of a launched sweep, in its file."""

    file: Path
    overrides: Sequence[str]

    def note(self, state: str, **more: Any) -> None:
        """Write down where the job stands: planned, begun, done, skipped, running elsewhere, stopped or failed."""
        known = json.loads(self.file.read_text()) if self.file.is_file() else {}
        kept = {key: known[key] for key in ("name", "folder") if key in known}
        number = int(self.file.stem)
        write_json(self.file, {"number": number, "overrides": list(self.overrides), **kept, "state": state, **more})

    def failed(self, error: BaseException) -> None:
        """Write down why; the traceback of what is not a person's mistake is kept, for the last screen has no room."""
        trace = "" if isinstance(error, UserError) else "".join(traceback.format_exception(error))
        self.note("failed", reason=reason(error), traceback=trace)


@dataclass(frozen=True)
class Status:
    """Where a run stands. `left` is an estimate in seconds, None where there is nothing to go by."""

    name: str
    state: str
    detail: str = ""
    step: int = 0
    steps: int = 0
    result: str = ""
    left: float | None = None
    overrides: Sequence[str] = ()


def launch(folder: Path, study: str, command: Sequence[str], jobs: Sequence[tuple[Sequence[str], str | None]]) -> None:
    """Write down what a sweep is about to do: each job's overrides, and the name of its run where it is known.

    `jobs` is empty where an optimiser will choose them.
    """
    write_json(folder / "study.json", {"study": study, "command": list(command), "grid": bool(jobs)})
    outputs = folder.parent.parent
    for number, (overrides, name) in enumerate(jobs):
        known = {} if name is None else {"name": name, "folder": str((outputs / name).absolute())}
        Job(folder / "jobs" / f"{number}.json", overrides).note("planned", **known)


def jobs_of(folder: Path) -> list[dict[str, Any]]:
    """What was noted of each job of the sweep launched in `folder`, in order."""
    files = sorted((folder / "jobs").glob("[0-9]*.json"), key=lambda file: int(file.stem))
    return [json.loads(file.read_text()) for file in files]


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


def status(folder: Path) -> Status:
    """Where the run at `folder` stands, from its files alone."""
    run = Run(folder)
    file = folder / "config.yaml"
    config = yaml.safe_load(file.read_text()) if file.is_file() else {}
    lines = metrics(run.metrics_file)
    step, steps = int(lines[-1]["step"]) if lines else 0, int(config.get("algo", {}).get("steps", 0))
    known = Status(folder.name, "", step=step, steps=steps)
    held = holder(run.lock)
    if held and held.alive:
        return replace(known, state="running", detail=f"on {held}", left=time_left(run, lines, step, steps))
    if summary := run.summary():
        return replace(known, state="finished", result=result_line(summary))
    if not run.is_run():
        failed = held is not None and held.ended is not None and held.ended.startswith("failed")
        return replace(
            known, state="failed" if failed else "not begun", detail=words(held.ended) if failed and held else ""
        )
    left = time_left(run, lines, step, steps)
    if held is None or held.ended in ("done", "stopped"):
        return replace(known, state="stopped", left=left)
    if held.ended is None:
        return replace(known, state="killed", detail=f"was on {held}", left=left)
    return replace(known, state="failed", detail=words(held.ended), left=left)


def words(ended: str | None) -> str:
    return (ended or "").removeprefix("failed: ")


def metrics(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's metrics; the last one may be being written."""
    text = file.read_text() if file.is_file() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def time_left(run: Run, lines: Sequence[Mapping[str, Any]], step: int, steps: int) -> float | None:
    """Seconds that the rest of training takes at the pace of its last 20 steps, and the evaluation that follows at the
    pace of the one before it."""
    if not lines:
        return None
    pace = fmean(sum(value for key, value in line.items() if key.startswith("seconds/")) for line in lines[-20:])
    return pace * (steps - step) + evaluation_time(run)


def evaluation_time(run: Run) -> float:
    """Seconds that the untrained policy's evaluation took; 0 where there was none."""
    results = [file.stat().st_mtime for file in run.evaluation.glob("base-*.json")]
    began = run.folder / "environment.json"
    return max(0.0, max(results) - began.stat().st_mtime) if results and began.is_file() else 0.0


def survey(paths: Iterable[Path]) -> list[Status]:
    """The runs at `paths` and, of the newest launch of each study beside them, the jobs that have no folder yet.

    A path is a run's folder, a folder of runs, or one launch's folder below `.sweeps`.
    """
    runs: dict[str, Status] = {}
    launches: dict[str, Path] = {}
    for path in paths:
        if (path / "study.json").is_file():
            launches[str(path)] = path
            continue
        outputs = (path.parent if Run(path).is_run() else path).absolute()
        for each in [path] if Run(path).is_run() else sorted(path.glob("*")):
            if Run(each).is_run():
                runs[str(each.absolute())] = status(each)
        for file in sorted(outputs.glob(".sweeps/*/study.json")):
            launches[f"{outputs} {json.loads(file.read_text())['study']}"] = file.parent
    for folder in launches.values():
        for job in jobs_of(folder):
            place = job.get("folder", f"{folder}/{job['number']}")
            runs.setdefault(place, of_job(job))
    return list(runs.values())


def of_job(job: Mapping[str, Any]) -> Status:
    """Where a job of a sweep stands: what it said itself in this launch, else what its run's files say."""
    asked = list(job["overrides"])
    name = job.get("name") or " ".join(asked)
    here = status(Path(job["folder"])) if "folder" in job else Status(name, "not begun")
    here = replace(here, overrides=asked)
    state = job["state"]
    if state in ("done", "skipped", "failed"):
        return replace(here, state=state, detail=job.get("reason", ""), result=job.get("result", ""), left=None)
    if state == "running elsewhere":
        return replace(here, state=state, detail=job.get("reason", ""))
    if state == "begun" and here.state == "not begun":
        return replace(here, state="killed", detail="its process ended before anything was recorded")
    return here


def table(found: Sequence[Status], title: str | None = None) -> Table:
    """One row a run."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in ("run", "state", "steps", "left", "result, or why"):
        made.add_column(column, justify="right" if column in ("steps", "left") else "left", overflow="fold")
    for each in found:
        steps = f"{each.step}/{each.steps}" if each.steps else ""
        made.add_row(each.name, each.state, steps, duration(each.left), each.result or each.detail)
    return made


def duration(seconds: float | None) -> str:
    """`2 d 3 h`, `1 h 05 min`, `12 min`, `40 s`; nothing for None."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return (
        f"{minutes // 60} h {minutes % 60:02d} min"
        if minutes < 24 * 60
        else f"{minutes // 1440} d {minutes // 60 % 24} h"
    )


def totals(found: Sequence[Status]) -> str:
    """How many runs are in each state, and how long the rest takes where that can be told."""
    states = list(dict.fromkeys(each.state for each in found))
    counts = ", ".join(f"{sum(each.state == state for each in found)} {state}" for state in states)
    open_ones = [each for each in found if each.state not in FINISHED]
    guesses = [each.left for each in open_ones if each.left is not None]
    if not guesses:
        return counts
    unknown = len(open_ones) - len(guesses)
    also = f", and {unknown} of which nothing is known yet" * bool(unknown)
    return f"{counts}; about {duration(sum(guesses))} of work left in {len(guesses)} of them{also}"


def last_screen(folder: Path) -> None:
    """What came of the sweep launched in `folder`, why jobs failed, and the commands that do what is left."""
    told = json.loads((folder / "study.json").read_text())
    found = [of_job(job) for job in jobs_of(folder)]
    if not found:
        return
    screen.show(table(found, f"{told['study']}: {totals(found)}"))
    again = [each for each in found if each.state not in (*FINISHED, "running elsewhere", "running")]
    if again:
        screen.say(f"{'again':<8}{shlex.join(['python', *told['command']])}    # skips what is finished")
        for each in again if told.get("grid", True) else []:
            screen.say(f"{'':<8}{shlex.join(['python', told['command'][0], *each.overrides])}    # this one alone")
    if any(json.loads(file.read_text()).get("traceback") for file in (folder / "jobs").glob("*.json")):
        screen.say(f"{'why':<8}tracebacks lie in {folder / 'jobs'}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m motif.study", description="Where runs and sweeps stand.")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("status", help="a table of runs: state, progress, result, time left")
    asked.add_argument(
        "paths", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or a folder of them"
    )
    arguments = parser.parse_args()
    found = survey(path for path in arguments.paths if path.name != "evaluations")
    if not found:
        parser.error(f"no run in {', '.join(map(str, arguments.paths))[:200]}")
    screen.show(table(found))
    screen.say(totals(found))


if __name__ == "__main__":
    main()
