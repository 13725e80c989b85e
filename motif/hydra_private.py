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


def jobs(words: Sequence[str]) -> list[list[str]]:
    """The jobs of a grid: for each its overrides, as Hydra's own sweeper spells them."""
    parsed = OverridesParser.create().parse_overrides(list(words))
    found: list[list[str]] = BasicSweeper.split_arguments(parsed, None)[0]
    return found


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
