"""What Trackio is told of a run: numbers, warnings and results, in a database on this machine.

Trackio keeps in a thread what it is told, so training does not wait. Nothing that goes wrong with it is raised: it is
said in one line. A step is told once, also where a run continues after a kill.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from motif.runs.tracking import Tracker
from motif.runs.tracking.wandb import evaluation_key
from motif.system import console, first_line


class Logged(Tracker):
    """The tracker of a run of Trackio that `begin` begins or continues."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self.run: Any = None
        self.last_step = 0  # the last step that Trackio had before this process
        self.step = 0  # of now
        self._try(self._begin, begin)

    def _begin(self, begin: Callable[[], Any]) -> None:
        from huggingface_hub import constants
        from trackio.sqlite_storage import SQLiteStorage

        online, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True  # or it would ask the hub who this is
        try:
            self.run = begin()
        finally:
            constants.HF_HUB_OFFLINE = online
        self.step = SQLiteStorage.get_max_step_for_run(self.run.project, self.run.name, self.run.id) or 0
        self.last_step = self.step

    def resume(self, lines: Sequence[Mapping[str, Any]]) -> None:
        for line in lines:
            self.log({key: value for key, value in line.items() if key != "step"}, line["step"])

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        if self.run and step > self.last_step:
            self._try(self.run.log, dict(metrics), step=step)
            self.step = step

    def alert(self, name: str, words: str, step: int) -> None:
        if self.run and step > self.last_step:
            self._try(self.run.alert, title=name, text=words, step=step)

    def finish(self, summary: Mapping[str, Any], policy: Path | None) -> None:
        """Write the results down, and end Trackio's run."""
        results = {evaluation_key(entry, "accuracy"): entry["accuracy"] for entry in summary.get("evaluation", [])}
        if self.run:
            self._try(self.run.log, results, step=self.step)
            self._try(self.end)

    def end(self) -> None:
        import trackio

        trackio.finish()

    def _try(self, call: Callable[..., object], *given: Any, **named: Any) -> None:
        """Call it without its words; after the first thing that goes wrong nothing is told any more."""
        try:
            with redirect_stdout(StringIO()):
                call(*given, **named)
        except Exception as error:
            self.run = None
            console.say(f"Trackio: {first_line(error)}; the run goes on without", style="yellow")
