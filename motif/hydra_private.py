"""Private parts of Hydra that this package touches: all of them, and nothing else.

pyproject.toml holds Hydra to the minor version they were read in. `tests/test_layers.py` finds such touches elsewhere.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper

PARSER = OverridesParser.create()  # once, since that takes as long as to parse a word


def jobs(words: Sequence[str]) -> list[list[str]]:
    """The jobs of a grid: for each its overrides, as Hydra's own sweeper spells them."""
    found: list[list[str]] = BasicSweeper.split_arguments(PARSER.parse_overrides(list(words)), None)[0]
    return found


COMPOSE_ALL = Sweeper.validate_batch_is_legal


def compose_only(jobs: Sequence[Sequence[str]]) -> None:
    """Of a sweep's jobs, let Hydra's own sweeper compose these alone before it launches the first. It would compose all
    of them, to find mistakes early."""
    wanted = {tuple(job) for job in jobs}

    def compose(sweeper: Sweeper, batch: Sequence[Sequence[str]]) -> None:
        COMPOSE_ALL(sweeper, [job for job in batch if tuple(job) in wanted])

    Sweeper.validate_batch_is_legal = compose  # type: ignore[assignment, method-assign]


def options() -> argparse.ArgumentParser:
    """What reads Hydra's own options on a command line."""
    return get_args_parser()


class Said(JobReturn):
    """What came of a job that has said itself what ended it. Whoever asks for it is told without a line of Hydra's."""

    @property  # type: ignore[misc]  # read alone: nobody sets it once a job has ended
    def return_value(self) -> Any:
        raise self._return_value


def keep_quiet(job: JobReturn, mistake: type[Exception]) -> None:
    """Let Hydra say nothing of a job that a `mistake` ended."""
    if isinstance(job._return_value, mistake):
        job.__class__ = Said
