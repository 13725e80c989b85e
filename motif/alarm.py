"""Tells of what the watchdogs find: on the screen, in the run's folder, and whoever tracks the run."""

from collections.abc import Mapping
from typing import Any

from motif import screen
from motif.files import write_json
from motif.runs import Run
from motif.tracking import Tracker
from motif.watchdogs import FILE, Watch, Watchdogs, said


class Alarm:
    """The watchdogs of a run in training. What they said lies in the run's folder, where they said anything."""

    def __init__(self, watch: Watch, run: Run, tracker: Tracker) -> None:
        self.watch, self.run, self.tracker = watch, run, tracker
        self.dogs = Watchdogs(watch)

    def begin(self) -> None:
        """Training begins, or goes on from where the run's metrics end: what was said before is not said again."""
        self.dogs = Watchdogs(self.watch)
        for line in self.run.metrics():
            self.dogs.see(line)
        if self.dogs.said != said(self.run.folder):
            self._write()

    def see(self, line: Mapping[str, Any]) -> None:
        """A step has left this line of metrics."""
        if fresh := self.dogs.see(line):
            self._write()
        for each in fresh:
            screen.say(f"warning: {each['words']}", style="yellow")
            self.tracker.alert(each["name"], each["words"], each["step"])

    def _write(self) -> None:
        write_json(self.run.folder / FILE, self.dogs.said)
