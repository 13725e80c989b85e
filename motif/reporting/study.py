"""A study is a sweep and what has become of it: `python -m motif.study status outputs/*` says so at any time.

Each launch of a sweep leaves a folder `outputs/.sweeps/<time>/` with a file for each job: what it was asked, what came
of it. Jobs write their own, from whatever process or machine they run in. What a run has reached is read from its
folder and its lock. Nothing here runs a job, and nothing has to be running; to go on is to type the same command again.
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from motif.reporting.status import FINISHED, Status, status, with_guesses
from motif.runs.folder import AnotherRun, Run
from motif.system import console, failures
from motif.system.environment import typed
from motif.system.errors import UserError, shown
from motif.system.files import named, read_json, read_yaml, there, write_json
from motif.system.locks import reason
from motif.system.safe_text import masked

UNTOUCHED = (*FINISHED, "running", "running elsewhere")  # that the same command has nothing to do for


@dataclass(frozen=True)
class Job:
    """One job of a launched sweep, in its file."""

    file: Path
    overrides: Sequence[str]

    def note(self, state: str, **more: Any) -> None:
        """Write down where the job stands: planned, begun, done, skipped, running elsewhere, stopped or failed."""
        known = read_json(self.file) if self.file.is_file() else {}
        kept = {key: known[key] for key in ("name", "folder") if key in known}
        number = int(self.file.stem)
        write_json(
            self.file, masked({"number": number, "overrides": list(self.overrides), **kept, "state": state, **more})
        )

    def failed(self, error: BaseException) -> None:
        """Write down why; the traceback of what is not a person's mistake is kept, for the last screen has no room.
        One that was `refused` for the run that lies in its folder has nothing to do with that run."""
        trace = "" if isinstance(error, UserError) else "".join(traceback.format_exception(error))
        self.note("failed", reason=reason(error), traceback=trace, refused=isinstance(error, AnotherRun))


def launch(folder: Path, study: str, command: Sequence[str], jobs: Sequence[tuple[Sequence[str], str | None]]) -> None:
    """Write down what a sweep is about to do: each job's overrides, and the name of its run where it is known.

    `jobs` is empty where an optimiser will choose them.
    """
    told = {"study": study, "command": list(command), "grid": bool(jobs)}
    write_json(folder / "study.json", masked(told))
    outputs = folder.parent.parent
    for number, (overrides, name) in enumerate(jobs):
        known = {} if name is None else {"name": name, "folder": str((outputs / name).absolute())}
        Job(folder / "jobs" / f"{number}.json", overrides).note("planned", **known)


def jobs_of(folder: Path) -> list[dict[str, Any]]:
    """What was noted of each job of the sweep launched in `folder`, in order. Their runs are looked for beside it,
    wherever it lies now."""
    files = sorted((folder / "jobs").glob("[0-9]*.json"), key=lambda file: int(file.stem))
    found = [whole(file, "number", "overrides", "state") for file in files]
    outputs = folder.absolute().parent.parent
    return [{**job, "folder": str(outputs / job["name"])} if job.get("name") else job for job in found]


def told(folder: Path) -> dict[str, Any]:
    """What was written down of the sweep launched in `folder` before its first job."""
    return whole(folder / "study.json", "study", "command")


def whole(file: Path, *keys: str) -> dict[str, Any]:
    """What the JSON `file` of a launch says; a `UserError` where one of `keys` is missing."""
    found = read_json(file)
    if missing := [key for key in keys if key not in found]:
        raise UserError(f"{file} does not say {', '.join(missing)}; put a whole copy in its place, or move it away")
    for key, kind in (("command", list), ("overrides", list), ("state", str)):
        if not isinstance(found.get(key, kind()), kind):
            raise UserError(
                f"{file} says {shown(found[key])} for {key}; put a whole copy in its place, or move it away"
            )
    return found


def study_of(run: Path) -> str | None:
    """The study of the newest launch beside a run's folder that it is a job of; None where it is of none."""
    for file in sorted((run.parent / ".sweeps").glob("*/study.json"), reverse=True):
        if any(job.get("name") == run.name for job in jobs_of(file.parent)):
            return str(told(file.parent)["study"])
    return None


