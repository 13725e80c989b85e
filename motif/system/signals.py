"""Being asked to stop: Ctrl-C, SIGTERM as a scheduler sends it, SIGUSR2 as Slurm warns.

Within a training step a stop waits for the step's end; elsewhere it is at once, for what is done is kept already.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


class Stopped(BaseException):
    """The work was asked to stop, and what is done so far is kept; `signal` is what asked.

    As `KeyboardInterrupt` it is no `Exception`, so that nobody who goes on after a fault goes on after this.
    """

    def __init__(self, words: str, signal: int | None = None) -> None:
        super().__init__(words)
        self.signal = signal


@contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Within the block `handler(number, frame)` is called for each of `SIGNALS`. Does nothing outside of the main
    thread, which alone can have handlers."""
    try:
        before = {number: signal.signal(number, handler) for number in SIGNALS}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def at_once() -> Iterator[None]:
    """Within the block the first signal raises `Stopped`, the second `KeyboardInterrupt`."""
    asked = False

    def stop(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        raise Stopped("stopped", number)

    with handled(stop):
        yield
