"""Starts programs and sweeps: what is written down before the first job, and what a person sees after the last.

The jobs are run by Hydra's launchers, in this process or in others;
what came of them is read from the files that they leave.
"""

import hashlib
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from motif import forecast, hydra_private
from motif.cli import Mistake, as_typed, interrupted
from motif.mistakes import check_options, tell
from motif.planning import Names
from motif.reporting.study import jobs_of, last_screen, launch
from motif.sharing import DIVIDED, GPUS
from motif.system import UserError, console, failures, install, masked, processes
from motif.system.config import PACKAGE
from motif.system.environment import cores, gpus
from motif.system.files import explained, parsed_yaml, write_text

NEEDED = {"ray": "pip install hydra-ray-launcher"}  # by launchers that are in no extra of ours


@dataclass(frozen=True)
class Launched:
    """A sweep that this process has launched: its folder, the class of Hydra's launcher that runs its jobs, and whether
    this process waits for them."""

    folder: Path
    launcher: str
    waits: bool = True

    @property
    def logs(self) -> Path | None:
        """Where submitit keeps the logs of the jobs; None where it has begun none."""
        found = self.folder / "logs"
        return found if found.is_dir() else None


launched: list[Launched] = []  # by this process, which launches one at most


class Folders(Callback):
    """What Hydra calls before it makes a folder of its own. Runs and sweeps lie in `outputs`, where they are looked
    for."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """End with one line where Hydra was given another folder."""
        hydra = config.hydra
        if hydra.job.chdir:
            words = "hydra.job.chdir=true would begin each path elsewhere than where the command is typed"
            raise SystemExit(f"error: {words}; leave it out: a run lies in outputs=, by its name=")
        if hydra.run.dir != ".":
            raise SystemExit(
                f"error: hydra.run.dir={hydra.run.dir} is no run's folder: choose outputs=FOLDER, and name=NAME in it"
            )
        sweeps, sweep = Path(config.get("outputs", ".")) / ".sweeps", as_typed(hydra.sweep)
        if Path(hydra.sweep.dir).absolute().parent != sweeps.absolute() or sweep["subdir"] != ".":
            words = f"hydra.sweep.dir={hydra.sweep.dir} hydra.sweep.subdir={sweep['subdir']}"
            raise SystemExit(
                f"error: {words}: a sweep lies in a folder in {sweeps}, its runs beside it; choose outputs=FOLDER"
            )
        if hydra.mode != RunMode.MULTIRUN and (of := launchers(hydra)):
            raise SystemExit(f"error: {of[0]} runs the jobs of a sweep, and this is one run: type -m, or leave it out")

    on_multirun_start = on_run_start


class Plan(Folders):
    """What Hydra calls before a sweep, and around each of its jobs."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Write down what the sweep is about to do, and prepare this process for its jobs."""
        self.on_run_start(config)
        hydra, folder = config.hydra, Path(config.hydra.sweep.dir)
        module, _, launcher = hydra.launcher._target_.rpartition(".")
        if not installed(module):
            name = hydra.runtime.choices["hydra/launcher"]
            raise SystemExit(f"error: hydra/launcher={name} needs: {NEEDED.get(name, install('sweeps'))}")
        words = swept(hydra)
        jobs = jobs_asked(hydra, words)
        waits = config.get("sweep", {}).get("wait", True)
        if not waits and not (jobs and "submitit" in module):
            raise SystemExit("error: sweep.wait=false is for submitit_slurm and submitit_local, without an optimiser")
        if config.plan:
            say_what_they_take(jobs, as_typed(hydra.overrides.hydra))
        many = len(jobs) or hydra.sweeper.get("n_trials") or 1
        console.say(f"{many:,} job{'s' * (many > 1)}; where they stand: python -m motif.study status {config.outputs}")
        if "submitit" in module:
            console.say(f"logs in {folder / 'logs'}")
        write_down(folder, study_name(hydra, words), planned(jobs, as_typed(hydra.overrides.hydra)))
        launched.append(Launched(folder, launcher, waits))
        if not waits:
            hydra_private.wait_for_none()
        prepare(launcher, (len(jobs) or hydra.sweeper.get("n_jobs") or 1) * (hydra.launcher.get("tasks_per_node") or 1))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hide the secrets in what Hydra writes down of a sweep."""
        file = Path(config.hydra.sweep.dir) / "multirun.yaml"  # that Hydra's own sweeper has written
        if config.hydra.mode == RunMode.MULTIRUN and file.is_file():
            raw = parsed_yaml(file.read_text())
            if (clean := masked(raw)) != raw:
                write_text(file, yaml.safe_dump(clean, sort_keys=False))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """A job that a mistake ended has said so itself."""
        hydra_private.keep_quiet(job_return, Mistake)


def launchers(hydra: DictConfig) -> list[str]:
    """The launcher that was typed, in a list."""
    return [word for word in as_typed(hydra.overrides.hydra) if word.lstrip("+").startswith("hydra/launcher=")]


def swept(hydra: DictConfig) -> list[str]:
    """The overrides that make the jobs: a preset's, then what was typed."""
    params = hydra.sweeper.get("params") or {}
    return [*(f"{key}={value}" for key, value in params.items()), *as_typed(hydra.overrides.task)]


def jobs_asked(hydra: DictConfig, words: Sequence[str]) -> list[list[str]]:
    """The overrides of each job that `words` make; none where an optimiser chooses the jobs as it goes."""
    if not hydra.sweeper._target_.endswith("BasicSweeper"):
        if "optuna" in hydra.sweeper._target_:
            import_module("optuna").logging.set_verbosity(logging.WARNING)
        return []
    if jobs := hydra_private.jobs(words):
        return jobs
    raise SystemExit(f"error: these settings make no job: {' '.join(words)}")


