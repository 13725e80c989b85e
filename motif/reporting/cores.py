"""Work divided among the machine's cores, for what takes seconds. Where nothing can be forked, it is done in turn."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")
WORK: list[tuple[Callable[[Any], Any], Sequence[Any]]] = []  # which forked processes inherit


def each(function: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
    """`function` of each item, in their order. Items and function need no pickling, what is found does; what the
    function changes elsewhere is lost."""
    workers = min(os.cpu_count() or 1, len(items))
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [function(item) for item in items]
    WORK.append((function, items))
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _end_with_parent) as pool:
            return list(pool.map(_found, range(len(items))))
    finally:
        WORK.pop()


def _end_with_parent() -> None:
    """A worker ends with the process that forked it, and does not wait for work from one that was killed."""
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _found(place: int) -> Any:
    function, items = WORK[-1]
    return function(items[place])
