"""A thread that runs errands, so that nobody waits for one.

Errands that fail or are slow trouble nobody: the first exception is reported once, and none is raised. The thread does
not know what its errands do.
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
    """Runs errands one after the other, in their order; those that can wait come after all others.

    `failed` is called once with the first thing that went wrong, in this thread or in that of a caller.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed, self._has_failed = failed, False
        self._errands: PriorityQueue[tuple[int, int, Errand]] = PriorityQueue()
        self._order, self._until = itertools.count(), math.inf
        self._thread = threading.Thread(target=self._work, name="motif-sender", daemon=True)
        self._thread.start()

    def send(self, errand: Errand, can_wait: bool = False) -> None:
        """Give `errand` to the thread, and return at once."""
        if self._errands.qsize() < MOST:
            self._errands.put((LATER if can_wait else NOW, next(self._order), errand))
        else:
            self._report(RuntimeError("it does not keep up"))

    def close(self, last: Errand, patience: float, grace: float) -> bool:
        """Run what waits, then `last`.

        Args:
            patience: seconds after which errands that can wait are dropped.
            grace: seconds more for `last`.

        Returns:
            Whether all has come to its end in time.
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
