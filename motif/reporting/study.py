"""A study is a sweep and what has become of it: `python -m motif.study status outputs/*` says so at any time.

Each launch of a sweep leaves a folder `outputs/.sweeps/<time>/`: study.json says what each job is asked, and a job that
has begun writes what came of it into its own file, from whatever process or machine it runs in. What a run has reached
is read from its folder and its lock. Nothing here runs a job, and nothing has to be running; to go on is to type the
same command again.
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motif.evaluation.terminal import LONGEST, report_command, say_next
from motif.reporting.status import FINISHED, Status, status, with_guesses
from motif.reporting.status_screen import FEW, duration, show, totals
from motif.runs.folder import AnotherRun, Run
from motif.system import (
    UserError,
    console,
    failures,
    masked,
    named,
    processes,
    read_json,
    read_yaml,
    shown,
    there,
    write_json,
)
from motif.system.environment import typed
from motif.system.locks import reason

UNTOUCHED = (*FINISHED, "running", "running elsewhere")  # that the same command has nothing to do for
LAUNCHES, ALONE = 2, 3  # of many runs: sweeps whose commands are said, and single jobs of each


@dataclass(frozen=True)
class Job:
    """One job of a launched sweep, in its file."""

    file: Path
    overrides: Sequence[str]

    def note(self, state: str, **more: Any) -> None:
        """Write down where the job stands: begun, done, skipped, running elsewhere, stopped or failed. Of several
        processes the first one does."""
        if not processes.first():
            return
        known = read_json(self.file) if self.file.is_file() else {}
        kept = {key: known[key] for key in ("name", "folder") if key in known}
        asked = {"number": int(self.file.stem), "overrides": list(self.overrides)}
        write_json(self.file, masked({**asked, **kept, "state": state, **more}))

    def failed(self, error: BaseException) -> None:
        """Write down why; the traceback of what is not a person's mistake is kept, for the last screen has no room.
        One that was `refused` for the run that lies in its folder has nothing to do with that run."""
        trace = "" if isinstance(error, UserError) else "".join(traceback.format_exception(error))
        self.note("failed", reason=reason(error), traceback=trace, refused=isinstance(error, AnotherRun))


def launch(folder: Path, study: str, command: Sequence[str], jobs: Sequence[tuple[Sequence[str], str | None]]) -> None:
    """Write down what a sweep is about to do: each job's overrides, and the name of its run where it is known.

    `jobs` is empty where an optimiser will choose them.
    """
    planned = [{"overrides": list(overrides), "name": name} for overrides, name in jobs]
    told = {"study": study, "command": list(command), "grid": bool(jobs), "jobs": planned}
    write_json(folder / "study.json", masked(told))


def jobs_of(folder: Path) -> list[dict[str, Any]]:
    """What is known of each job of the sweep launched in `folder`, in order: as it was planned, and what it has noted
    since. Their runs are looked for beside it, wherever it lies now."""
    file, outputs = folder / "study.json", folder.absolute().parent.parent
    planned = [checked(job, file, "overrides") for job in checked(read_json(file), file).get("jobs", [])]
    found = {number: {"number": number, "state": "planned", **job} for number, job in enumerate(planned)}
    for noted in (folder / "jobs").glob("[0-9]*.json"):  # the first version planned a job there, too
        number = int(noted.stem)
        found[number] = found.get(number, {}) | checked(read_json(noted), noted, "number", "overrides", "state")
    jobs = [found[number] for number in sorted(found)]
    return [{**job, "folder": str(outputs / job["name"])} if job.get("name") else job for job in jobs]


def told(folder: Path) -> dict[str, Any]:
    """What was written down of the sweep launched in `folder` before its first job."""
    file = folder / "study.json"
    return checked(read_json(file), file, "study", "command")


def checked(found: Any, file: Path, *keys: str) -> dict[str, Any]:
    """What was `found` in the `file` of a launch; a `UserError` where a key is missing or of a wrong kind."""
    whole = "put a whole copy in its place, or move it away"
    if not isinstance(found, dict):
        raise UserError(f"{file} says {shown(found)} for a job; {whole}")
    if missing := [key for key in keys if key not in found]:
        raise UserError(f"{file} does not say {', '.join(missing)}; {whole}")
    for key, kind in (("command", list), ("overrides", list), ("jobs", list), ("state", str)):
        if not isinstance(found.get(key, kind()), kind):
            raise UserError(f"{file} says {shown(found[key])} for {key}; {whole}")
    return found


def study_of(run: Path) -> str | None:
    """The study of the newest launch beside a run's folder that it is a job of; None where it is of none."""
    for file in sorted((run.parent / ".sweeps").glob("*/study.json"), reverse=True):
        if any(job.get("name") == run.name for job in jobs_of(file.parent)):
            return str(told(file.parent)["study"])
    return None


