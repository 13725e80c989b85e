"""Watchdogs: what a training that is going wrong shows in its own metrics, each a plain warning with its number.

Whether there is something to warn of depends on the lines of metrics.jsonl alone, so a run that is continued warns as
one that was never stopped does. A watchdog speaks when its trouble begins, and again only after it has been away. What
a warning means and what to do is a section of docs/troubleshooting.md by its name. Nothing here stops a run;
`nonfinite` does.
"""

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.runs.folder import Run
from motif.runs.tracking.base import Tracker
from motif.system import console, number, whole, write_json

GUIDE = "docs/troubleshooting.md"
FILE = "warnings.json"  # in a run's folder


@dataclass(frozen=True)
class Watch:
    """From which numbers on there is a warning; null: never. A number is the mean of the last `steps` steps.

    `entropy` is a share of the mean of the first `steps` steps. `spread` is the share of groups without any, `copied`
    of episodes that repeat an earlier round's answer, `truncated` of replies of a round that were cut off. `mismatch`
    is what `guard` finds in a round, in nats a token. `fall` is by how much accuracy on `questions` validation
    questions may lie below its best so far while the reward is above what it was then. They are measured `every` so
    many steps (0: never; null: as often as that costs little).
    """

    steps: int = 20
    entropy: float | None = 0.2
    spread: float | None = 0.95
    copied: float | None = 0.5
    truncated: float | None = 0.5
    mismatch: float | None = 0.05
    fall: float | None = 0.1
    every: int | None = 0
    questions: int = 128

    def __post_init__(self) -> None:
        whole("watch.steps", self.steps)
        if self.every is not None:
            whole("watch.every", self.every, at_least=0)
        whole("watch.questions", self.questions)
        for key in (field.name for field in fields(self) if field.name not in ("steps", "every", "questions")):
            if (value := getattr(self, key)) is not None:
                number(f"watch.{key}", value, at_least=0, at_most=math.inf if key == "mismatch" else 1)


def place(name: str) -> str:
    """Where the docs speak of the trouble called `name`."""
    return f"{GUIDE}#{name.replace(' ', '-')}"


def said(folder: Path) -> list[dict[str, Any]]:
    """What the watchdogs of the run at `folder` have said so far: `step`, `name`, `words`."""
    file = folder / FILE
    return json.loads(file.read_text()) if file.is_file() else []


def names(warnings: Iterable[Mapping[str, Any]]) -> str:
    """What `warnings` are of, each once."""
    return ", ".join(dict.fromkeys(each["name"] for each in warnings))


class Watchdogs:
    """Sees a training's lines of metrics one after the other; `said` holds the warnings so far."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.said: list[dict[str, Any]] = []
        self._recent: deque[Mapping[str, Any]] = deque(maxlen=watch.steps)
        self._entropy = math.nan  # of the first steps
        self._held_out: list[tuple[int, float, float]] = []  # step, accuracy, reward
        self._last: dict[str, int] = {}  # when each trouble was there last

    def see(self, line: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What there is to say after the step of `line`: warnings with their `step`, `name` and `words`."""
        step = int(line["step"])
        self._recent.append(line)
        if "held_out/accuracy" in line:
            self._held_out.append((step, line["held_out/accuracy"], self._mean("train/reward")))
        if len(self._recent) < self.watch.steps:
            return []
        if step == self.watch.steps:
            self._entropy = self._mean("train/entropy")
        fresh = []
        for name, words in self._troubles():
            if step - self._last.get(name, -math.inf) > self.watch.steps:
                fresh.append({"step": step, "name": name, "words": f"step {step}: {words}; see {place(name)}"})
            self._last[name] = step
        self.said += fresh
        return fresh

    def _mean(self, key: str) -> float:
        """Over the recent steps that have the number; nan without any, which no threshold is below or above."""
        values = [line[key] for line in self._recent if key in line]
        return fmean(values) if values else math.nan

    def _highest(self, key: str) -> tuple[int, float]:
        """The round of which the mean of its `key` is highest, and that mean."""
        names = {name for line in self._recent for name in line if name.startswith("rounds/")}
        means = ((self._mean(name), int(name.split("/")[1])) for name in names if name.endswith(f"/{key}"))
        value, round = max(means, default=(math.nan, 0))
        return round, value

    def _troubles(self) -> Iterator[tuple[str, str]]:
        watch, over = self.watch, f"in the mean of {self.watch.steps} steps"
        entropy, first = self._mean("train/entropy"), self._entropy
        if watch.entropy is not None and entropy < watch.entropy * first:
            share = f"{entropy / first:.0%} of the {first:.3g} that it began with"
            yield "entropy collapse", f"the entropy is {entropy:.3g} nats a token {over}, {share}"
        alike = self._mean("groups/zero_advantage")
        if watch.spread is not None and alike >= watch.spread:
            words = f"in {alike:.0%} of groups all rewards are alike {over}, and teach nothing"
            yield "groups without spread", f"{words}; algo.sampling=dynamic replaces them"
        copied = self._mean("episode/copied")
        if watch.copied is not None and copied > watch.copied:
            yield "answers copied", f"{copied:.0%} of episodes repeat the answer of an earlier round {over}"
        round, cut = self._highest("truncated")
        if watch.truncated is not None and cut > watch.truncated:
            yield "replies cut off", f"{cut:.0%} of the replies of round {round} are cut off at their window {over}"
        round, apart = self._highest("guard_difference")
        if watch.mismatch is not None and apart > watch.mismatch:
            words = f"the replies of round {round} are {apart:.3g} nats a token from the policy that is trained {over}"
            yield "another policy", words
        if watch.fall is not None and self._held_out:
            best, (step, now, reward) = max(self._held_out, key=lambda each: each[1]), self._held_out[-1]
            if best[1] - now > watch.fall and reward > best[2]:
                accuracy = f"accuracy on validation questions fell from {best[1]:.1%} at step {best[0]} to {now:.1%}"
                risen = f"the reward rose from {best[2]:.3g} to {reward:.3g}"
                yield "reward without accuracy", f"{accuracy} at step {step}, while {risen}"


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
            console.say(f"warning: {each['words']}", style="yellow")
            self.tracker.alert(each["name"], each["words"], each["step"])

    def _write(self) -> None:
        write_json(self.run.folder / FILE, self.dogs.said)
