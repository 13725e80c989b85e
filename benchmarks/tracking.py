"""What tracking costs: `python -m benchmarks.tracking` trains the embedded default with W&B and without, in turns.

W&B is offline; online with a server on this machine; online with that server gone from the second step on; and online
with a key that the server refuses from there on. All take the same steps from the same seed, so that each step is held
against the same one without tracking; tables of episodes are told every five steps. Printed are the median ratios of a
step's CPU time in this process (all of its threads) and of its time on the clock, each with the range of the turns'
medians, and the share of the time that the training thread spends on telling. A second run without tracking shows what
is chance: time on the clock says nothing on a machine that is busy otherwise.
"""

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import compose, initialize

from motif.runs.folder import Run
from motif.system import config as settings
from motif.system import console
from motif.training.recorder import Recorder

ARMS = ("none", "none again", "offline", "online", "server gone", "key refused")


class Watch:
    """When steps were recorded, and the seconds that telling took."""

    def __init__(self, after_first: Callable[[], None]) -> None:
        self.times: list[tuple[float, float]] = []  # CPU and clock
        self.telling, self.after_first = 0.0, after_first

    def record(self, original: Callable[..., None]) -> Callable[..., None]:
        def record(run: Run, metrics: Any) -> None:
            original(run, metrics)
            self.times.append((time.process_time(), time.perf_counter()))
            if len(self.times) == 2:
                self.after_first()

        return record

    def log(self, original: Callable[..., None]) -> Callable[..., None]:
        """`on_log`, with its tracker's calls timed."""

        def on_log(recorder: Recorder, *args: Any, **kwargs: Any) -> None:
            if not hasattr(recorder.tracker, "timed"):
                recorder.tracker = Timed(recorder.tracker, self)
            original(recorder, *args, **kwargs)

        return on_log


class Timed:
    """A tracker whose calls are timed."""

    timed = True

    def __init__(self, tracker: Any, watch: Watch) -> None:
        self.tracker, self.watch = tracker, watch

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> None:
            started = time.perf_counter()
            getattr(self.tracker, name)(*args)
            self.watch.telling += time.perf_counter() - started

        return call


def run(arm: str, steps: int, seed: int, server: Any) -> tuple[list[list[float]], float]:
    """CPU and clock seconds of each step but the first, and of telling, of a training with `arm`'s tracking."""
    server.status = 200
    events = {"server gone": server.stop, "key refused": lambda: setattr(server, "status", 401)}
    mode = "tracking.mode=offline" if arm == "offline" else "tracking.mode=online"
    choices = ["tracking=none"] if arm.startswith("none") else [mode, "tracking.episodes_every=5"]
    watch = Watch(events.get(arm, lambda: None))
    record, on_log = Run.record, Recorder.on_log
    with tempfile.TemporaryDirectory() as place:
        small = ["evaluation.before=false", "evaluation.questions=1", f"algo.steps={steps}", f"seed={seed}"]
        config = compose("config", overrides=[f"outputs={place}", "name=run", *small, *choices])
        experiment, plain = settings.build(config), settings.resolved(config)
        Run.record, Recorder.on_log = watch.record(record), watch.log(on_log)  # type: ignore[method-assign]
        try:
            experiment.run(plain)
        finally:
            Run.record, Recorder.on_log = record, on_log  # type: ignore[method-assign]
    both = [[b - a for a, b in itertools.pairwise(own)] for own in zip(*watch.times, strict=True)]
    return both, watch.telling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=ARMS[1:], default=ARMS[1:], metavar="ARM", help="all but none")
    given = parser.parse_args()
    arms = ("none", *given.arms)
    from tests.wandb_server import Server

    console.quiet()
    os.environ["WANDB_API_KEY"] = "0" * 40
    ratios: dict[str, list[list[list[float]]]] = {arm: [] for arm in ARMS}  # by turn, kind of time, step
    share: dict[str, list[float]] = {arm: [] for arm in ARMS}
    with initialize(version_base="1.3", config_path=os.path.relpath(Path("conf"), Path(__file__).parent)):
        for turn in range(given.turns):
            found: dict[str, list[list[float]]] = {}
            first = turn * max(1, len(arms) // given.turns) % len(arms)
            for arm in (*arms[first:], *arms[:first]):  # what comes later in a process may be slower for that alone
                import wandb

                wandb.teardown()  # the address of the server is another
                with Server() as server:
                    os.environ["WANDB_BASE_URL"] = server.url
                    with console.console.capture():
                        found[arm], telling = run(arm, given.steps, turn, server)
                share[arm].append(telling / sum(found[arm][1]))
            for arm, seconds in found.items():
                pairs = zip(seconds, found["none"], strict=True)
                ratios[arm].append([[a / b for a, b in zip(mine, theirs, strict=True)] for mine, theirs in pairs])
    print(f"{given.turns} turns of {given.steps} steps, {platform.machine()}, load {os.getloadavg()[0]:.1f}")
    for arm in given.arms:
        words = []
        for place, kind in enumerate(("CPU", "clock")):
            own = [statistics.median(turn[place]) for turn in ratios[arm]]
            middle = statistics.median(ratio for turn in ratios[arm] for ratio in turn[place])
            words.append(f"{kind} {middle:.3f} ({min(own):.3f} to {max(own):.3f})")
        print(f"{arm:12} {', '.join(words)}, telling at most {max(share[arm]):.2%} of the time")


if __name__ == "__main__":
    main()