def planned(jobs: Sequence[Sequence[str]], extra: Sequence[str]) -> list[tuple[Sequence[str], str | None]]:
    """Each job with the name that its run will have. Where a name cannot be told Hydra composes the job, before the
    first one begins, and says what is wrong; it need not compose the others."""
    names = Names(extra)
    plan = [(job, names.of(job)) for job in jobs]
    hydra_private.compose_only([job for job, name in plan if name is None])
    return plan


def say_what_they_take(jobs: Sequence[Sequence[str]], extra: Sequence[str]) -> NoReturn:
    """Say what the jobs of a sweep will take, and end without running one."""
    if not jobs:
        raise SystemExit(
            "error: an optimiser chooses its jobs as it goes; plan=true plans one job, without -m and sweeps="
        )
    names = Names(extra)
    try:
        forecast.show([masked({**names.config(job), "name": names.of(job)}) for job in jobs])
    except Exception as error:  # which Hydra would only warn of
        tell(error, "config")
        sys.exit(1)
    sys.exit(0)


def study_name(hydra: DictConfig, words: Sequence[str]) -> str:
    """The preset's name, or else one made of what is swept."""
    typed = hashlib.sha256(" ".join(sorted(words)).encode()).hexdigest()
    return hydra.runtime.choices.get("sweeps") or f"sweep-{typed[:6]}"


def write_down(folder: Path, study: str, plan: Sequence[tuple[Sequence[str], str | None]]) -> None:
    try:
        with explained(folder, "or choose another outputs="):
            shutil.rmtree(folder / "jobs", ignore_errors=True)  # of a sweep that was launched there before
            launch(folder, study, sys.argv, plan)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def prepare(launcher: str, at_once: int) -> None:
    """Make this process fit for jobs of a launcher, which runs `at_once` tasks of them beside each other."""
    code = str(PACKAGE.parent)  # that jobs in other processes run, whatever is installed there
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
    if launcher in ("JoblibLauncher", "LocalLauncher"):  # of whose jobs each takes its own
        os.environ[GPUS] = ",".join(gpus())
        if "OMP_NUM_THREADS" not in os.environ:
            os.environ[DIVIDED] = "true"
    if launcher == "JoblibLauncher":  # Ctrl-C reaches the jobs too, and they are waited for
        signal.signal(signal.SIGINT, once)
    if launcher == "RayLauncher":
        hydra_private.prepare_ray()
    if launcher == "LocalLauncher":  # all jobs at once; joblib divides threads by itself
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # or submitit would kill its jobs in the middle of a step
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // at_once)))


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor what it is in
        return False


def once(number: int, frame: Any) -> None:
    """Let the first Ctrl-C pass, and the second end this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted.set()
    console.say("stopping: jobs finish their step and write a checkpoint; Ctrl-C again ends at once", style="yellow")


def start(main: Callable[[], Any], config: str) -> None:
    """Run a program of Hydra's, and end this process as it ended.

    What goes wrong is one line. A sweep ends with its last screen, and with exit status 1 where a job did not come to
    its end, whatever became of its process.

    Args:
        main: the program.
        config: its configuration, such as `config` for conf/config.yaml.
    """
    check_options(sys.argv[1:])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors are told here
    fault: BaseException | None = None
    try:
        processes.check()
        main()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        fault = error
    if launched:
        sys.exit(end_of_sweep(launched[-1], fault, config))
    if fault:
        end_of_program(fault, config)


def end_of_program(fault: BaseException, config: str) -> NoReturn:
    """End as a program that is no sweep does, after what has stopped it."""
    if isinstance(fault, SystemExit):
        raise fault
    if isinstance(fault, BrokenPipeError):
        sys.exit(failures.pipe_closed())
    if isinstance(fault, Exception) and not isinstance(fault, Mistake):
        tell(fault, config)
    sys.exit(130 if isinstance(fault, KeyboardInterrupt) else 1)


def end_of_sweep(sweep: Launched, fault: BaseException | None, config: str) -> int:
    """Say what came of a sweep. Returns the exit status."""
    if fault is None and not sweep.waits:
        console.say("the jobs are submitted, and go on by themselves")
        return 0
    if sweep.launcher == "LocalLauncher":
        wait_for_jobs()
    states = {job["state"] for job in jobs_of(sweep.folder)}
    if isinstance(fault, Exception) and not states & {"failed", "stopped"}:  # it comes of no job's own work
        tell(fault, config, sweep.logs)
        if sweep.logs is None and states <= {"planned"}:  # a mistake in the command: nothing was begun
            forget(sweep.folder)
            return 1
    all_done = last_screen(sweep.folder)
    if isinstance(fault, KeyboardInterrupt) and sweep.launcher == "SlurmLauncher":
        console.say("jobs that Slurm has go on there, and can be ended by scancel", style="yellow")
    if isinstance(fault, SystemExit) and fault.code != 0:
        raise fault
    if isinstance(fault, KeyboardInterrupt) or interrupted.is_set() or "stopped" in states:
        return 130
    return int(fault is not None or not all_done)


def wait_for_jobs() -> None:
    """Wait for the jobs that are processes of this one: one that was killed ends no other."""
    with suppress(ChildProcessError, KeyboardInterrupt):
        while True:
            os.wait()


def forget(folder: Path) -> None:
    """Remove what was written down of a sweep, and the folders around it unless they hold something else."""
    shutil.rmtree(folder)
    with suppress(OSError):
        folder.parent.rmdir()
        folder.parent.parent.rmdir()
