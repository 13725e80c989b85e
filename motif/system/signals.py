"""How a program is asked to stop: Ctrl-C, SIGTERM from a scheduler, SIGUSR2 as Slurm's warning.

Within a training step a stop waits for the end of the step. Elsewhere it comes at once, because everything that is done
is saved already.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
ECHO = 0.5  # seconds within which a signal that comes again is the same one: Linux tells the end of a parent by thread


class Stopped(BaseException):
    """The program was asked to stop by `signal`, and what is done is saved.

    Like `KeyboardInterrupt` it is no `Exception`, so that code that continues after errors does not continue after it.
    """

    def __init__(self, words: str, signal: int | None = None) -> None:
        super().__init__(words)
        self.signal = signal


@contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Within the block, `handler(number, frame)` is called for each of `SIGNALS`, but not for its echo.

    Only the main thread can have handlers; in another thread this does nothing.
    """
    heard: dict[int, float] = {}

    def call(number: int, frame: Any) -> None:
        now = time.monotonic()
        if number not in heard or number == signal.SIGINT or now - heard[number] > ECHO:
            heard[number] = now
            handler(number, frame)

    try:
        before = {number: signal.signal(number, call) for number in SIGNALS}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def at_once() -> Iterator[None]:
    """Within the block, the first signal raises `Stopped`, the second `KeyboardInterrupt`."""
    asked = False

    def stop(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        raise Stopped("stopped", number)

    with handled(stop):
        yield