def survey(paths: Iterable[Path]) -> tuple[list[Status], list[Path]]:
    """The runs at `paths`, and, of the newest launch of each study's command beside them, the jobs that have no folder
    yet; with the folders of these launches.

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
            plan = told(file.parent)
            launches[f"{outputs} {plan['study']} {sorted(plan['command'])}"] = file.parent
    for folder in launches.values():
        for job in jobs_of(folder):
            own = f"{folder}/{job['number']}"
            place = own if job.get("refused") else job.get("folder", own)
            if place not in runs:
                runs[place] = of_job(job)
    return with_guesses(list(runs.values())), list(launches.values())


def of_job(job: Mapping[str, Any]) -> Status:
    """Where a job of a sweep stands: what it said itself in this launch, else what its run's files say."""
    asked = list(job["overrides"])
    name = job.get("name") or " ".join(asked)
    mine = "folder" in job and not job.get("refused")
    here = status(Path(job["folder"])) if mine else Status(name, "not begun")
    here = replace(here, overrides=asked)
    state = job["state"]
    if state in FINISHED and mine and here.state not in FINISHED:
        return here  # its folder was removed since, and the same command does it again
    if state in ("done", "skipped", "failed"):
        left = None if state in FINISHED else here.left
        return replace(here, state=state, detail=job.get("reason", ""), result=job.get("result", ""), left=left)
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
        warned = f"warned of {each.warned}" if each.warned else ""
        words = "; ".join(filter(None, (each.result or each.detail, warned)))
        console.add_row(made, each.name, each.state, steps, duration(each.left), words)
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


def last_screen(folder: Path) -> bool:
    """What came of the sweep launched in `folder`, why jobs failed, and the commands that do what is left. Whether
    every job is finished, or being worked on."""
    study, jobs = told(folder)["study"], jobs_of(folder)
    found = with_guesses([of_job(job) for job in jobs])
    if not found:
        return True
    console.show(table(found, f"{study}: {totals(found)}"))
    if (best := folder / "optimization_results.yaml").is_file():
        chosen = read_yaml(best)
        words = " ".join(f"{key}={value}" for key, value in chosen.get("best_params", {}).items())
        console.say(f"{'best':<8}{words}    # {chosen.get('best_value')} on validation questions")
    how_to_go_on(folder, found)
    if any(job.get("traceback") for job in jobs):
        console.say(f"{'why':<8}tracebacks lie in {folder / 'jobs'}")
    return all(each.state in UNTOUCHED for each in found)


def how_to_go_on(folder: Path, found: Sequence[Status]) -> None:
    """Say the commands that do what is left of the sweep launched in `folder`, whose jobs stand as `found`."""
    plan = told(folder)
    again = [each for each in found if each.state not in UNTOUCHED]
    if again:
        console.say(f"{'again':<8}{typed(plan['command'])}    # skips what is finished")
        for each in again if plan.get("grid", True) else []:
            console.say(f"{'':<8}{typed([plan['command'][0], *each.overrides])}    # this one alone")


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.study", description="Where runs and sweeps stand.")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("status", help="a table of runs: state, progress, result, time left")
    asked.add_argument(
        "paths", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or a folder of them"
    )
    paths = there(parser.parse_args(arguments).paths)
    found, launches = survey(path for path in paths if path.name != "evaluations")
    if not found:
        raise UserError(f"no run in {named(paths)}; name run folders, or a folder of them")
    console.show(table(found))
    console.say(totals(found))
    known = {each.name: each for each in reversed(found)}
    for folder in launches:
        jobs = [(of_job(job), job.get("refused")) for job in jobs_of(folder)]
        of_launch = [
            each if refused else replace(known.get(each.name, each), overrides=each.overrides) for each, refused in jobs
        ]
        if not any(each.state == "running" for each in of_launch):
            how_to_go_on(folder, of_launch)
