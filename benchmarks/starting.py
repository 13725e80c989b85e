"""How long one waits for a first line: `python -m benchmarks.starting` times start-up, the plan of a sweep, and status.

Each figure stands beside the way it was done before, measured in the same run, in turns: Hydra copies its whole store
of schemas at each look at a group; each job of a sweep is composed three times before the first one begins (for its
name, for the usual run that the name is held against, and by Hydra's sweeper, which looks for mistakes); status parses
all that 1,000 runs have recorded, by Python's reader of YAML, and looks at all pairs of runs for its guesses. The old
plan is measured with a few jobs, and a thousand are said to take as much each. The runs are made of files in a
temporary folder. The first job of a real sweep is waited for, too, and ended once it has begun.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from motif.cli import run_name
from motif.planning import Names
from motif.reporting.study import launch
from motif.runs.folder import Run, write_json
from motif.system.config import CONF, resolved
from motif.system.locks import holder
from motif.system.safe_text import masked

ROOT = Path(__file__).parents[1]
AS_BEFORE = "from hydra.core.config_store import ConfigStore as S; import motif.programs as p; del S.__deepcopy__; "
STEPS, ARMS = 120, ("grpo", "motif", "broadcast", "value")
SAMPLE = 20  # jobs that are planned the old way


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def call(*words: str, folder: Path = ROOT) -> str:
    """What a command of this Python prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def programs(words: list[str]) -> tuple[Callable[[], object], Callable[[], object]]:
    """`train.py` with these words, and the same with Hydra as it is."""
    before = f"import sys; sys.argv = {['train.py', *words]}; {AS_BEFORE} p.train()"
    return lambda: call("train.py", *words), lambda: call("-c", before)


def plan_of(jobs: int) -> list[list[str]]:
    return [[f"algo={ARMS[n % len(ARMS)]}", "algo.m=4", f"seed={n // len(ARMS)}"] for n in range(jobs)]


def planned(jobs: list[list[str]]) -> list[str | None]:
    names = Names()
    return [names.of(job) for job in jobs]


def planned_before(jobs: list[list[str]]) -> list[str | None]:
    """Their names by composing each, and Hydra's own look for mistakes."""
    found = []
    for words in jobs:
        config = compose("config", words, return_hydra_config=True)
        choices = config.hydra.runtime.choices
        with open_dict(config):
            del config["hydra"]
        found.append(run_name(config, choices, masked(words)))
        compose("config", words, return_hydra_config=True)
    return found


def make_runs(outputs: Path, jobs: list[list[str]]) -> None:
    """A sweep of these jobs: nine in ten are finished, one in twenty failed, and the others have not begun."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = yaml.safe_dump(resolved(compose("config")), sort_keys=False)
        names = planned(jobs)
    counts = {f"rounds/{round}/{name}": 0.123456789 for round in (1, 2, 3) for name in "abcdefghijklmnop"}
    result = {"policy": "trained", "dataset": "chain", "rounds": 3, "accuracy": 0.5, "interval": [0.4, 0.6], "n": 512}
    spent = {"training": {"seconds": 240.0}, "evaluation": {"seconds": 20.0}}
    launch(outputs / ".sweeps/1", "many", ["train.py", "-m"], list(zip(jobs, names, strict=True)))
    for number, name in enumerate(names[: len(jobs) * 19 // 20]):
        run, finished = Run(outputs / str(name)), number < len(jobs) * 18 // 20
        write_json(run.folder / "run.json", {"format": 1, "id": f"{number:012x}", "identity": "x"})
        (run.folder / "config.yaml").write_text(config)
        steps = STEPS if finished else STEPS // 2
        lines = [
            {"step": step, "seconds/rollout": 1.5, "seconds/update": 0.5, **counts} for step in range(1, steps + 1)
        ]
        run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if finished:
            run.finish({"rounds": 3, "evaluation": [result], "compute": spent})
        write_json(run.lock / "1", {**LEFT, "ended": "done" if finished else "failed: out of memory"})


LEFT = {"host": "here", "pid": 1, "since": "then", "machine": "here", "process": "1"}


def status_before(outputs: Path) -> None:
    """What has to be read for a status, all of it, and a guess for each run that is not finished from each that is."""
    known, open_ones = [], []
    for folder in sorted(outputs.glob("[a-z]*")):
        run = Run(folder)
        yaml.safe_load((folder / "config.yaml").read_text())
        lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
        holder(run.lock)
        (known if run.summary() else open_ones).append((folder.name, len(lines)))
    for name, _ in open_ones:
        alike = [len(set(name.split("-")) & set(other.split("-"))) for other, _ in known]
        fmean(steps for (_, steps), shared in zip(known, alike, strict=True) if shared == max(alike))


def first_job(jobs: int) -> float:
    """Seconds from the command of a sweep of so many jobs until the first has begun."""
    with tempfile.TemporaryDirectory() as place:
        words = ["experiment=smoke", "tracking=none", "algo=grpo,motif", f"seed=range({jobs // 2})"]
        command = [sys.executable, str(ROOT / "train.py"), "-m", *words]
        started = time.perf_counter()
        sweep = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not any(Path(place).glob("outputs/.sweeps/*/jobs/0.json")):
                if sweep.poll() is not None:
                    raise SystemExit(f"the sweep ended with status {sweep.returncode}")
                time.sleep(0.05)
            return time.perf_counter() - started
        finally:
            sweep.send_signal(signal.SIGKILL)
            sweep.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of the sweep, and runs that status is asked of")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    jobs = plan_of(given.jobs)
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        outputs = Path(place) / "outputs"
        make_runs(outputs, jobs)
        for _ in range(given.turns):
            for words in (["--help"], ["--cfg", "job"]):
                now, before = programs(words)
                found.setdefault(f"train.py {' '.join(words)}", []).append((timed(now), timed(before)))
            with initialize_config_dir(str(CONF), version_base="1.3"):
                if planned(jobs[:SAMPLE]) != planned_before(jobs[:SAMPLE]):
                    raise SystemExit("the plan gives other names than the jobs themselves")
                each = timed(lambda: planned_before(jobs[:SAMPLE])) / SAMPLE
                both = (timed(lambda: planned(jobs)), each * len(jobs))
                found.setdefault(f"plan {len(jobs):,} jobs", []).append(both)
            now = timed(lambda: call("-m", "motif.study", "status", str(outputs)))
            found.setdefault(f"status of {len(jobs):,} runs", []).append((now, timed(lambda: status_before(outputs))))
        lines = call("-m", "motif.study", "status", str(outputs)).count("\n")
    print(f"{given.turns} turns, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for what, pairs in found.items():
        now, before = (median(times) for times in zip(*pairs, strict=True))
        print(f"{what:22} {now:6.2f} s, the old way {before:7.2f} s: {before / now:.1f} times as long")
    print(f"status prints {lines} lines")
    print(f"the first of {len(jobs):,} jobs begins after {first_job(len(jobs)):.1f} s")


if __name__ == "__main__":
    main()
