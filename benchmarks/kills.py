"""SIGKILL, over and over: does a run that was killed end as one that was not?

    python -m benchmarks.kills                 # 100 kills of shortened runs of GRPO and MOTIF, and 10 of the report
    python -m benchmarks.kills --kills 12 --seed 3

Each run is the embedded experiment made short, with a warm start of its own. A kill comes at a random moment of a
phase that is drawn first, so that short phases are hit as well. A killed run is continued by the same command until it
is finished, and then held against one that was never killed: weights, metrics and episodes bit by bit, evaluations
line by line; times and memory aside. Processes are forked from one that has the libraries loaded, which saves ten
seconds a kill; apart from that they are `train.py`.
"""

import argparse
import gc
import gzip
import hashlib
import json
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
STEPS = 6
SHORT = [
    *("name=run", "tracking=none", f"algo.steps={STEPS}", "algo.questions=2", "algo.m=4", "checkpoint.every=2"),
    "dataset.train_size=4",  # two steps a pass over the questions
    *("evaluation.questions=48", "evaluation.batch=16", "episode.temperature=1.5"),
    *("model.imitation_steps=6", "+model.layers=1", "+model.width=32"),
]
ALGORITHMS = ("grpo", "motif")
PHASES = {  # how many moments of each a run has, and seconds that one takes at most
    "warm start": (1, 1.0),
    "rollout": (STEPS, 0.15),
    "future_rollout": (2 * STEPS, 0.15),
    "guard": (STEPS, 0.05),
    "reward": (STEPS, 0.01),
    "update": (STEPS, 0.15),
    "checkpoint": (STEPS // 2, 0.06),
    "evaluation": (4, 0.3),
    "end": (1, 0.1),
}
Doom = tuple[str, int, float]  # phase, which of its moments, seconds after it began


def begin(
    folder: Path,
    words: Sequence[str],
    prepare: Callable[[], Any] = lambda: None,
    call: Callable[[], Any] | None = None,
    output: Path | None = None,
) -> int:
    """Fork a process that, once it is prepared, runs `python train.py` with these `words` in `folder`, or `call`.

    What it says is appended to `output` (said.txt in the folder). Returns its number.
    """
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        said = os.open(output or folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0), os.dup2(said, 1), os.dup2(said, 2)
        os.chdir(folder)
        sys.argv = [str(ROOT / "train.py"), *words]
        prepare()
        if call:
            call()
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def preload() -> None:
    """Load what a run needs, and have Hydra find its plugins and learn its grammar, so that forks have it.

    Nothing is computed with torch: its threads do not survive a fork.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    from motif.system import console

    console.quiet()
    console.quiet_bars()
    import torch
    from hydra import compose, initialize_config_dir

    import motif.evaluation.probe.program
    import motif.evaluation.program
    import motif.evaluation.solve
    import motif.generation.decoding
    import motif.policies.tiny
    import motif.programs
    import motif.reporting.program
    import motif.tasks.chain
    import motif.training.preflight.check
    import motif.training.trainer  # noqa: F401
    from motif.system.config import CONF

    torch.set_num_threads(1)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose("config", ["seed=0", "experiment=smoke"], return_hydra_config=True)
    gc.collect()
    gc.freeze()  # what all forks share


def prepared(folder: Path, doom: Doom | None) -> None:
    """In the process to be: a warm start of its own, and its doom."""
    os.environ["MOTIF_CACHE"] = str(folder / "cache")
    if doom:
        kill_in(*doom, folder / "phase")


def kill_in(phase: str, moment: int, seconds: float, told: Path) -> None:
    """Have this process killed `seconds` after the given moment of `phase` begins; `told` holds the phase that has
    begun last, which by then may be another."""
    from motif.experiment import Experiment
    from motif.runs.ledger import Ledger
    from motif.training.trainer import GRPOTrainer

    begun = 0
    told.write_text("before the warm start")

    def begins(name: str) -> None:
        nonlocal begun
        told.write_text(name)
        begun += name == phase
        if begun == moment and name == phase:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()

    timed, save, end = Ledger.phase, GRPOTrainer._save_checkpoint, Experiment.save

    @contextmanager
    def watched(self: Any, name: str) -> Any:
        begins("warm start" if name == "load" else name)
        with timed(self, name):
            yield
        if name == "reward":
            begins("update")

    def saved(self: Any, *arguments: Any) -> None:
        begins("checkpoint")
        save(self, *arguments)

    def ended(self: Any, *arguments: Any) -> dict[str, Any]:
        begins("end")
        return end(self, *arguments)

    Ledger.phase, GRPOTrainer._save_checkpoint, Experiment.save = watched, saved, ended  # type: ignore[method-assign]


def wait(pid: int, folder: Path) -> bool:
    """Whether the process ended by itself; false where it was killed. An error of its own is an error here."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        raise SystemExit(f"a run failed:\n{(folder / 'said.txt').read_text()}")
    return True


def result(run: Path) -> dict[str, Any]:
    """What a finished run has come to, times and memory aside."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    with gzip.open(run / "episodes.jsonl.gz", "rt") as file:
        episodes = file.read()
    return {
        "weights": {file.name: hashed(file.read_bytes()) for file in sorted((run / "policy").glob("*.safetensors"))},
        "metrics": [{key: value for key, value in line.items() if not measured(key)} for line in metrics],
        "episodes": hashed(episodes.encode()),
        "evaluations": {file.name: hashed(file.read_bytes()) for file in sorted((run / "evaluation").glob("*.jsonl"))},
        "accuracies": [(each["policy"], each["rounds"], each["accuracy"]) for each in summary["evaluation"]],
        "spent": {key: value for key, value in summary["compute"]["training"].items() if not measured(key)},
    }


def measured(key: str) -> bool:
    return key.startswith(("seconds", "total/seconds", "train/step_time", "compute/", "peak_memory"))


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def drawn(source: random.Random) -> Doom:
    phase = source.choice(list(PHASES))
    moments, longest = PHASES[phase]
    return phase, source.randint(1, (moments + 1) // 2), source.uniform(0, longest)  # a continued run has fewer


def runs_under_kills(wanted: int, source: random.Random, root: Path) -> tuple[Counter[str], int]:
    """Kill `wanted` times; returns how often in which phase, and how many runs ended as they should."""
    calm = {}
    for algo in ALGORITHMS:
        folder = root / algo
        folder.mkdir()
        wait(begin(folder, [*SHORT, f"algo={algo}"], partial(prepared, folder, None)), folder)
        calm[algo] = result(folder / "outputs/run")
    kills, runs = Counter[str](), 0
    while kills.total() < wanted or runs < len(ALGORITHMS):
        algo, folder = ALGORITHMS[runs % len(ALGORITHMS)], root / f"killed-{runs}"
        folder.mkdir()
        words, suffered = [*SHORT, f"algo={algo}"], 0
        while True:
            doom = drawn(source) if suffered < 12 and kills.total() < wanted else None
            if wait(begin(folder, words, partial(prepared, folder, doom)), folder):
                break
            suffered += 1
            kills[(folder / "phase").read_text()] += 1
            print(f"\r{kills.total()} kills, {runs} runs", end="", file=sys.stderr)
        found = result(folder / "outputs/run")
        for key, value in calm[algo].items():
            if found[key] != value:
                raise SystemExit(
                    f"{algo} after {suffered} kills: {key} differ from the undisturbed run's\n{found[key]}\n{value}"
                )
        runs += 1
        shutil.rmtree(folder)
    return kills, runs


def reports_under_kills(wanted: int, source: random.Random, root: Path) -> None:
    """Kill the report `wanted` times, and hold the one that is made then against one that was made in peace."""
    from motif.reporting.program import main

    def report(to: str) -> Callable[[], Any]:
        return lambda: main([*(str(root / algo / "outputs/run") for algo in ALGORITHMS), "--to", to])

    started = time.monotonic()
    wait(begin(root, [], call=report("calm")), root)
    took = time.monotonic() - started
    killed = 0
    while killed < wanted:
        pid = begin(root, [], call=report("killed"))
        time.sleep(source.uniform(0, took))
        os.kill(pid, signal.SIGKILL)
        killed += not wait(pid, root)
    wait(begin(root, [], call=report("killed")), root)
    calm, after = (
        {file.relative_to(root / to): file for file in sorted((root / to).rglob("*")) if file.is_file()}
        for to in ("calm", "killed")
    )
    if calm.keys() != after.keys():
        raise SystemExit(f"the killed report has other files: {sorted(map(str, calm.keys() ^ after.keys()))}")
    for name in ("report.md", "tables.tex"):
        if calm[Path(name)].read_text() != after[Path(name)].read_text():
            raise SystemExit(f"{name} of the killed report differs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--reports", type=int, default=10, help="kills of the report")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    preload()
    source, started = random.Random(asked.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        kills, runs = runs_under_kills(asked.kills, source, Path(root))
        reports_under_kills(asked.reports, source, Path(root))
    print(file=sys.stderr)
    print(f"{kills.total()} kills: {', '.join(f'{count} in {phase}' for phase, count in kills.most_common())}")
    print(f"{runs} runs finished, each with the weights, metrics, episodes and evaluations of an undisturbed run")
    print(f"{asked.reports} kills of the report, which ends as an undisturbed one; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
