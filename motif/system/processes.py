"""Several processes of one program, as torchrun starts them. They divide the work, and only the first one writes.

Each of them knows all questions and all replies: what costs time is divided (`divided`), and the results are told to
all. So every process decides alike, and joins in every exchange as often as the others, whatever ends early.

A process that loses the others ends too: they are gone, or have not answered for `patience` seconds. What the processes
that `motif.system.group` has begun say at their end is left in a folder for it, so that a person reads one line.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from motif.system.errors import UserError

T = TypeVar("T")
Result = TypeVar("Result")

LAST_WORDS = "MOTIF_LAST_WORDS"  # in the environment: the folder in which a process leaves what has ended it
LOST = re.compile(
    "by peer|Broken pipe|Timed out|operation timeout|pair closure|remote process exited|Connection refused"
)
NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # beside WORLD_SIZE, to find the others
patience = 600.0  # seconds that a process waits for the others; the programs set it


def count() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", 1))


def index() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", 0))


def check() -> None:
    """Raise a `UserError` where torch's variables do not say which of how many processes this one is."""
    size, rank = os.environ.get("WORLD_SIZE"), os.environ.get("RANK")
    if size is None and rank not in (None, "0"):
        raise UserError(f"RANK={rank} is set and WORLD_SIZE is not: set both, as torchrun does, or none of them")
    if size is not None and not re.fullmatch("[0-9]*[1-9][0-9]*", size):
        raise UserError(f"WORLD_SIZE={size} is no number of processes, which is a whole number of at least 1")
    if missing := [name for name in NEEDED if count() > 1 and name not in os.environ]:
        words = f"torchrun sets them; or unset WORLD_SIZE and type processes={size}"
        raise UserError(f"WORLD_SIZE={size} is set without {', '.join(missing)}: {words}")
    if rank is not None and not (re.fullmatch("[0-9]+", rank) and int(rank) < count()):
        raise UserError(f"RANK={rank} is none of WORLD_SIZE={size} processes, whose numbers are 0 to {count() - 1}")


def first() -> bool:
    """Whether this process writes: folders, records, and what a person sees."""
    return os.environ.get("RANK", "0") == "0"


def one_of_several() -> bool:
    """Whether something has begun this process as one of a group, such as torchrun, if only of one. A `WORLD_SIZE` of 1
    alone, as some clusters set it, is none."""
    return count() > 1 or {"WORLD_SIZE", "LOCAL_RANK"} <= os.environ.keys()


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


def divided(
    work: Callable[[Sequence[T]], Sequence[Result]], items: Sequence[T], among: int | None = None
) -> list[Result]:
    """One result for each of `items`, in their order, the same in all processes, which all call it with the same items.

    Args:
        work: gives one result for each item of this process's part, which may be empty. It is called once.
        items: each is in the part of one process.
        among: so many processes, the first ones, get a part; None for all.

    Raises:
        UserError: in all processes, where `work` raised it in one.
    """
    if count() == 1:
        return list(work(items))
    shares = among or count()
    start, end = (-(-len(items) * min(place, shares) // shares) for place in (index(), index() + 1))  # rounded up
    made: Sequence[Result] | UserError
    try:
        made = list(work(items[start:end]))
    except UserError as error:
        made = error
    parts = of_all(made)
    for part in parts:
        if isinstance(part, UserError):
            raise part
    return [result for part in parts for result in part]


def by_first(work: Callable[[], T]) -> T:
    """What `work` returns in the first process, which alone calls it. Its `UserError` is raised in all."""
    return divided(lambda items: [work() for _ in items], [None], among=1)[0]


@contextmanager
def in_first(context: AbstractContextManager[object]) -> Iterator[None]:
    """Within the block the first process is in `context`. A `UserError` on entering it is raised in all."""
    with ExitStack() as held:

        def enter() -> None:
            held.enter_context(context)

        by_first(enter)
        yield


@contextmanager
def within(seconds: float, words: str) -> Iterator[None]:
    """A block that has so many seconds. After them this process ends, with the line `words` and status 1, whatever it
    waits for: a library that waits for another machine hears neither a signal nor an exception."""

    def end() -> None:
        if not leave("error", words):
            print(f"error: {words}", file=sys.stderr, flush=True)
        os._exit(1)

    clock = threading.Timer(seconds, end)
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()


def lost(error: BaseException | None) -> bool:
    """Whether `error`, or what it came of, says that another process of the group is gone or does not answer, in the
    words of gloo, NCCL or torch's store."""
    seen = set[int]()  # what errors come of may lead back to one of them
    while error is not None and id(error) not in seen and count() > 1:
        if isinstance(error, RuntimeError) and LOST.search(str(error)):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


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
