"""Processes of one program, as torchrun starts them, but without torchrun: its variables are all they need."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import ROOT

CONTAINED = {"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def outputs(count: int, call: Sequence[str | Path], folder: Path, seconds: float = 250) -> list[str]:
    """What each of `count` processes of `python` with these arguments has printed in `folder`, in their order. It fails
    where one ends with another status than 0, or none ends in time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, **CONTAINED, "MASTER_PORT": port, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    begun = [
        subprocess.Popen(
            [sys.executable, *map(str, call)],
            **{"cwd": folder, "env": shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, "text": True},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        )
        for rank in range(count)
    ]
    try:
        said = [process.communicate(timeout=seconds) for process in begun]
    finally:
        for process in begun:
            process.kill()
    assert [process.returncode for process in begun] == [0] * count, said
    return [out for out, _ in said]
