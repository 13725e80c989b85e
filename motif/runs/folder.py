"""A run is a folder. Reports read folders, never a live process.

outputs/<name>/
  config.yaml        the resolved configuration
  run.json           its id and identity
  environment.json   versions, git commit, device, seed, command
  preflight.json     what was checked before the first step, and found
  metrics.jsonl      one line a training step
  warnings.json      warnings of the watchdogs, if any
  episodes.jsonl.gz  trees as they were grown, one line a question
  checkpoints/       of training, the newest two (motif.runs.checkpoints)
  evaluation/        one JSONL a policy, data set and number of rounds; one line a question
  probes/            results of `python -m motif.probe`: what rounds contribute
  policy/            the trained policy and tokenizer, loadable by transformers or peft
  summary.json       the result; a run that has it is finished
  credit/            results of `python -m motif.credit`
  wandb/             Weights & Biases' own files
"""

import gzip
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from motif.runs import checkpoints
from motif.runs.identity import PLUMBING, differing, identity, identity_hash
from motif.runs.metric_names import renamed
from motif.system import Lock, UserError, console, processes, whole
from motif.system.files import FORMAT, append, left_of, read_json, read_yaml, remove, sync, unwritable, write_text
from motif.system.files import write_json as write_json


@dataclass(frozen=True)
class Record:
    """How many questions of each step have their trees recorded: the first `questions`, or with null all."""

    questions: int | None = 8

    def __post_init__(self) -> None:
        if self.questions is not None:
            whole("record.questions", self.questions, at_least=0)


class AnotherRun(UserError):
    """The folder holds a run of another configuration."""


