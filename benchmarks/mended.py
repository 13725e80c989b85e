"""Faults of the first version, measured again: `python -m benchmarks.mended`, some minutes on two cores.

Each is a run of the programs, so `--version FOLDER` measures a checkout of another version, with its `.venv`, in the
same way. The gradient of each loss is compared with one by hand in tests/training/test_objective.py; false verdicts are
counted by `benchmarks.calibration`, wrong grades by `benchmarks.grading_cases`.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import mended_choices, steps
from motif.system import console

ROOT = Path(__file__).parents[1]
SMALL = ["tracking=none", "evaluation.before=false", "evaluation.questions=8", "checkpoint.every=1000", "name=run"]
REFUSED = {  # settings that were taken and did nothing, or trained off the policy
    "another temperature in later rounds that are trained": ["algo=broadcast", "episode.later.temperature=1.5"],
    "algo.trainer.min_p": ["+algo.trainer.min_p=0.1"],
    "algo.trainer.repetition_penalty": ["+algo.trainer.repetition_penalty=1.2"],
    "algo.trainer.multi_objective_aggregation": ["+algo.trainer.multi_objective_aggregation=normalize_then_sum"],
}


class Version:
    """A checkout, whose programs are run in a folder that is thrown away."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout, self.folder = checkout, folder

    def begin(
        self, program: str | Path, *words: str, place: str = "", output: int = subprocess.DEVNULL
    ) -> "subprocess.Popen[str]":
        """A program of the checkout, or a script, begun in the folder `place`."""
        own, folder = self.checkout / ".venv/bin/python", self.folder / place
        script = program if isinstance(program, Path) else self.checkout / f"{program}.py"
        folder.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(self.checkout), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        environment["HF_DATASETS_CACHE"] = str(self.folder / "cache")
        call = [str(own) if own.exists() else sys.executable, str(script), *words]
        return subprocess.Popen(call, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True)

    def said(self, program: str | Path, *words: str, place: str = "") -> tuple[int, str]:
        """The exit status of a program, and all that it says."""
        process = self.begin(program, *words, place=place, output=subprocess.PIPE)
        said, _ = process.communicate()
        return process.returncode, said

    def run(self, program: str, *words: str) -> int:
        """The exit status of a program."""
        return self.begin(program, *words).wait()

    def overshoot(self, algo: str, tokens: int, *words: str) -> str:
        """By how much a budget of tokens is passed, and in how many steps."""
        asked, outputs = [f"algo={algo}", f"budget.tokens={tokens}", *words], "-".join((algo, *words))
        if self.run("train", *asked, *SMALL, f"outputs={outputs}"):
            return f"{' '.join(asked)}: refused"
        spent = json.loads((self.folder / outputs / "run/summary.json").read_text())["compute"]["training"]
        share, steps = spent["generated_tokens"] / tokens - 1, spent["optimiser_steps"]
        return f"{' '.join(asked)}: passed by {share:.1%} in {steps} steps"

    def texts(self) -> list[str]:
        """What it makes of data as written, of control tokens and of thoughts (`benchmarks/texts.py`)."""
        status, said = self.said(Path(__file__).with_name("texts.py"))
        last: str = said.strip().splitlines()[-1]
        return list(json.loads(last)) if status == 0 else [f"texts: {last}"]

    def refuses(self, words: list[str]) -> bool:
        """Whether a training with these settings is refused before its first step."""
        status = self.run("train", *words, *SMALL, "algo.steps=1", f"outputs=refused-{abs(hash(tuple(words)))}")
        return status != 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mended", description=__doc__.splitlines()[0])
    parser.add_argument("--version", type=Path, default=ROOT, help="a checkout")
    checkout = parser.parse_args().version.absolute()
    with TemporaryDirectory() as folder:
        version = Version(checkout, Path(folder))
        for words in ([], ["budget.steps=12"]):
            for algo in ("motif", "value"):
                console.say(version.overshoot(algo, 50_000, *words))
        for what, words in REFUSED.items():
            console.say(f"{what}: {'refused' if version.refuses(words) else 'taken'}")
        own = steps.lines(version.begin, Path(folder))
        for line in itertools.chain(version.texts(), own, mended_choices.lines(version)):
            console.say(line)


if __name__ == "__main__":
    main()
