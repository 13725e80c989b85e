"""One command as several processes of this machine, begun, watched and ended by torch's own launcher.

They know each other by torch's variables, as under torchrun. Signals are handed on to them, with time to write a
checkpoint. Where one of them fails, the others are ended within half a minute; what has ended them is one error here.
"""

import ctypes
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from motif.system import processes
from motif.system.errors import UserError
from motif.system.locks import Busy
from motif.system.signals import SIGNALS, Stopped, at_once

PR_SET_PDEATHSIG = 1  # of Linux's prctl
GRACE = 300  # seconds for a step and its checkpoint, after a signal; torch before 2.12 knows 30 alone


def together(count: int, call: Sequence[str], variables: Mapping[str, str], on: str) -> None:
    """Run this Python with the words `call` in `count` processes, until all of them have ended well.

    Args:
        count: of processes, on this machine.
        call: words after the name of this Python.
        variables: of the environment, beyond torch's.
        on: how to go on where one was killed.

    Raises:
        Busy: another process works on what they were to work on.
        Stopped: on a signal, or where the processes were stopped.
        UserError: what one of them says of its own error, or that one was killed or did not answer.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    silence("torch.distributed.elastic")
    shared = {**variables, "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(GRACE)}
    with (
        TemporaryDirectory(prefix="motif-") as name,
        environment({**shared, processes.LAST_WORDS: name}),
        at_once(),  # handlers that torch puts its own in the place of
    ):
        folder = Path(name)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            logs_specs=DefaultLogsSpecs(str(folder / "torch")),
            run_id=uuid.uuid4().hex,
            rdzv_endpoint="localhost:0",
            rdzv_backend="c10d",
            max_restarts=0,
            local_addr="localhost",
            signals_to_handle=",".join(number.name for number in SIGNALS),
        )
        try:
            elastic_launch(config, sys.executable)(*call)
        except SignalException as stop:
            ended(folder, int(stop.sigval))
        except ChildFailedError as failure:
            earliest = min(each.timestamp for each in failure.failures.values())
            failed = [(rank, each.exitcode) for rank, each in failure.failures.items() if each.timestamp < earliest + 9]
            rank, status = min(failed, key=lambda each: (each[1] == -signal.SIGTERM, each[1] > 0))
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            ended(folder, None, f"process {rank} of {count} {how}; {on}", killed=status < 0)


def ended(folder: Path, number: int | None, silent: str = "stopped", killed: bool = False) -> NoReturn:
    """Raise what has ended processes by the last words in `folder`, after the signal `number` where there was one.

    An error that a process has made itself comes before a stop, and that before the words of processes that have lost
    another. `silent` is what there is to say of one that has left no word.
    """
    left, kinds = list(processes.left(folder).values()), ("busy", "error", "stopped", "lost")
    busy, errors, stops, losses = ([each for each in left if each["kind"] == kind] for kind in kinds)
    if busy:
        raise Busy(busy[0]["words"])
    if errors:
        raise UserError(errors[0]["words"])
    if number or (stops and not killed):
        raise Stopped(stops[0]["words"] if stops else silent, number or stops[0]["signal"])
    raise UserError(losses[0]["words"] if losses and not killed else silent)


def follow() -> None:
    """Let this process, where torch's launcher has begun it, be asked to stop when that one ends, however it does. Only
    Linux tells it."""
    if "TORCHELASTIC_RUN_ID" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Within the block the environment has these variables, too."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def silence(library: str) -> None:
    """Let a library log nothing, whatever level its modules have set."""
    logger = logging.getLogger(library)
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
