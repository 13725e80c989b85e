"""Starts sweeps: what is written down before the first job, and what a person sees after the last.

The jobs are run by Hydra's launchers, in this process or in others;
what came of them is read from the files that they leave.
"""

import hashlib
import logging
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.utils import JobReturn
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from motif.reporting.study import jobs_of, last_screen, launch
from motif.system import console, failures
from motif.system.config import CONF, PACKAGE, one_line
from motif.system.environment import install
from motif.system.errors import UserError, hint, shown
from motif.system.files import explained, write_text
from motif.system.safe_text import masked, visible
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from motif import hydra_private
from motif.cli import Mistake, interrupted, run_name

NEEDED = {"ray": "pip install hydra-ray-launcher"}  # by launchers that are in no extra of ours


class Plan(Callback):
    """Writes down what a sweep is about to do, before its first job."""

    launched: tuple[Path, ...] = ()  # of this process
    queued = False  # whether Slurm has its jobs
    beside = False  # whether its jobs are processes that outlive each other's ends

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        hydra = config.hydra
        words = [
            *(f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()),
            *hydra.overrides.task,
        ]
        if not installed(hydra.launcher._target_.rpartition(".")[0]):
            name = hydra.runtime.choices["hydra/launcher"]
            raise SystemExit(f"error: hydra/launcher={name} needs: {NEEDED.get(name, install('sweeps'))}")
        grid = hydra.sweeper._target_.endswith("BasicSweeper")
        if "optuna" in hydra.sweeper._target_:
            import_module("optuna").logging.set_verbosity(logging.WARNING)
        jobs = hydra_private.jobs(words) if grid else []
        if grid and not jobs:
            raise SystemExit(f"error: these settings make no job: {' '.join(words)}")
        preset = hydra.runtime.choices.get("sweeps")
        extra = [word for word in hydra.overrides.hydra if word.startswith("hydra.searchpath")]
        folder = Path(hydra.sweep.dir)
        named = [(each, planned_name(each, extra)) for each in jobs]
        study = preset or f"sweep-{hashlib.sha256(' '.join(sorted(words)).encode()).hexdigest()[:6]}"
        try:
            with explained(folder, "or choose another hydra.sweep.dir="):
                launch(folder, study, sys.argv, named)
        except UserError as error:
            raise SystemExit(f"error: {error}") from None
        Plan.launched = (folder,)
        if "submitit" in hydra.launcher._target_:
            console.say(f"logs in {folder / 'logs'}; progress: python -m motif.study status {config.outputs}")
        code = str(PACKAGE.parent)  # that jobs in other processes run, whatever is installed there
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
        if hydra.launcher._target_.endswith("JoblibLauncher"):  # Ctrl-C reaches the jobs too, and they are waited for
            signal.signal(signal.SIGINT, once)
        Plan.queued = hydra.launcher._target_.endswith("SlurmLauncher")
        if hydra.launcher._target_.endswith("LocalLauncher"):  # all jobs at once; joblib divides threads by itself
            Plan.beside = True
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # or submitit would kill its jobs in the middle of a step
            at_once = len(jobs) or hydra.sweeper.get("n_jobs") or 1
            os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // at_once)))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        file = Path(config.hydra.sweep.dir) / "multirun.yaml"  # that Hydra's own sweeper has written
        if config.hydra.mode == RunMode.MULTIRUN and file.is_file():
            raw = yaml.safe_load(file.read_text())
            if (clean := masked(raw)) != raw:
                write_text(file, yaml.safe_dump(clean, sort_keys=False))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        hydra_private.keep_quiet(job_return, Mistake)


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor what it is in
        return False


def cores() -> int:
    """Cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def planned_name(words: Sequence[str], extra: Sequence[str]) -> str | None:
    """The name that the job of these overrides will have; None where it cannot be composed, as Hydra will say."""
    try:
        config = compose("config", [*words, *extra], return_hydra_config=True)
        choices = config.hydra.runtime.choices
        with open_dict(config):
            del config["hydra"]
        return config.name or run_name(config, choices, masked(words), extra)
    except Exception:
        return None


def once(number: int, frame: Any) -> None:
    """Let the first Ctrl-C pass, and the second end this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted.set()
    console.say("stopping: jobs finish their step and write a checkpoint; Ctrl-C again ends at once", style="yellow")


def tell(fault: Exception, config: str) -> None:
    """Say in a line what has ended a program or a sweep: Hydra's own words, a launcher's, the end of its log, or where
    the traceback of a fault of ours lies."""
    if isinstance(fault, OSError) and not isinstance(fault, HydraException) and raised_in_hydra(fault):
        told = (
            f"Hydra cannot write {fault.filename}: {fault.strerror}; choose another hydra.run.dir= or hydra.sweep.dir="
        )
    elif isinstance(fault, HydraException | OmegaConfBaseException | yaml.YAMLError) or raised_in_hydra(fault):
        told = composing(fault, config)
    elif type(fault).__module__.startswith(("submitit.", "joblib.")):
        logs = ", ".join(str(folder / "logs") for folder in Plan.launched if (folder / "logs").is_dir())
        words = f"{str(fault).strip().splitlines()[-1]} (logs lie in {logs})" if logs else one_line(fault)
        told = f"a job's process ended before its work did: {words}"
    else:
        told = failures.words(fault)
    print(f"error: {visible(masked(told))}", file=sys.stderr)


