"""What the entry points share: from a composed configuration to a built object, with one line for a mistake.

An entry point is one of the programs of Hydra (`motif.programs`) or a function for notebooks (`motif.api`). There Hydra
knows of no job, so what both need is told its overrides.
"""

import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from motif import hydra_private
from motif.experiment import Experiment
from motif.overrides import arguments
from motif.policies.pretrained import choices_of
from motif.reporting.study import Job, study_of
from motif.runs.names import NAMED, derived_name
from motif.system import Busy, UserError, console, failures, hint, masked, processes, read_json, read_yaml, reason
from motif.system.config import CONF, build, one_line, resolved
from motif.system.environment import cores
from motif.system.signals import Stopped, at_once
from motif.system.targets import check_trusted, current_target, with_targets

GOES_ON = "the same command continues"
interrupted = threading.Event()  # set where Ctrl-C was let pass, or has stopped a job


class Mistake(CompactHydraException):
    """What ended a job of a sweep; it has been said already."""


def guarded(run: Callable[[], Any], job: Job | None = None, on: str = GOES_ON, config: Any = None) -> Any:
    """Call `run`. Whatever goes wrong is one line, and status 1; after a stop the line says how to go `on`.

    What became of `job`, one of a sweep, is written down; a run that another process works on is left alone. The
    traceback of a fault of ours is kept: with the job, else in the folder of the run that `config` describes.
    """
    if job and launched_by("LocalLauncher"):  # whose processes begin without it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if job and (interrupted.is_set() or given_up(job, config)):  # as the job before it in this process was
        return None
    try:
        with at_once():
            return run()
    except Busy as error:
        if job is None:
            raise failed(str(error), "busy") from None
        console.say(f"{error}; left alone", style="yellow")
        note(job, "running elsewhere", reason=str(error))
    except (Stopped, KeyboardInterrupt) as stop:
        words, number = str(stop) or "stopped", getattr(stop, "signal", None)
        if not processes.leave("stopped", words, number or signal.SIGINT):
            console.say(f"{words}; {on}", style="yellow")
        if job:
            note(job, "stopped", reason=words)
            if launched_by("JoblibLauncher", "RayLauncher"):  # which kill those that have not finished their step yet
                interrupted.set()
                return None
        if number and number != signal.SIGINT and callable(signal.getsignal(number)):
            signal.raise_signal(number)  # a launcher's own: it puts the job into its queue again
        sys.exit(128 + (number or signal.SIGINT))
    except Exception as error:
        folder = None if config is None else place(config)
        if isinstance(error, HydraException | OmegaConfBaseException):  # of what was typed
            error = UserError(one_line(error))
        if lost := processes.lost(error):
            error = UserError(f"{failures.mistake(error)}; {on}")
        if job and processes.first():
            with suppress(OSError, UserError):
                job.failed(error)
            words = failures.mistake(error, folder) or reason(error)
        else:
            words = failures.words(error, folder)
        raise failed(words, "lost" if lost else "error") from None


def failed(words: str, kind: str = "error") -> BaseException:
    """What to raise to end a program with one line; in a sweep, whose other jobs go on, the line is said now. Where
    another process has begun this one, that process says it."""
    if processes.leave(kind, words):
        return SystemExit(1)
    if study() is None:
        return SystemExit(f"error: {words}")
    if processes.first():
        console.say(f"error: {words}", style="red")
    else:  # whose console is quiet; a task of submitit's has a log of its own
        print(f"error: {words}", file=sys.stderr)
    return Mistake(words)


def given_up(job: Job, config: Any) -> bool:
    """Whether a job of this sweep has failed, and no other is to begin then."""
    noted = job.file.parent.glob("*.json") if config.sweep.fail_fast else []
    return any(read_json(file).get("state") == "failed" for file in noted)


def note(job: Job, state: str, **more: Any) -> None:
    """Write down where a job stands, which a full disk must not turn into another error."""
    with suppress(OSError, UserError):
        job.note(state, **more)


def place(config: DictConfig) -> Path | None:
    """The folder of the run that `config` trains or is about."""
    with suppress(OmegaConfBaseException):
        return Path(str(config.policy)) if "policy" in config else Path(str(config.outputs)) / str(config.name)
    return None


def study() -> str | None:
    """The name of the sweep that this job belongs to: its preset's, else one made of what was typed; None for a single
    run."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return None
    told = Path(hydra.sweep.dir) / "study.json"
    return str(read_json(told).get("study")) if told.is_file() else Path(hydra.sweep.dir).name


def job() -> Job | None:
    """This job of a sweep; None for a single run."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return None
    return Job(Path(hydra.sweep.dir) / "jobs" / f"{hydra.job.num}.json", overrides())


def launched_by(*names: str) -> bool:
    """Whether the jobs of this sweep are run by one of these launchers."""
    return HydraConfig.get().launcher._target_.endswith(names)


def beside_each_other(hydra: Any) -> int:
    """How many jobs of this sweep run beside each other on this machine."""
    asked = hydra.launcher.get("n_jobs") or 1
    return int(asked) if asked > 0 else cores()


def optimised() -> bool:
    """Whether an optimiser chooses the jobs, by what they return."""
    hydra = HydraConfig.get()
    return hydra.mode == RunMode.MULTIRUN and not hydra.sweeper._target_.endswith("BasicSweeper")


