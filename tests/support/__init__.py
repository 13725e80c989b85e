"""What tests share: toy models and questions, forked programs, a browser, servers that misbehave."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FEW = ("dataset.train_size=64", "dataset.validation_size=32", "dataset.test_size=32")  # chains are soon made


def thinned(rows: Iterable[Any], every: int) -> list[Any]:
    """Rows of a parametrised test. All but each `every`-th are slow: they prove once more what their neighbours do."""
    apart = [row if isinstance(row, tuple) else (row,) for row in rows]
    marks = [() if place % every == 0 else pytest.mark.slow for place in range(len(apart))]
    return [pytest.param(*row, marks=mark) for row, mark in zip(apart, marks, strict=True)]


@contextmanager
def no_hang(seconds: int = 120) -> Iterator[None]:
    """Fails what takes `seconds` of processor time: a hundred times what it needs, so only quadratic time or a hang."""

    def fail(*_):
        pytest.fail(f"no end after {seconds} s of processor time")

    before = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
