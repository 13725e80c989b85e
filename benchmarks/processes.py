"""Two processes against one: `python -m benchmarks.processes [--processes 2] [--questions 512] [--repeat 3]`.

The tiny policy is measured on chains, and trained for some steps, each process with one thread. The seconds are those
of the ledger: without the start of the programs and what they load.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from motif.system import console

WORDS = ("experiment=smoke", "tracking=none", "preflight=false", "watch.every=0", "checkpoint.every=100")


def seconds(processes: int, questions: int, steps: int) -> tuple[float, float]:
    """Seconds of the evaluation of a trained policy, and of its training, in so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = [f"evaluation.questions={questions}", f"dataset.test_size={questions}", f"algo.steps={steps}"]
        more = ["evaluation.before=false", "evaluation.rounds=[3]", "algo.questions=8", f"outputs={folder}", "name=run"]
        torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        call = [sys.executable, *torchrun, "train.py", *WORDS, *sizes, *more]
        quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(call, env=quiet, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text())
    return summary["compute"]["evaluation"]["seconds"], summary["compute"]["training"]["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--questions", type=int, default=512)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    sizes = (given.questions, given.steps)
    pairs = [(seconds(1, *sizes), seconds(given.processes, *sizes)) for _ in range(given.repeat)]  # in turns
    for place, name in enumerate((f"evaluation of {sizes[0]} questions", f"training for {sizes[1]} steps")):
        alone, together = ([runs[which][place] for runs in pairs] for which in (0, 1))
        ratio = median(one / other for one, other in zip(alone, together, strict=True))
        times = f"{median(alone):.1f} s in one process, {median(together):.1f} s in {given.processes}"
        console.say(f"{name}: {times}, {ratio:.2f} times as fast (n = {given.repeat})")


if __name__ == "__main__":
    main()
