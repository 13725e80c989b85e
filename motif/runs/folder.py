"""A run is a folder, and whatever reports on runs reads folders, never a live process.

outputs/<name>/
  config.yaml        the resolved configuration
  run.json           its id and identity
  environment.json   versions, git commit, device, seed, command
  preflight.json     what was checked before the first step
  metrics.jsonl      one line a training step
  warnings.json      what the watchdogs said, where they did
  episodes.jsonl.gz  trees as they were grown, one line a question
  checkpoints/       of training, the newest two (motif.runs.checkpoints)
  evaluation/        one JSONL a policy, data set and number of rounds; one line a question
  probes/            what `python -m motif.probe` found of what rounds contribute
  policy/            the trained policy and tokenizer, loadable by transformers or peft
  summary.json       the result; a run that has it is finished
  credit/            what `python -m motif.credit` found
  wandb/             what Weights & Biases was told
"""

import gzip
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from motif.runs import checkpoints
from motif.runs.identity import PLUMBING, differing, identity, identity_hash
from motif.system import console, processes
from motif.system.errors import UserError, whole
from motif.system.files import FORMAT, append, left_of, read_json, read_yaml, remove, sync, unwritable
from motif.system.files import write_json as write_json
from motif.system.files import write_text as write_text
from motif.system.locks import Lock


@dataclass(frozen=True)
class Record:
    """How much of the rollouts is kept: the trees of the first `questions` questions of each step (null: of all)."""

    questions: int | None = 8

    def __post_init__(self) -> None:
        if self.questions is not None:
            whole("record.questions", self.questions, at_least=0)


