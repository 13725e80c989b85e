"""Processes of one program, as torchrun starts them, but without torchrun: its variables are all they need. And agents
of torchrun itself, as on two machines."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.forks import Forked, Forks


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def agents(folder: Path, *words: str, **variables: str) -> list[subprocess.Popen[str]]:
    """Two agents of torchrun that meet at a port of this machine, with a process of `train.py` each, given `words`."""
    where = ["--nnodes=2", "--nproc_per_node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{free_port()}"]
    stops = ["--rdzv-id=two", "--signals-to-handle=SIGTERM,SIGINT,SIGUSR2"]
    call = [sys.executable, "-m", "torch.distributed.run", *where, *stops, str(ROOT / "train.py"), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return [subprocess.Popen(call, cwd=folder, env=environment, **pipes) for _ in range(2)]


def begin(forks: Forks, count: int, script: str, folder: Path, *words: str) -> list[Forked]:
    """`count` processes of the Python `script`, given `words`, in `folder`, in their order."""
    file = folder / "script.py"
    file.write_text(script)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "ACCELERATE_USE_CPU": "1"}
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    each = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)] if count > 1 else [{}]
    return [forks.begin(str(file), folder, *words, environment=own, apart=True) for own in each]


def run(forks: Forks, count: int, script: str, folder: Path, *words: str, seconds: float = 200) -> list[str]:
    """What each of `count` processes of `begin` has printed. It fails where one ends with another status than 0, or
    none ends in time."""
    begun = begin(forks, count, script, folder, *words)
    ended = [process.wait(seconds) for process in begun]
    assert [status for status, _ in ended] == [0] * count, [process.errors[-2000:] for process in begun]
    return [said for _, said in ended]
