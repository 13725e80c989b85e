"""Work divided among the machine's cores. Where processes cannot be forked it is done in turn.

Workers end with the process that forked them, even if that is killed; those of joblib would go on.
"""

import gc
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Value = TypeVar("Value")
WORK: list[tuple[Callable[[Any], Any], Sequence[Any]]] = []  # which forked processes inherit


def parallel_map(function: Callable[[Item], Value], items: Sequence[Item], worth: int = 2) -> list[Value]:
    """`function` of each item, in their order; in turn where there are fewer items than is `worth` a fork.

    Function and items need no pickling, the values do. What the function changes elsewhere is lost. An error of one
    item is raised.
    """
    workers = min(os.cpu_count() or 1, len(items))
    if len(items) < worth or workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [function(item) for item in items]
    WORK.append((function, items))
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin) as pool:
            return list(pool.map(_value, range(len(items))))
    finally:
        WORK.pop()


def _begin() -> None:
    gc.disable()  # what it makes has no cycles, and much of it is read from JSON
    threadpool_limits(1)  # each worker has one core; threads of its libraries would wait for those of the others
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _value(index: int) -> Any:
    function, items = WORK[-1]
    return function(items[index])
