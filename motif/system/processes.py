"""Several processes of one training, as torchrun starts them. All of them compute, and only the first one writes.

A process that loses the others ends too: they are gone, or have not answered for `patience` seconds. What the processes
that `motif.system.group` has begun say at their end is left in a folder for it, so that a person reads one line.
"""

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

LAST_WORDS = "MOTIF_LAST_WORDS"  # in the environment: the folder in which a process leaves what has ended it
LOST = re.compile(
    "by peer|Broken pipe|Timed out|operation timeout|pair closure|remote process exited|Connection refused"
)
patience = 600.0  # seconds that a process waits for the others; the programs set it


def count() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", 1))


def index() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", 0))


def first() -> bool:
    """Whether this process writes: folders, records, and what a person sees."""
    return os.environ.get("RANK", "0") == "0"


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        joined().wait_for_everyone()


def joined() -> Any:
    """The group of all processes, which this one joins. On its own accelerate begins none where there is no device."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available(), timeout=timedelta(seconds=patience))


def of_all(value: Any) -> list[Any]:
    """The values of all processes, in their order, given this one's."""
    if count() == 1:
        return [value]
    from accelerate.utils import gather_object

    joined()
    return list(gather_object([value]))


def of_first(value: Any) -> Any:
    """The first process's value."""
    return of_all(value)[0]


def lost(error: BaseException | None) -> bool:
    """Whether `error`, or what it came of, says that another process of the group is gone or does not answer, in the
    words of gloo, NCCL or torch's store."""
    if count() == 1 or error is None:
        return False
    own = isinstance(error, RuntimeError) and bool(LOST.search(str(error)))
    return own or lost(error.__cause__ or error.__context__)


def leave(kind: str, words: str, signal: int | None = None) -> bool:
    """Leave the last words of this process, of a `kind`: `error`, `busy`, `lost` or `stopped` (by `signal`). Whether
    there is somebody to say them."""
    if not (folder := os.environ.get(LAST_WORDS)):
        return False
    told = {"kind": kind, "words": words, "signal": signal}
    Path(folder, f"{index()}.json").write_text(json.dumps(told))
    return True


def left(folder: Path) -> dict[int, dict[str, Any]]:
    """The last words that processes have left in `folder`, by their numbers."""
    return {int(file.stem): json.loads(file.read_text()) for file in sorted(folder.glob("[0-9]*.json"))}