class Run:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics_file = folder / "metrics.jsonl"
        self.episodes_file = folder / "episodes.jsonl.gz"
        self.checkpoints = folder / "checkpoints"
        self.policy = folder / "policy"
        self.evaluation = folder / "evaluation"

    @classmethod
    def open(cls, folder: Path, config: Mapping[str, Any], overwrite: bool = False) -> "Run":
        """The run at `folder`, to begin, continue or show with this resolved `config`. Nothing is written.

        Raises:
            AnotherRun: a run of another configuration has recorded something there.
            UserError: the folder cannot be written, or holds something else.
        """
        run = cls(folder)
        ground = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not ground.is_dir() or not os.access(ground, os.W_OK):
            raise UserError(f"{folder} cannot be written, because {ground} cannot; choose another outputs=")
        if run.is_run():
            read_json(run.folder / "run.json")  # refuses a newer format
        elif folder.exists() and any(not left_of(path, "run.json") for path in folder.iterdir()):
            raise UserError(f"{folder} exists and is not a run; choose another name=")
        if not overwrite and run.metrics_file.exists() and not (folder / "config.yaml").is_file():
            raise UserError(
                f"{folder} holds records, but no config.yaml says of what; put it back, choose another name=, or "
                "overwrite=true to lose that run"
            )
        if not overwrite and run.has_recorded() and (keys := run.differs(config)):
            raise AnotherRun(
                f"{folder} holds a run with another configuration ({', '.join(keys)} differ; only "
                f"{', '.join(PLUMBING)}, algo.micro_batch may); choose another name=, or overwrite=true to lose that "
                "run"
            )
        return run

    @classmethod
    def once(
        cls,
        folder: Path,
        config: Mapping[str, Any],
        overwrite: bool,
        work: Callable[["Run", Mapping[str, Any], bool], dict[str, Any]],
        show: Callable[[Mapping[str, Any], Path], object],
    ) -> dict[str, Any]:
        """The summary of the run at `folder`. What is finished is shown, else `work` does what is left, in one process.

        Args:
            folder: of the run.
            config: its resolved configuration.
            overwrite: begins again, unless this job of a queue has done so already.
            work: is given the run, `config` and `overwrite`, and finishes the run.
            show: prints a summary.
        """
        command = "the same command" + " without overwrite=true" * overwrite
        overwrite = overwrite and not cls(folder).begun_by_this_job()
        run = cls.open(folder, config, overwrite)
        if (summary := processes.by_first(run.summary)) and not overwrite:  # another program may finish it just now
            console.say(f"{folder} is finished already; overwrite=true runs it again.", style="yellow")
            show(summary, folder)
            return summary
        with run.held(), run.writing(command):
            run = cls.open(folder, config, overwrite)  # as the one who held it before has left it
            return (not overwrite and processes.by_first(run.summary)) or work(run, config, overwrite)

    def differs(self, config: Mapping[str, Any]) -> list[str]:
        """The keys in which the configuration of the run here differs from `config`; none where there is no run."""
        file = self.folder / "config.yaml"
        return differing(identity(read_yaml(file)), identity(config)) if file.is_file() else []

    def begin(
        self,
        config: Mapping[str, Any],
        overwrite: bool = False,
        rows: str | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        """Make the folder, or continue the run there.

        Args:
            overwrite: empties the folder first. The job of a queue that did so is noted.
            rows: the fingerprint of the questions. What is in the files of questions is part of a run; where they are
                is not.
            limits: the budget in numbers. They are noted, because a matched run may be gone when this one continues.

        Raises:
            UserError: the run there has recorded on other questions.
        """
        if self.is_run() and (overwrite or self.differs(config) or (rows != self.rows and not self.has_recorded())):
            remove(self.folder)
        if not self.is_run():  # before all else: a folder without run.json is no run, and nobody touches it
            meta = {"format": FORMAT, "id": uuid.uuid4().hex[:12], "identity": identity_hash(config), "rows": rows}
            meta |= {"limits": dict(limits)} if limits else {}
            meta |= {"overwritten_by": queued_job()} if overwrite else {}
            write_json(self.folder / "run.json", meta)
        elif self.rows not in (None, rows):
            raise UserError(
                f"{self.folder} holds a run on other questions than dataset.path and evaluation.path have now; "
                "choose another name=, or overwrite=true to lose that run"
            )
        if not (self.folder / "config.yaml").is_file():
            write_text(self.folder / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))

    def begun_by_this_job(self) -> bool:
        """Whether this job of a queue has begun the run by overwriting another. It was requeued then, and continues."""
        return self.is_run() and None is not self.meta.get("overwritten_by") == queued_job()

    def is_run(self) -> bool:
        return (self.folder / "run.json").is_file()

    def has_recorded(self) -> bool:
        """Whether something would be lost with the folder."""
        return self.metrics_file.exists() or self.evaluation.exists()

    @property
    def meta(self) -> dict[str, Any]:
        """run.json. A `UserError` where it names no run."""
        meta = read_json(self.folder / "run.json")
        if not isinstance(meta.get("id"), str):
            raise UserError(f"{self.folder / 'run.json'} names no id of a run; put a whole copy in its place")
        return meta

    @property
    def id(self) -> str:
        """The run's own id, which restarts do not change."""
        return self.meta["id"]

    @property
    def rows(self) -> str | None:
        """The fingerprint of the questions that the run began with; None where none is noted."""
        return self.meta.get("rows")

    @property
    def limits(self) -> dict[str, float] | None:
        """The limits of its budget when it began; None where it has not begun or has none."""
        return self.meta.get("limits") if self.is_run() else None

    @property
    def lock(self) -> Path:
        """The folder of this run's lock. It is beside the run's folder, which may be emptied under it."""
        return self.folder.parent / ".locks" / self.folder.name

    def held(self) -> AbstractContextManager[object]:
        """A context in which no other process works on the run. It raises `motif.system.locks.Busy` where one does.

        The first process of a training holds it for all of its processes.
        """
        return processes.in_first(Lock(self.lock, str(self.folder), say=console.say))

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """Within it, a disk that cannot be written is a `UserError` that says with which `command` to continue.

        The draft of a checkpoint is removed then, because it takes the room that is needed.
        """
        try:
            yield
        except Exception as error:
            words = unwritable(error, self.folder)
            if processes.first():  # which makes checkpoints of drafts, and may be doing so for all
                shutil.rmtree(checkpoints.drafts(self.checkpoints), ignore_errors=True)
            if words:
                raise UserError(f"{words}, and {command} continues{self.from_where()}") from error
            raise

    def summary(self) -> dict[str, Any] | None:
        """The result of a finished run, else None."""
        file = self.folder / "summary.json"
        return read_json(file) if file.is_file() else None

    def finish(self, summary: Mapping[str, Any]) -> None:
        write_json(self.folder / "summary.json", {"format": FORMAT, **summary})

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to the metrics."""
        append(self.metrics_file, (json.dumps(metrics) + "\n").encode())

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of the metrics, by today's names."""
        if not self.metrics_file.is_file():
            return []
        try:
            return [renamed(json.loads(line)) for line in self.metrics_file.read_bytes().splitlines()]
        except ValueError as error:
            raise UserError(f"{self.metrics_file} holds a line that is no JSON; overwrite=true begins again") from error

    def write_episodes(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines to the episodes, as one gzip member. So the file can be cut between calls."""
        append(self.episodes_file, gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0))

    def positions(self) -> dict[str, int]:
        """The lengths in bytes of the files that grow."""
        files = (self.metrics_file, self.episodes_file)
        return {file.name: file.stat().st_size if file.is_file() else 0 for file in files}

    def cut(self, positions: Mapping[str, int]) -> None:
        """Remove what was appended after `positions` were read."""
        for file in (self.metrics_file, self.episodes_file):
            if file.is_file():
                os.truncate(file, min(positions.get(file.name, 0), file.stat().st_size))

    def check_there(self) -> None:
        """A `UserError` where the folder was taken away, because what is written now would be half a run."""
        if not self.is_run():
            raise UserError(
                f"{self.folder} was removed or moved while the run was writing to it; put it back, or begin again"
            )

    def seal(self, note: Mapping[str, Any], keep: int) -> None:
        """Make the draft of step `note["step"]` a checkpoint that fits the files as they are now."""
        for file in (self.metrics_file, self.episodes_file):
            if file.is_file():
                sync(file)
        checkpoints.seal(self.checkpoints, {**note, "id": self.id, "positions": self.positions()}, keep)

    def checkpoint(self) -> checkpoints.Checkpoint | None:
        """The newest checkpoint that verifies and fits the files that grow, or None."""
        return checkpoints.newest(self.checkpoints, self._unfit) if self.checkpoints.is_dir() else None

    def from_where(self) -> str:
        """` from step 40`, by the name of the newest checkpoint; nothing where there is none."""
        steps = checkpoints.steps(self.checkpoints)
        return f" from step {steps[0]}" if steps else ""

    def _unfit(self, note: Mapping[str, Any]) -> str | None:
        """Why a checkpoint with this note does not fit the run; None where it does."""
        if note["id"] != self.id:
            return "it is of another run"
        here = self.positions()
        short = [name for name, length in note["positions"].items() if here.get(name, 0) < length]
        return f"{short[0]} has lost lines that it counts on" if short else None


def queued_job() -> str | None:
    """Slurm's number of this job, which requeueing does not change; None outside of Slurm."""
    return os.environ.get("SLURM_JOB_ID")
