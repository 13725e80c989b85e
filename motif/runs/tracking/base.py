"""The choices of the config group `tracking`: Weights & Biases, TensorBoard, Trackio, none, or several of them.

A tracker gets only what the run's folder holds anyway. It never stops a run and never makes it wait (that of W&B is in
`wandb`). Where W&B cannot be reached, it goes offline and says so in one line.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import yaml

from motif.runs.tracking import Tracker
from motif.runs.tracking.trackio import Logged
from motif.runs.tracking.wandb import FINISH, SYNC, Watched, evaluation_key
from motif.system import UserError, console, first_line, install, masked, one_of, shown, text, visible, whole

ENVIRONMENT = {
    "WANDB_HTTP_TIMEOUT": "5",  # seconds that a table may take to be announced; W&B's default is 19
    "WANDB_ERROR_REPORTING": "false",  # no report of errors to a third party
    "WANDB_SILENT": "true",  # we say in one line what there is to say
}
LOCAL: dict[str, Any] = {"resume": "allow", "embed": False, "auto_log_gpu": False, "auto_log_cpu": False}  # of Trackio


def prepare() -> None:
    """Set what W&B reads from the environment, where it is not set. Call this before W&B is imported."""
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)


class Nowhere(Tracker):
    """A tracker that does nothing."""


class Choice:
    """An option of the config group. The package that it needs, if any, is that of its extra and of its name."""

    package: ClassVar[str] = ""

    def check(self) -> None:
        """Raises a `UserError` where a package is missing, before anything begins."""
        if self.package and find_spec(self.package) is None:
            raise UserError(f"tracking={self.package} needs: {install(self.package)}")


@dataclass(frozen=True)
class Silent(Choice):
    """`tracking=none`."""

    name: str = "none"
    episodes_every: int = 0

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        return Nowhere()


@dataclass(frozen=True)
class WandB(Choice):
    """`tracking=wandb`: a run of Weights & Biases.

    Args:
        project, entity: where the run is.
        group: the study that the run is of.
        job_type, tags: W&B's own labels.
        mode: online, offline or disabled. Null takes WANDB_MODE, else online where a key is known, else offline.
        episodes_every: steps between tables of episodes; 0 sends none.
        artifact: whether the trained policy is sent too.
        init_timeout: seconds to reach W&B at the start.

    Raises:
        UserError: a value that cannot be, by its key.
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
        text("tracking.project", self.project)
        listed = isinstance(self.tags, Sequence) and not isinstance(self.tags, str)
        if not listed or not all(isinstance(tag, str) for tag in self.tags):
            raise UserError(f"tracking.tags must be a list of words, as in tracking.tags=[a,b], got {shown(self.tags)}")
        one_of("tracking.mode", self.mode, (None, "online", "offline", "disabled"))
        if self.mode is None and (told := os.environ.get("WANDB_MODE")):
            one_of("the variable WANDB_MODE", told, ("online", "offline", "disabled", "shared", "dryrun", "run"))
        whole("tracking.episodes_every", self.episodes_every, at_least=0)
        whole("tracking.init_timeout", self.init_timeout)

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        """The tracker of the run with this stable `id`, new or resumed. Its files are in `folder`/wandb."""
        prepare()
        import wandb

        wanted: Any = self.mode or os.environ.get("WANDB_MODE") or ("online" if self.has_key() else "offline")
        labels = {
            "project": self.project,
            "entity": self.entity,
            "group": self.group,
            "job_type": self.job_type,
            "tags": list(self.tags),
            "name": name,
            "config": dict(config),
        }
        options: dict[str, Any] = {**masked(labels), "id": id, "resume": "allow", "dir": str(folder)}
        settings = wandb.Settings(
            console="off",
            silent=True,
            init_timeout=self.init_timeout,
            finish_timeout=FINISH,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=1.0,  # what a kill takes from wandb/; W&B's default is 15 s
        )
        reason = ""
        for mode in dict.fromkeys((wanted, "offline")):
            try:
                run = wandb.init(**options, mode=mode, settings=settings)
            except Exception as error:
                if mode == "offline" and isinstance(error, wandb.errors.UsageError):
                    raise UserError(f"tracking: {first_line(error)}; tracking=none goes without") from error
                reason = f"{first_line(error)}; "
                wandb.teardown()  # the failed attempt holds the run's id
            else:
                break
        else:
            console.say(f"W&B: {reason}the run goes on without; everything lies in {folder}", style="dim")
            return Nowhere()
        url = run.url if mode == "online" else None
        if mode == "offline":
            console.say(f"W&B: {reason}tracking offline; to upload: {SYNC}", style="dim")
        if url:
            console.say(f"W&B: {url}", style="dim")
        return Watched(run, folder, self.artifact, url)

    @staticmethod
    def has_key() -> bool:
        """Whether W&B knows a key. Nobody is asked whether it is good."""
        prepare()
        import wandb

        if os.environ.get("WANDB_API_KEY"):
            return True
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            try:
                return bool(wandb.login(prompt=False, verify=False))
            except Exception:  # a file of keys that cannot be read, a key that cannot be one
                return False


