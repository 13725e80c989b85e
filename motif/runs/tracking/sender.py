"""A thread that runs errands, so that whoever sends one never waits for it.

Errands that are refused or slow are the sender's trouble alone: the first exception is reported, and nothing is raised
to the sender. It knows nothing of what it carries.
"""

import itertools
import math
import threading
import time
from collections.abc import Callable
from queue import PriorityQueue

Errand = Callable[[], object]
MOST = 20_000  # errands that may wait; what comes on top is dropped
NOW, LATER, LAST, END = range(4)


class Sender:
    """Runs errands one after the other, in their order, but those that can wait after all others.

    `failed` is called once, in the sender's thread or the sender's, with what went wrong first.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed, self._has_failed = failed, False
        self._errands: PriorityQueue[tuple[int, int, Errand]] = PriorityQueue()
        self._order, self._until = itertools.count(), math.inf
        self._thread = threading.Thread(target=self._work, name="motif-sender", daemon=True)
        self._thread.start()

    def send(self, errand: Errand, can_wait: bool = False) -> None:
        """Have `errand` run some time; returns at once."""
        if self._errands.qsize() < MOST:
            self._errands.put((LATER if can_wait else NOW, next(self._order), errand))
        else:
            self._report(RuntimeError("it does not keep up"))

    def close(self, last: Errand, patience: float, grace: float) -> bool:
        """Run what is waiting, then `last`; False where that has not come to its end in time.

        After `patience` seconds what could wait is dropped; `last` has `grace` seconds more.
        """
        self._until = time.monotonic() + patience
        self._errands.put((LAST, next(self._order), last))
        self._errands.put((END, next(self._order), lambda: None))
        return self.join(patience + grace)

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            rank, _, errand = self._errands.get()
            if rank == END:
                return
            if rank == LATER and time.monotonic() > self._until:
                self._report(TimeoutError("tables were left behind"))
                continue
            try:
                errand()
            except Exception as error:
                self._report(error)

    def _report(self, error: BaseException) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._failed(error)
