"""Runs of `train.py` that take a second to begin instead of ten: forked from one process with the libraries loaded.

`python -m tests.support.forks` is that process. It reads what to run as JSON lines, and says what became of each. Apart
from the imports a fork is `python train.py`, or another program: its own process, group, output, signals and limits.
"""

import faulthandler
import json
import os
import resource
import runpy
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import ROOT


@dataclass
class Forked:
    """One run; `said` is what it has printed so far, `errors` what of that on stderr, where that was to be apart."""

    server: "Forks"
    pid: int
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def errors(self) -> str:
        return errors_of(self.output).read_text()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = 200) -> tuple[int, str]:
        """Its exit status (minus the signal that killed it) and all that it said."""
        return self.server.status(self.pid, timeout), self.said


class Forks:
    """The process that forks, as its user sees it."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        call = [sys.executable, "-m", "tests.support.forks"]
        self.process = subprocess.Popen(call, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ended: dict[int, int] = {}
        self.runs = 0

    def train(self, folder: Path, *words: str, limit: int | None = None, environment: Any = None) -> Forked:
        """Begin `python train.py` with `words` in `folder`; its files may have at most `limit` bytes."""
        return self.begin("train.py", folder, *words, limit=limit, environment=environment)

    def begin(
        self,
        program: str,
        folder: Path,
        *words: str,
        limit: int | None = None,
        environment: Any = None,
        apart: bool = False,
    ) -> Forked:
        """Begin `python PROGRAM`, a file of this checkout, or `python -m PROGRAM`; `apart` keeps its stderr apart."""
        self.runs += 1
        output = folder / f"said-{self.runs}.txt"
        output.touch()
        what = {"program": program, "folder": str(folder), "words": list(words), "output": str(output)}
        self._ask(**what, limit=limit, apart=apart, environment=environment or {})
        while (told := self._hear())[0] != "begun":
            self.ended[told[1]] = told[2]
        return Forked(self, told[1], output)

    def status(self, pid: int, timeout: float) -> int:
        until = time.monotonic() + timeout
        assert self.process.stdout
        while pid not in self.ended:
            if not select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"a run did not end within {timeout} s")
            _, ended, status = self._hear()
            self.ended[ended] = status
        return self.ended[pid]

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)

    def _ask(self, **what: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write((json.dumps(what) + "\n").encode())
        self.process.stdin.flush()

    def _hear(self) -> tuple[str, int, int]:
        """What the process says next, unbuffered, so that `select` knows of all that waits."""
        assert self.process.stdout
        line = b""
        while not line.endswith(b"\n"):
            sign = os.read(self.process.stdout.fileno(), 1)
            assert sign, "the process that forks has ended"
            line += sign
        return tuple(json.loads(line))


def errors_of(output: Path) -> Path:
    return output.with_name(f"{output.stem}-errors.txt")


def run(program: str, words: Sequence[str]) -> None:
    """What `python PROGRAM` or `python -m PROGRAM` does."""
    if program.endswith(".py"):
        sys.argv = [str(ROOT / program), *words]
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.argv = [program, *words]
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def serve() -> None:
    from benchmarks.kills import begin, preload

    preload()
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed by chance is no answer

    def tell(*what: Any) -> None:
        said.write(json.dumps(what) + "\n")
        said.flush()

    open_ones = 0
    while True:
        if select.select([0], [], [], 0.02)[0]:
            line = b""
            while not line.endswith(b"\n"):
                if not (sign := os.read(0, 1)):
                    return
                line += sign
            asked: Mapping[str, Any] = json.loads(line)

            def prepare(asked: Mapping[str, Any] = asked) -> None:
                faulthandler.enable()  # a run that crashes says where
                os.environ.update(asked["environment"])
                if asked["limit"]:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (asked["limit"], asked["limit"]))
                if asked["apart"]:
                    os.dup2(os.open(errors_of(Path(asked["output"])), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)

            words, call = asked["words"], partial(run, asked["program"], asked["words"])
            tell("begun", begin(Path(asked["folder"]), words, prepare, call, Path(asked["output"])), 0)
            open_ones += 1
        while open_ones:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            open_ones -= 1
            tell("ended", pid, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    serve()