@dataclass(frozen=True)
class TensorBoard(Choice):
    """`tracking=tensorboard`: event files in the run's folder."""

    package: ClassVar[str] = "tensorboard"

    name: str = "tensorboard"
    episodes_every: int = 20

    def __post_init__(self) -> None:
        whole("tracking.episodes_every", self.episodes_every, at_least=0)

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder / "tensorboard"))
        settings = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        writer.add_text("config", "    " + visible(settings).replace("\n", "\n    "), 0)
        return _TensorBoardRun(writer)


class _TensorBoardRun(Tracker):
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        cells = [[visible(f"{name}: {value}") for name, value in zip(columns, row, strict=True)] for row in rows]
        blocks = ["    " + "\n".join(of_row).replace("\n", "\n    ") for of_row in cells]
        self.writer.add_text(key, "\n\n".join(blocks), step)

    def alert(self, name: str, words: str, step: int) -> None:
        self.writer.add_text("warnings", words, step)

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        for entry in summary.get("evaluation", []):
            step = 0 if entry["policy"] == "base" else summary["compute"]["training"]["optimiser_steps"]
            self.writer.add_scalar(evaluation_key(entry, "accuracy"), entry["accuracy"], step)
        self.writer.close()


@dataclass(frozen=True)
class Trackio(Choice):
    """`tracking=trackio`: a run of Trackio in its database on this machine (TRACKIO_DIR). It has no episodes.

    Args:
        project: what `trackio show --project` shows.
        group: the study that the run is of.

    Raises:
        UserError: a value that cannot be, or a variable that would send the run elsewhere.
    """

    package: ClassVar[str] = "trackio"

    project: str = "motif"
    group: str | None = None
    name: str = "trackio"
    episodes_every: int = 0

    def __post_init__(self) -> None:
        text("tracking.project", self.project)
        for variable in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_WEBHOOK_URL"):
            if os.environ.get(variable):
                raise UserError(f"tracking=trackio stays on this machine: unset the variable {variable}")

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        """The tracker of the run with this stable `id`, new or resumed: Trackio knows runs by their name alone."""
        import trackio

        settings = {key: value for key, value in config.items() if not key.startswith("_")}  # which Trackio refuses
        labels = {"project": self.project, "name": f"{name}-{id[:6]}", "group": self.group, "config": settings}
        tracker = Logged(partial(trackio.init, **masked(labels), **LOCAL))
        if tracker.run:
            console.say(f"Trackio: trackio show --project {self.project}", style="dim")
        return tracker


@dataclass(frozen=True)
class Several(Choice):
    """`tracking=[wandb,tensorboard]`: all of these `trackers`, each with its own settings."""

    trackers: Sequence[Any]
    name: str = "several"

    def check(self) -> None:
        for each in self.trackers:
            each.check()

    @property
    def episodes_every(self) -> int:
        return max(each.episodes_every for each in self.trackers)

    def start(self, folder: Path, id: str, name: str, config: Mapping[str, Any]) -> Tracker:
        started = []
        with ExitStack() as begun:  # so that where one cannot begin, those that have are ended
            for each in self.trackers:
                started.append(each.start(folder, id, name, config))
                begun.callback(started[-1].finish, {}, None)
            begun.pop_all()
        return _All(started)


class _All(Tracker):
    """Tells each of the `trackers` what it is told."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self.trackers = trackers

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for each in self.trackers:
            each.log(metrics, step)

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        for each in self.trackers:
            each.table(key, columns, rows, step)

    def alert(self, name: str, words: str, step: int) -> None:
        for each in self.trackers:
            each.alert(name, words, step)

    def resume(self, lines: Sequence[Mapping[str, Any]]) -> None:
        for each in self.trackers:
            each.resume(lines)

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        for each in self.trackers:
            each.finish(summary, policy)