def run_name(config: DictConfig, choices: Any, words: Sequence[str], extra: Sequence[str] = ()) -> str:
    """The name of a run that was not given one. It is short where algorithm, data set, model, rounds and seed make all
    of its identity; any other identity has its own hash in it, whether it was typed or comes of a preset."""
    groups = {group: choices[group] for group in NAMED}
    fields = {**groups, "rounds": config.rounds, "seed": config.seed}
    plain = compose("config", [*(f"{group}={option}" for group, option in groups.items()), *extra])
    plain.rounds, plain.seed = config.rounds, config.seed
    try:
        usual = resolved(plain)
    except UserError:  # what is needed has no default, so it was given
        usual = None
    return derived_name(fields, one_job(words), resolved(config), usual)


def experiment(
    config: DictConfig, choices: Any, words: Sequence[str], study: str | None = None, extra: Sequence[str] = ()
) -> tuple[Experiment, dict[str, Any]]:
    """The experiment that `config` describes, and its plain configuration, which is recorded and holds no secret.

    Args:
        config: composed of conf/config.yaml. A name and a group that it lacks are put in.
        choices: the option of each group, as Hydra keeps them.
        words: the overrides that it was composed with.
        study: the sweep that the run belongs to; None: the newest one that has a job of this name.
        extra: overrides of Hydra itself.
    """
    if config.name is None:
        config.name = run_name(config, choices, masked(words), extra)
    if "group" in config.get("tracking", {}) and config.tracking.group is None:
        config.tracking.group = study or study_of(Path(str(config.outputs), str(config.name)))
    return build(config), masked(resolved(config))


def one_job(words: Sequence[str]) -> list[str]:
    """These overrides as a sweep spells them, 0.001 for 1e-3, so that a run has one name however it was begun."""
    (job,) = hydra_private.jobs(words)
    return [re.sub(r"=(True|False)$", lambda found: found[0].lower(), word) for word in job]


def take_from_run(config: DictConfig, keys: Sequence[str], words: Sequence[str]) -> bool:
    """Where `config.policy` is a run, or its policy's folder, take that run's own choices for `keys`; what the
    overrides `words` set stays as it is.

    Whether it is one.
    """
    file = choices_of(Path(str(OmegaConf.select(config, "policy", throw_on_missing=False))))
    if file is None:
        return False
    found, names = with_targets(read_yaml(file), current_target), keys_of(words)
    check_trusted({key: found[key] for key in keys if key in found and key not in names}, str(file))
    saved = OmegaConf.create(found)
    with open_dict(config):
        for key in keys:
            if key in names or key not in saved:
                continue
            inside = {name: OmegaConf.select(config, name) for name in names if name.startswith(f"{key}.")}
            config[key] = OmegaConf.select(saved, key)
            for name, value in inside.items():
                OmegaConf.update(config, name, value, force_add=True)
    return True


def take_for_solving(config: DictConfig, words: Sequence[str]) -> None:
    """`take_from_run` of what one question needs, and of the model where it can be had: it may be of another version,
    and only says what it cannot read."""
    take_from_run(config, ("episode", "dataset", "rounds"), words)
    found = config.copy()
    with suppress(UserError):
        if take_from_run(found, ("model",), words) and isinstance(found.model, DictConfig):
            build(found.model)
            config.model = found.model


def for_policy(config: DictConfig, words: Sequence[str]) -> Any:
    """What measures `config.policy`, on its run's own data set, episode and rounds where it is a run's."""
    if OmegaConf.is_missing(config, "policy"):
        raise UserError(
            "policy has no value: give it as policy=VALUE, a run's folder or a model, as in policy=outputs/RUN"
        )
    policy = Path(str(config.policy)).expanduser()
    if not policy.exists() and policy.parent == Path(config.outputs):
        runs = [each.name for each in policy.parent.glob("*") if (each / "run.json").is_file()]
        raise UserError(f"policy={config.policy} is not there{hint(policy.name, runs)}")
    known = take_from_run(config, ("episode", "dataset", "rounds", "flaws"), words)
    if not known and "dataset" not in keys_of(words):
        raise UserError(
            f"policy={config.policy} is no run's folder (as in policy=outputs/RUN), so that dataset has no value: for "
            "a model choose one, as in dataset=math500"
        )
    return build(config)


def keys_of(words: Sequence[str]) -> list[str]:
    """The keys that these overrides set."""
    return [word.lstrip("+~").split("=")[0] for word in words]


def split_question(words: Sequence[str], config: str) -> tuple[list[str], str | None]:
    """The command line without what is neither an option nor a value for a key of conf/`config`.yaml, and that text."""
    known = {*OmegaConf.load(CONF / f"{config}.yaml"), "hydra"}
    command, rest = [words[0]], list[str]()
    for argument in words[1:]:
        key = re.match(r"[+~]{0,2}([A-Za-z_]\w*)[\w.@/]*=", argument)
        if key and key[1] not in known and len(key[1]) > 1 and not re.search(r"\s", argument):
            raise SystemExit(f"error: unknown key {key[1]}{hint(key[1], known)} (a question in words has spaces)")
        option = re.match(r"--?[A-Za-z]", argument)
        (command if option or (key and key[1] in known) else rest).append(argument)
    return [command[0], *arguments(command[1:])], " ".join(rest) or None


def overrides() -> Sequence[str]:
    """The overrides of this job, as typed or swept."""
    return list(as_typed(HydraConfig.get().overrides.task))


def as_typed(node: Any) -> Any:
    """A list or mapping of Hydra's own settings with its interpolations as they stand: the job they are in has not its
    values yet."""
    return OmegaConf.to_container(node, resolve=False)


def verbose() -> bool:
    return bool(HydraConfig.get().verbose)
