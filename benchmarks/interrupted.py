"""A study that is killed and started again: what is lost, what is done twice, and is the verdict the same?

    python train.py sweeps=baseline                                          # in peace; ten minutes
    python -m benchmarks.interrupted --kills 6 --calm outputs                # the same, killed six times on its way
    python -m benchmarks.interrupted --kills 2 --after 10 20 experiment=smoke

Kills `python train.py sweeps=baseline` and its children with SIGKILL at random moments, types the same command again
until nothing is left, and then holds the study against what it promises: a finished job is not touched again, a kill
costs at most the steps since the last checkpoint, and results and verdicts are those of the study in `--calm`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kills import ROOT, result
from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.verdicts import survey


def finished(outputs: Path) -> dict[str, tuple[int, int]]:
    """When each finished run was finished, and when its metrics were written last."""
    return {
        file.parent.name: (file.stat().st_mtime_ns, (file.parent / "metrics.jsonl").stat().st_mtime_ns)
        for file in outputs.glob("*/summary.json")
    }


def sentences(outputs: Path) -> list[str]:
    """The verdicts on the runs that lie there."""
    return [verdict.sentence for verdict in survey(arms_of(read_runs(sorted(outputs.glob("*")))[0]))[0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument(
        "--after", type=float, nargs=2, default=(40.0, 130.0), metavar=("LEAST", "MOST"), help="seconds"
    )
    parser.add_argument("--calm", type=Path, help="outputs of the same study that was not killed")
    parser.add_argument("--seed", type=int, default=0)
    asked, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs"
        kills = interrupted(outputs, words, asked.kills, asked.after, random.Random(asked.seed))
        check_loss(outputs, kills)
        for sentence in sentences(outputs):
            print(sentence)
        if asked.calm:
            check_alike(outputs, asked.calm)


def interrupted(
    outputs: Path, words: Sequence[str], wanted: int, after: tuple[float, float], source: random.Random
) -> int:
    """Run the study, killing it; returns how often that was."""
    call = [sys.executable, str(ROOT / "train.py"), "sweeps=baseline", f"outputs={outputs}", "tracking=none", *words]
    kills, started, done = 0, time.monotonic(), dict[str, tuple[int, int]]()
    while True:
        process = subprocess.Popen(call, cwd=outputs.parent, start_new_session=True, stdout=subprocess.PIPE, text=True)
        try:
            said, _ = process.communicate(timeout=source.uniform(*after) if kills < wanted else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
        now = finished(outputs)
        if touched := [name for name, stamps in done.items() if now.get(name) != stamps]:
            raise SystemExit(f"finished jobs were done again: {', '.join(touched)}")
        done = now
        print(f"{time.monotonic() - started:4.0f} s  kill {kills}, {len(done)} finished", file=sys.stderr)
        if process.returncode == 0:
            print(f"{kills} kills, {len(done)} jobs, none done twice; {time.monotonic() - started:.0f} s in all")
            return kills
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"the study failed:\n{said}")


def check_loss(outputs: Path, kills: int) -> None:
    """Steps that were done again, against those between two checkpoints."""
    lost, every = [], 0
    for file in outputs.glob("*/summary.json"):
        lost.append(json.loads(file.read_text())["compute"]["redone"].get("optimiser_steps", 0))
        checkpoints = (file.parent / "config.yaml").read_text().split("checkpoint:")[1]
        every = int(checkpoints.split("every:")[1].split()[0])
    print(f"{sum(lost):.0f} training steps done again, at most {every} a kill are allowed")
    if sum(lost) > every * kills:
        raise SystemExit("a kill cost more than the steps since the last checkpoint")


def check_alike(outputs: Path, calm: Path) -> None:
    """Every run and every verdict against those of the study that was not killed."""
    names = [file.parent.name for file in sorted(outputs.glob("*/summary.json"))]
    for name in names:
        found, wanted = result(outputs / name), result(calm / name)
        if other := [key for key in wanted if found[key] != wanted[key]]:
            raise SystemExit(f"{name}: {', '.join(other)} differ from the study's that was not killed")
    print(f"weights, metrics, episodes and evaluations of {len(names)} runs: those of {calm}, bit by bit")
    if sentences(outputs) != sentences(calm):
        raise SystemExit("the verdicts differ from the study's that was not killed")
    print("verdicts: the same, word by word")


if __name__ == "__main__":
    main()