def survey(paths: Iterable[Path]) -> tuple[list[Status], dict[Path, list[Status]]]:
    """The runs at `paths`, and, of the newest launch of each study's command beside them, the jobs that have no folder
    yet; and the jobs of each of these launches, by its folder.

    A path is a run's folder, a folder of runs, or one launch's folder below `.sweeps`.
    """
    runs: dict[str, Status] = {}
    launches: dict[str, Path] = {}
    folders: dict[Path, None] = {}  # of runs, each once
    for path in paths:
        if (path / "study.json").is_file():
            launches[str(path)] = path
            continue
        alone = Run(path).is_run()
        folders[(path.parent if alone else path).absolute()] = None
        for each in [path] if alone else sorted(path.glob("*")):
            if Run(each).is_run():
                runs[str(each.absolute())] = status(each)
    for outputs in folders:
        launches |= launches_in(outputs)
    asked: dict[Path, list[tuple[str, Sequence[str]]]] = {}  # where the runs of its jobs lie, and their overrides
    for folder in launches.values():
        for job in jobs_of(folder):
            own = f"{folder}/{job['number']}"
            place = own if job.get("refused") else job.get("folder", own)
            asked.setdefault(folder, []).append((place, job["overrides"]))
            if place not in runs:
                runs[place] = of_job(job)
    found = dict(zip(runs, with_guesses(list(runs.values())), strict=True))
    jobs = {folder: [replace(found[place], overrides=words) for place, words in own] for folder, own in asked.items()}
    return list(found.values()), jobs


def launches_in(outputs: Path) -> dict[str, Path]:
    """The folder of the newest launch of each study's command that was launched into `outputs`."""
    newest = {}
    for file in sorted(outputs.glob(".sweeps/*/study.json")):
        plan = told(file.parent)
        newest[f"{outputs} {plan['study']} {sorted(plan['command'])}"] = file.parent
    return newest


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


def place(job: Job, of: int) -> str:
    """`job 3 of 9`, where an optimiser may run `of` jobs."""
    planned = told(job.file.parent.parent).get("jobs", [])
    return f"job {int(job.file.stem) + 1} of {max(len(planned), of)}"


def heading(job: Job, name: str, of: int, at_once: int) -> str:
    """The line that a job begins with: which one it is, and how long the whole sweep will still take where that can be
    told, so many jobs running at once."""
    found = with_guesses([of_job(each) for each in jobs_of(job.file.parent.parent)])
    left = sum(each.left or 0.0 for each in found if each.state not in FINISHED)
    whole = f"  (about {duration(left / at_once)} left of the whole)" if left else ""
    return f"{place(job, of)}: {name}{whole}"


def last_screen(folder: Path) -> bool:
    """What came of the sweep launched in `folder`: a table of its arms and the verdict, which jobs failed and why, and
    what to type next. Whether every job is finished, or being worked on."""
    study, jobs = told(folder)["study"], jobs_of(folder)
    found = with_guesses([of_job(job) for job in jobs])
    if not found:
        return True
    console.say(f"{study}: {totals(found)}")
    finished = [Path(job["folder"]) for job, each in zip(jobs, found, strict=True) if each.state in FINISHED]
    if finished:
        from motif.reporting.screen import show_arms

        try:
            show_arms(finished)
        except UserError as error:
            console.say(str(error), style="yellow")
    if rest := [each for each in found if each.state not in FINISHED]:
        show(rest)
    elif finished:
        say_next([report_command(folder.absolute().parent.parent)])
    if (best := folder / "optimization_results.yaml").is_file():
        chosen = read_yaml(best)
        words = " ".join(f"{key}={value}" for key, value in chosen.get("best_params", {}).items())
        console.say(f"{'best':<8}{words}    # {chosen.get('best_value')} on validation questions")
    how_to_go_on(folder, found, most=None if len(found) <= FEW else ALONE)
    if any(job.get("traceback") for job in jobs):
        console.say(f"{'why':<8}tracebacks lie in {folder / 'jobs'}")
    return all(each.state in UNTOUCHED for each in found)


def how_to_go_on(folder: Path, found: Sequence[Status], most: int | None = None) -> None:
    """Say the commands that do what is left of the sweep launched in `folder`, whose jobs stand as `found`: that of the
    sweep, and those of `most` single jobs (None: of all)."""
    plan, again = told(folder), to_do(found)
    if again:
        say_again(typed(plan["command"]), "# skips what is finished")
    if not plan.get("grid", True):
        return
    for each in again[:most]:
        say_again(typed([plan["command"][0], *each.overrides]), "# this one alone", "")
    if more := len(again) - len(again[:most]):
        console.say(f"{'':<8}and {more:,} more jobs")


def say_again(command: str, why: str, head: str = "again") -> None:
    """A command that goes on; one that nobody would type is not repeated."""
    if len(command) <= LONGEST:
        console.say(f"{head:<8}{command}    {why}")
    elif head:
        console.say(f"{head:<8}the same command    {why}")


def to_do(found: Sequence[Status]) -> list[Status]:
    """The jobs that the same command begins or continues."""
    return [each for each in found if each.state not in UNTOUCHED]


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.study", description="Where runs and sweeps stand.")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("status", help="a table of runs: state, progress, result, time left")
    outputs = [Path("outputs")]
    asked.add_argument("paths", nargs="*", type=Path, default=outputs, help="run folders, or a folder of them")
    asked.add_argument("--all", action="store_true", help=f"a row for each run, also for more than {FEW}")
    given = parser.parse_args(arguments)
    paths = there(given.paths)
    found, jobs = survey(path for path in paths if path.name != "evaluations")
    if not found:
        raise UserError(f"no run in {named(paths)}; name run folders, or a folder of them")
    every = given.all or len(found) <= FEW
    show(found, every=every)
    console.say(totals(found))
    running = {folder for folder, own in jobs.items() if any(each.state == "running" for each in own)}
    open_ones = [folder for folder, own in jobs.items() if to_do(own) and folder not in running]
    for folder in open_ones if every else open_ones[-LAUNCHES:]:
        how_to_go_on(folder, jobs[folder], most=None if every else ALONE)
    if not every:
        console.say("--all shows each run, and each command that goes on")
