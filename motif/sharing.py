"""How the work of a program is shared: among processes of this machine, tasks of a scheduler, jobs beside each other.

A program that is asked for several processes begins itself so many times and waits. One that torchrun, accelerate,
submitit or bare variables have begun is a process among others, and begins none.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from getpass import getuser
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from motif.cli import GOES_ON, as_typed, launched_by, overrides
from motif.system import UserError, console, group, number, processes, whole
from motif.system.config import PACKAGE
from motif.system.environment import cores, first_word, gpus

GPUS = "MOTIF_GPUS"  # in the environment of jobs beside each other: those that their launcher saw
DIVIDED = "MOTIF_DIVIDED"  # there: their launcher divides the threads of the CPU, and no person has
held = ExitStack()  # of locks, of the GPUs that this process has taken
typed: list[str] = []  # the command line, whose secrets are masked in sys.argv


def together(program: str, config: DictConfig, on: str = GOES_ON) -> bool:
    """Where several processes are asked for, run this `program`, a function of `motif.programs`, in all of them.

    Returns:
        Whether they have done the work; else this process is to do it, alone or as one of them.

    Raises:
        UserError: for a number that cannot be had, or where several GPUs are there and nothing was asked; also for what
            ends the processes.
        Stopped: where they were stopped.
    """
    processes.patience = number("patience", config.patience, above=0)
    asked, begun, found = config.processes, processes.count(), gpus()
    if asked is not None:
        whole("processes", asked)
    if processes.one_of_several():
        if asked not in (None, begun):
            raise UserError(f"processes={asked}, but {begun} were begun by what sets WORLD_SIZE; leave processes= out")
        return False
    if {"MASTER_ADDR", "ACCELERATE_MIXED_PRECISION"} <= os.environ.keys():
        raise UserError("accelerate launch --cpu has begun one process, whatever --num_processes: type processes=N")
    if asked is None and len(found) > 1:
        raise UserError(
            f"{len(found)} GPUs are visible: processes={len(found)} works on all of them, and CUDA_VISIBLE_DEVICES=0 "
            "before the command on the first one"
        )
    if found and (asked or 1) > len(found):
        raise UserError(f"processes={asked} are more than the {len(found)} GPUs that are visible")
    if (asked or 1) == 1:
        if len(found) > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = found[0]
        return False
    single = HydraConfig.get().mode != RunMode.MULTIRUN
    words = typed if single else [first_word(program), *overrides(), "hydra.mode=RUN", *own_overrides()]
    code = f"import sys; sys.argv[0] = {words[0]!r}; from motif import programs; programs.{program}()"
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    group.together(asked, ["-c", code, *words[1:]], {"OMP_NUM_THREADS": threads(asked), "PYTHONPATH": path}, on)
    return True


def threads(count: int) -> str:
    """OMP_NUM_THREADS of each of `count` processes: as a person has set it, else its share of this job's."""
    told = os.environ.get("OMP_NUM_THREADS")
    if told and not (DIVIDED in os.environ or launched_by("SlurmLauncher", "RayLauncher")):
        return told
    return str(max(1, int(told.split(",")[0] if told else cores()) // count))


def alone(what: str, config: DictConfig) -> None:
    """Let this process do by itself `what` several cannot do. A `UserError` where they are asked for, or where several
    GPUs are visible and nothing was asked."""
    processes.check()
    if "patience" in config:  # of processes that torchrun has begun
        processes.patience = number("patience", config.patience, above=0)
    if config.processes not in (None, 1):
        raise UserError(f"processes={config.processes}: {what} runs in one process")
    if len(found := gpus()) < 2 or processes.one_of_several():
        return
    if config.processes is None:
        raise UserError(f"{len(found)} GPUs are visible, and {what} uses one: processes=1 takes the first")
    os.environ["CUDA_VISIBLE_DEVICES"] = found[0]


def take_gpus(config: DictConfig) -> None:
    """Let this process, where a launcher has begun it beside others, see its own share of the GPUs: the first free one
    from that of its job's number on. Where none is free, and for the tasks of one job, it is that of the number. What a
    process has once taken stays with it until it ends."""
    visible = [name for name in os.environ.pop(GPUS, "").split(",") if name]
    if not visible:
        return
    size = config.processes or processes.count()
    shares = [visible[start : start + size] for start in range(0, len(visible) - size + 1, size)] or [visible]
    place = HydraConfig.get().job.num % len(shares)
    shares = [*shares[place:], *shares[:place]]
    if processes.one_of_several():
        shares = shares[:1]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(next((share for share in shares if hold(share)), shares[0]))


def hold(share: Sequence[str]) -> bool:
    """Hold these GPUs until this process ends, however it does. Whether none of them was held by another job of this
    user's on this machine."""
    from filelock import FileLock

    folder = Path(tempfile.gettempdir(), f"motif-gpus-{getattr(os, 'getuid', getuser)()}")
    with ExitStack() as locks:
        try:
            folder.mkdir(exist_ok=True)
            for name in share:
                locks.enter_context(FileLock(folder / re.sub(r"\W", "-", name), blocking=False))
        except OSError:  # a lock that another process has is one, too
            return False
        held.enter_context(locks.pop_all())
    return True


def join_tasks() -> None:
    """Let the tasks of one job of submitit's be processes of one training."""
    if not launched_by("LocalLauncher", "SlurmLauncher") or processes.one_of_several():
        return
    from submitit.helpers import JobEnvironment, TorchDistributedEnvironment

    if HydraConfig.get().mode == RunMode.MULTIRUN and JobEnvironment().num_tasks > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
        console.console.quiet = not processes.first()


def own_overrides() -> list[str]:
    """The words of Hydra itself that a job needs to be composed by itself: where else configuration files lie."""
    hydra = HydraConfig.get()
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    paths = [word for word in as_typed(hydra.overrides.hydra) if word.startswith("hydra.searchpath")]
    return [*paths, *(f"--config-dir={folder}" for folder in folders)]
