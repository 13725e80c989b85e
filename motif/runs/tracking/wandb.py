"""What Weights & Biases is sent of a run. Training never waits for W&B and never fails with it.

A thread sends everything. A step is sent once: a continued run leaves out the steps that W&B has, and sends those that
a kill took from it. What cannot be sent is said in one line.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from motif.runs.ledger import AXES
from motif.runs.tracking import Tracker
from motif.runs.tracking.sender import Sender
from motif.system import console, first_line, safe_text

PATIENCE, FINISH, GRACE = 10.0, 10.0, 15.0  # seconds at the end: for errands, for W&B's upload, for its last call
SYNC = "make sync, or python -m motif.uploads"
UNSENT = "unsent"  # the mark in the folder of an online part of which W&B has not got all
ROWS, CELL = 10_000, 100_000  # of a table, and signs of a cell: W&B takes 10,000 rows and 1 MB a value
STEP = AXES[0]
LATEST = "episodes/latest"  # the newest table of episodes, for dashboards
Cells = tuple[Sequence[str], Sequence[Sequence[Any]]]  # columns and rows


class Watched(Tracker):
    """The tracker of a run of W&B whose files are in `folder`/wandb. `url` is None offline."""

    def __init__(self, run: Any, folder: Path, artifact: bool, url: str | None) -> None:
        self.run, self.folder, self.artifact, self.url = run, folder, artifact, url
        self.part = Path(run.settings.sync_dir)
        self.last_step = 0  # the last step that W&B had before this process
        self.reported = False  # whether the line about a failure was printed
        self.sender = Sender(self._report)
        self.sender.send(self._define)

    def _define(self) -> None:
        for axis in AXES:
            self.run.define_metric(axis, hidden=True)
        self.run.define_metric("*", step_metric=STEP)

    def resume(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.sender.send(partial(self._resume, list(lines)))

    def _resume(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.last_step = step_of(self.run.summary) if self.url else last_step(self.part)
        for line in lines:
            self._log({key: value for key, value in line.items() if key != "step"}, line["step"])

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.sender.send(partial(self._log, dict(metrics), step))

    def _log(self, metrics: dict[str, float], step: int) -> None:
        if step > self.last_step:
            self.run.log({**metrics, STEP: step})

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        copied = cells(rows)
        self.sender.send(partial(self._table, f"{key}/step_{step:06d}", list(columns), copied, step), can_wait=True)

    def _table(self, name: str, columns: list[Any], rows: list[list[Any]], step: int) -> None:
        import wandb

        latest = f"{name.rsplit('/', 1)[0]}/latest"
        tables = {key: wandb.Table(columns=columns, data=rows) for key in (name, latest)}
        self.run.log({**tables, STEP: step})

    def alert(self, name: str, words: str, step: int) -> None:
        """A W&B alert, which W&B mails to those who asked for that. Offline it would not be uploaded."""
        if self.url:
            self.sender.send(partial(self._alert, name, words, step))

    def _alert(self, name: str, words: str, step: int) -> None:
        if step > self.last_step:
            self.run.alert(title=name, text=words, level="WARN", wait_duration=0)

    def attach(self, tables: Mapping[str, Cells], images: Mapping[str, tuple[Path, str]]) -> None:
        """Send tables, and pictures with their captions, that are of no step."""
        self.sender.send(partial(self._attach, dict(tables), dict(images)))

    def _attach(self, tables: Mapping[str, Cells], images: Mapping[str, tuple[Path, str]]) -> None:
        import wandb

        media: dict[str, Any] = {key: wandb.Image(str(file), caption=words) for key, (file, words) in images.items()}
        for key, (columns, rows) in tables.items():
            media[key] = wandb.Table(columns=list(columns), data=cells(rows))
        self.run.log(media)

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        """Send the summary, and end the run of W&B. It takes PATIENCE + GRACE seconds and a few at most."""
        self.sender.send(partial(self._summarise, dict(summary), policy))
        if not self.sender.close(partial(self.run.finish, exit_code=0 if summary else 1), PATIENCE, GRACE):
            self._report(TimeoutError("no answer"))
            end_service()
            self.sender.join(5)
        if self.url and not self.reported and (reason := refused(self.run.settings.log_internal)):
            self._report(ConnectionError(reason))
        if self.reported:
            with suppress(OSError):
                if self.url and self.part.is_dir():
                    (self.part / UNSENT).touch()
            with suppress(Exception):
                import wandb

                wandb.teardown()  # or it would speak at the end of the process

    def _summarise(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        import wandb

        for entry in summary.get("evaluation", []):
            for key in ("accuracy", "interval", "truncated", "unparsable", "tokens", "n"):
                self.run.summary[evaluation_key(entry, key)] = entry[key]
            for t, accuracy in enumerate(entry.get("accuracy_by_round", []), 1):
                self.run.summary[evaluation_key(entry, f"accuracy_by_round/{t}")] = accuracy["value"]
        self.run.summary["compute"] = summary.get("compute", {})
        if self.artifact and policy is not None:
            artifact = wandb.Artifact(f"policy-{self.run.id}", type="model", metadata=dict(summary))
            artifact.add_dir(str(policy))
            self.run.log_artifact(artifact)

    def _report(self, error: BaseException) -> None:
        if not self.reported:
            self.reported = True
            words = f"W&B has not got all: {first_line(error)}; everything lies in {self.folder}; to upload: {SYNC}"
            console.say(words, style="yellow")


def cells(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """A copy of a table's rows, harmless in W&B and in spreadsheets, with no more than W&B shows."""
    return [[safe_text.cell(one, CELL) if isinstance(one, str) else one for one in row] for row in rows[:ROWS]]


def evaluation_key(entry: Mapping[str, Any], key: str) -> str:
    """The name of an evaluation's `key` in W&B's summary."""
    return f"evaluation/{entry['dataset']}/rounds_{entry['rounds']}/{entry['policy']}/{key}"


def last_step(part: Path) -> int:
    """The last step of the offline parts before `part`; 0 without any."""
    steps = [0]
    for other in part.parent.glob(f"offline-run-*-{part.name.split('-')[-1]}"):
        if other != part:
            call = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(other)]
            with suppress(subprocess.TimeoutExpired):  # then a step may be sent twice, which W&B takes
                read = subprocess.run(call, capture_output=True, text=True, timeout=120)
                if read.returncode == 0:  # a part that a kill left empty cannot be read
                    steps.append(step_of(json.loads(read.stdout)["summary"]))
    return max(steps)


def step_of(summary: Any) -> int:
    """The last step that a summary of W&B has, by its name today or by the one of earlier versions."""
    return int(max(summary.get(name) or 0 for name in (STEP, "train/step")))


def refused(log: str) -> str | None:
    """Why W&B's service gave up on sending, from its log; it says nothing elsewhere."""
    with suppress(OSError):
        for line in Path(log).read_text(errors="replace").splitlines():
            if "filestream: fatal error" in line:
                words: str = json.loads(line)["msg"]
                return words.split("failed to upload: ")[-1].split(" url=")[0]
    return None


def end_service() -> None:
    """End W&B's service process, which does not answer. Else this process would wait for it at its end."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name() == "wandb-core":
                child.kill()