def composing(fault: Exception, config: str) -> str:
    """Hydra's words for what cannot be composed, in one line that says what is valid."""
    said = re.split(r" Config search path| See https?:| full_key: ", one_line(fault))[0]
    if isinstance(fault, MissingConfigException) and fault.options and fault.missing_cfg_file:
        group, _, option = str(fault.missing_cfg_file).rpartition("/")
        return one_option(group, option, fault.options)
    if isinstance(fault, OverrideParseException):
        why = said.partition(" expecting {")[0].removeprefix(f"Error parsing override '{fault.override}' ")
        return (
            f"{shown(fault.override)} is no KEY=VALUE ({why}); values with spaces or commas are quoted: 'KEY=\"A, B\"'"
        )
    if found := re.match(r"Could not override '([^']+)'", said):
        return f"unknown key {found[1]}{near(found[1], config)}"
    for group, _, option in (word.partition("=") for word in sys.argv[1:]):
        options = [file.stem for file in (CONF / group).glob("*.yaml")] if "Config group" in said else []
        if options and option not in options:
            return one_option(group, option, sorted(options))
    return said


def one_option(group: str, option: str, options: Sequence[str]) -> str:
    return f"{group} must be one of {', '.join(options)}, got {shown(option)}{hint(option, options)}"


def raised_in_hydra(fault: BaseException) -> bool:
    """Whether Hydra itself met `fault`, or what it asked Python for, which then comes of what was typed."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(fault.__traceback__)]
    if isinstance(fault, OSError):
        modules = [name for name in modules if name.split(".")[0] in ("hydra", "omegaconf", "motif")]
    return bool(modules) and modules[-1].startswith(("hydra.", "omegaconf."))


def near(key: str, config: str) -> str:
    """What a mistyped key may have meant, and its neighbours, as far as the configuration composes without it."""
    groups = [word for word in sys.argv[1:] if "." not in word.split("=")[0] and word.split("=")[0] != key]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            made = compose(config, [word for word in groups if "=" in word])
        above, _, last = key.rpartition(".")
        known = [str(each) for each in (OmegaConf.select(made, above) if above else made) if each != "_target_"]
    except Exception:  # nothing to compare with; what is wrong is said all the same
        return "; --help shows the choices"
    return f"{hint(last, known)} (valid: {', '.join(known)})"


def check_options(words: Sequence[str]) -> None:
    """End with one line where Hydra's command line does not know an option."""

    def refuse(message: str) -> NoReturn:
        raise SystemExit(f"error: {message}; settings are typed as KEY=VALUE, --help shows them")

    parser = hydra_private.options()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args([word for word in words if word != "--version"])


def start(main: Callable[[], Any], config: str) -> None:
    """Run a program of Hydra's. What goes wrong is one line; a sweep ends with its last screen, and with exit status 1
    where a job did not come to its end, whatever became of its process."""
    check_options(sys.argv[1:])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors are told here
    try:
        main()
        fault: BaseException | None = None
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        fault = error
    if not Plan.launched:
        if isinstance(fault, SystemExit):
            raise fault
        if isinstance(fault, Exception) and not isinstance(fault, Mistake):
            tell(fault, config)
        if fault:
            sys.exit(130 if isinstance(fault, KeyboardInterrupt) else 1)
        return
    with suppress(ChildProcessError, KeyboardInterrupt):
        while Plan.beside:  # one that was killed ends no other
            os.wait()
    jobs = [job for folder in Plan.launched for job in jobs_of(folder)]
    noted = [job["state"] for job in jobs]
    if isinstance(fault, Exception) and not {"failed", "stopped"} & {*noted}:  # it comes of no job's own work
        tell(fault, config)
        if not any((folder / "logs").is_dir() for folder in Plan.launched) and {*noted} <= {"planned"}:
            for folder in Plan.launched:  # a mistake in the command: nothing was begun
                shutil.rmtree(folder)
                with suppress(OSError):  # they hold something else
                    folder.parent.rmdir()
                    folder.parent.parent.rmdir()
            sys.exit(1)
    whole = [last_screen(folder) for folder in Plan.launched]
    if isinstance(fault, KeyboardInterrupt) and Plan.queued:
        console.say("jobs that Slurm has go on there, and can be ended by scancel", style="yellow")
    if isinstance(fault, SystemExit) and fault.code != 0:
        raise fault
    if interrupted.is_set() or isinstance(fault, KeyboardInterrupt) or "stopped" in noted:
        sys.exit(130)
    sys.exit(int(fault is not None or not all(whole)))
