"""Who watches a run.

base        the choices of the config group `tracking`: wandb, tensorboard, trackio, none, or several of them
wandb       what Weights & Biases is told of a run
trackio     what Trackio is told
sender      the thread that tells it
upload      `python -m motif.uploads`: runs that W&B has not got
dashboard   `python -m motif.dashboard`: a workspace of W&B
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Tracker:
    """What a run calls. A tracker that inherits from it does nothing where it says nothing else."""

    url: str | None = None

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None: ...

    def alert(self, name: str, words: str, step: int) -> None:
        """Something that a person should know now."""

    def resume(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Training continues where the folder's metrics end; `lines` are these, each with its `step`."""

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None: ...