class AnotherRun(UserError):
    """A run of another configuration lies where this one would."""


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
        """The run at `folder`, to be begun, continued or shown with this resolved `config`. Nothing is written yet.

        A folder that holds something else, or what a run of another configuration has recorded, is refused.
        """
        run = cls(folder)
        ground = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not ground.is_dir() or not os.access(ground, os.W_OK):
            raise UserError(f"{folder} cannot be written, because {ground} cannot; choose another outputs=")
        if run.is_run():
            read_json(run.folder / "run.json")  # whose format may be a newer one
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

    def differs(self, config: Mapping[str, Any]) -> list[str]:
        """The keys in which the run that lies here is another than that of `config`; none where nothing lies here."""
        file = self.folder / "config.yaml"
        return differing(identity(read_yaml(file)), identity(config)) if file.is_file() else []

    def begin(
        self,
        config: Mapping[str, Any],
        overwrite: bool = False,
        rows: str | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        """Make the folder, or take up what lies there; `overwrite` empties it first.

        `rows` is the fingerprint of the questions. A run that has recorded on others is refused: where its files lie
        is no part of what a run is, what is in them is. The job of a queue that began it by `overwrite` is noted,
        and its `limits`, which a run that is matched may have no more when it goes on.
        """
        if self.is_run() and (overwrite or self.differs(config) or (rows != self.rows and not self.has_recorded())):
            remove(self.folder)
        if not self.is_run():  # first of all, for a folder without it is not a run and is left alone
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
        """Whether this job of a queue began the run by overwriting another: then it was put into its queue again, and
        goes on."""
        return self.is_run() and None is not self.meta.get("overwritten_by") == queued_job()

    def is_run(self) -> bool:
        return (self.folder / "run.json").is_file()

    def has_recorded(self) -> bool:
        """Whether anything would be lost with the folder."""
        return self.metrics_file.exists() or self.evaluation.exists()

    @property
    def meta(self) -> dict[str, Any]:
        found = read_json(self.folder / "run.json")
        if not isinstance(found.get("id"), str):
            raise UserError(f"{self.folder / 'run.json'} names no id of a run; put a whole copy in its place")
        return found

    @property
    def id(self) -> str:
        """Stable over restarts of the run."""
        return self.meta["id"]

    @property
    def rows(self) -> str | None:
        """The fingerprint of the questions that the run was begun with; None where none was noted."""
        return self.meta.get("rows")

    @property
    def limits(self) -> dict[str, float] | None:
        """The limits of its budget, as they were when it began; None where it has not begun or has none."""
        return self.meta.get("limits") if self.is_run() else None

    @property
    def lock(self) -> Path:
        """Where the lock of this run lies: beside its folder, which may be emptied under it."""
        return self.folder.parent / ".locks" / self.folder.name

    def held(self) -> AbstractContextManager[object]:
        """A context in which this process alone works on the run. Raises `motif.system.locks.Busy` where another does.

        Of the processes of one training the first holds it for all.
        """
        return Lock(self.lock, str(self.folder), say=console.say) if processes.first() else nullcontext()

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """Within it, a disk that cannot be written is a `UserError` that says with which `command` to go on. The draft
        of a checkpoint is removed then, since it takes the room that has to be made."""
        try:
            yield
        except Exception as error:
            words = unwritable(error, self.folder)
            shutil.rmtree(checkpoints.drafts(self.checkpoints), ignore_errors=True)
            if words:
                raise UserError(f"{words}, and {command} continues{self.from_where()}") from error
            raise

    def summary(self) -> dict[str, Any] | None:
        """The result where the run is finished, else None."""
        file = self.folder / "summary.json"
        return read_json(file) if file.is_file() else None

    def finish(self, summary: Mapping[str, Any]) -> None:
        write_json(self.folder / "summary.json", {"format": FORMAT, **summary})

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to the metrics."""
        append(self.metrics_file, (json.dumps(metrics) + "\n").encode())

    def metrics(self) -> list[dict[str, Any]]:
        if not self.metrics_file.is_file():
            return []
        try:
            return [json.loads(line) for line in self.metrics_file.read_bytes().splitlines()]
        except ValueError as error:
            raise UserError(f"{self.metrics_file} holds a line that is no JSON; overwrite=true begins again") from error

    def write_episodes(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines to the episodes, as one gzip member, so that the file can be cut at any call."""
        append(self.episodes_file, gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0))

    def positions(self) -> dict[str, int]:
        """Lengths in bytes of the files that grow."""
        files = (self.metrics_file, self.episodes_file)
        return {file.name: file.stat().st_size if file.is_file() else 0 for file in files}

    def cut(self, positions: Mapping[str, int]) -> None:
        """Take back what was appended since `positions` were read."""
        for file in (self.metrics_file, self.episodes_file):
            if file.is_file():
                os.truncate(file, min(positions.get(file.name, 0), file.stat().st_size))

    def check_there(self) -> None:
        """A `UserError` where the folder was taken away: what is written to it would be half a run."""
        if not self.is_run():
            raise UserError(
                f"{self.folder} was removed or moved while the run was writing to it; put it back, or begin again"
            )

    def seal(self, note: Mapping[str, Any], keep: int) -> None:
        """Make what was saved of step `note["step"]` a checkpoint that goes with the files as they are now."""
        for file in (self.metrics_file, self.episodes_file):
            if file.is_file():
                sync(file)
        checkpoints.seal(self.checkpoints, {**note, "id": self.id, "positions": self.positions()}, keep)

    def checkpoint(self) -> checkpoints.Checkpoint | None:
        """The newest checkpoint that is whole and goes with the files that grow, or None."""
        return checkpoints.newest(self.checkpoints, self._unfit) if self.checkpoints.is_dir() else None

    def from_where(self) -> str:
        """` from step 40`, by the name of the newest checkpoint; nothing where there is none."""
        found = checkpoints.steps(self.checkpoints)
        return f" from step {found[0]}" if found else ""

    def _unfit(self, note: Mapping[str, Any]) -> str | None:
        if note["id"] != self.id:
            return "it is of another run"
        here = self.positions()
        short = [name for name, length in note["positions"].items() if here.get(name, 0) < length]
        return f"{short[0]} has lost lines that it counts on" if short else None


def queued_job() -> str | None:
    """Slurm's number of this job, the same after it was put into the queue again; None outside of Slurm."""
    return os.environ.get("SLURM_JOB_ID")
