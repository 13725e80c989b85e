"""Where a run is watched: Weights & Biases, TensorBoard, or nowhere but its own folder.

A tracker is an object with `log`, `table` and `finish`. It is told what the run folder holds anyway, never asks, and
never stops a run: where W&B cannot be reached it goes offline and says so in one line.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from motif import screen
from motif.checks import UserError, one_of, whole
from motif.compute import AXES


class Tracker(Protocol):
    """What a run tells whoever watches it."""

    url: str | None

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None: ...

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None: ...


class Nowhere:
    """Tells nobody."""

    url: str | None = None

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None: ...

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None: ...


@dataclass(frozen=True)
class Silent:
    """`tracking=none`."""

    name: str = "none"
    episodes_every: int = 0

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        return Nowhere()


@dataclass(frozen=True)
class WandB:
    """`tracking=wandb`: a run in `project` (of `entity`), in `group` where it belongs to a study.

    `mode` null honours WANDB_MODE, then goes online where a key is known and offline where none is. `episodes_every`
    is the number of steps between tables of episodes (0: none), `artifact` sends the trained policy along.
    """

    project: str = "motif"
    entity: str | None = None
    group: str | None = None
    job_type: str = "train"
    tags: Sequence[str] = field(default_factory=list)
    mode: str | None = None
    episodes_every: int = 20
    artifact: bool = False
    init_timeout: int = 15
    name: str = "wandb"

    def __post_init__(self) -> None:
        one_of("tracking.mode", self.mode, (None, "online", "offline", "disabled"))
        whole("tracking.episodes_every", self.episodes_every, at_least=0)
        whole("tracking.init_timeout", self.init_timeout)

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        """The run with this stable `id`, new or resumed, kept under `folder`/wandb."""
        import wandb

        mode: Any = self.mode or os.environ.get("WANDB_MODE") or ("online" if self._has_key() else "offline")
        options: dict[str, Any] = {
            "project": self.project,
            "entity": self.entity,
            "group": self.group,
            "job_type": self.job_type,
            "tags": list(self.tags),
            "name": name,
            "id": id,
            "resume": "allow",
            "dir": str(folder),
            "config": dict(config),
        }
        settings: dict[str, Any] = {"console": "off", "silent": True, "init_timeout": self.init_timeout}
        reason = ""
        try:
            run = wandb.init(**options, mode=mode, settings=wandb.Settings(**settings))
        except wandb.errors.Error as error:
            if mode == "offline":
                raise UserError(f"tracking: wandb cannot start offline: {error}; tracking=none goes without") from error
            reason = f"{str(error).strip().splitlines()[0]}; "
            wandb.teardown()  # the failed attempt holds the run's id
            mode, run = "offline", wandb.init(**options, mode="offline", settings=wandb.Settings(**settings))
        url = run.url if mode == "online" else None
        if mode == "offline":
            screen.say(
                f"W&B: {reason}tracking offline; to upload: wandb sync {folder / 'wandb'}/offline-run-*", style="dim"
            )
        if url:
            screen.say(f"W&B: {url}", style="dim")
        return _WandBRun(run, self.artifact, url)

    @staticmethod
    def _has_key() -> bool:
        import wandb

        if os.environ.get("WANDB_API_KEY"):
            return True
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return bool(wandb.login(prompt=False, verify=False))


class _WandBRun:
    def __init__(self, run: Any, artifact: bool, url: str | None) -> None:
        self.run, self.artifact, self.url = run, artifact, url
        for axis in AXES:
            run.define_metric(axis, hidden=True)
        run.define_metric("*", step_metric=AXES[0])

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.run.log({**metrics, AXES[0]: step})

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        import wandb

        table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        self.run.log({f"{key}/step_{step:06d}": table, AXES[0]: step})

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        import wandb

        for entry in summary.get("evaluation", []):
            for key in ("accuracy", "interval", "truncated", "unparsable", "tokens", "n"):
                name = f"evaluation/{entry['dataset']}/rounds_{entry['rounds']}/{entry['policy']}/{key}"
                self.run.summary[name] = entry[key]
        self.run.summary["compute"] = summary.get("compute", {})
        if self.artifact and policy is not None:
            artifact = wandb.Artifact(f"policy-{self.run.id}", type="model", metadata=dict(summary))
            artifact.add_dir(str(policy))
            self.run.log_artifact(artifact)
        self.run.finish(exit_code=0 if summary else 1)


@dataclass(frozen=True)
class TensorBoard:
    """`tracking=tensorboard`: event files in the run's folder."""

    name: str = "tensorboard"
    episodes_every: int = 20

    def __post_init__(self) -> None:
        whole("tracking.episodes_every", self.episodes_every, at_least=0)

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("tracking=tensorboard needs: pip install 'motif[tensorboard]'") from error
        return _TensorBoardRun(SummaryWriter(str(folder / "tensorboard")))


class _TensorBoardRun:
    url: str | None = None

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        lines = ["\n".join(f"{column}: {value}" for column, value in zip(columns, row, strict=True)) for row in rows]
        self.writer.add_text(key, "\n\n".join("    " + line.replace("\n", "\n    ") for line in lines), step)

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        for entry in summary.get("evaluation", []):
            name = f"evaluation/{entry['dataset']}/rounds_{entry['rounds']}/{entry['policy']}/accuracy"
            self.writer.add_scalar(name, entry["accuracy"], 0)
        self.writer.close()
