"""Processes of one program, as torchrun starts them, but without torchrun: its variables are all they need."""

import socket
from pathlib import Path

from tests.support.forks import Forks


def run(forks: Forks, count: int, script: str, folder: Path, *words: str, seconds: float = 200) -> list[str]:
    """What each of `count` processes of the Python `script` has printed, given `words`, in `folder`, in their order. It
    fails where one ends with another status than 0, or none ends in time."""
    file = folder / "script.py"
    file.write_text(script)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "1"}
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    each = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)] if count > 1 else [{}]
    begun = [forks.begin(str(file), folder, *words, environment=own, apart=True) for own in each]
    ended = [process.wait(seconds) for process in begun]
    assert [status for status, _ in ended] == [0] * count, [process.errors[-2000:] for process in begun]
    return [said for _, said in ended]
