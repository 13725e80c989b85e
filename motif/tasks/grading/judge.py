"""The line to the process that does algebra (`motif.tasks.grading.algebra`): one per process, started when first asked.

Threads take turns; a forked process gets its own. A judge that dies is replaced and asked once more, one that is killed
as it starts is started again; one that does not start, or is killed again and again, is `NoJudge`: no verdict is made
up. It ends with the process that started it, because its stdin does.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

from motif.system.errors import UserError

START = 120.0  # seconds for the libraries to load
STARTS = 3  # of one that is killed meanwhile
PATIENCE = 1.8  # seconds for a verdict; the judge itself gives up before


class NoJudge(UserError):
    """There is nobody to grade answers."""


class Referee:
    """`ask(prediction, gold)`: True, False, or None where it took too long."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, prediction: str, gold: str) -> bool | None:
        line = (json.dumps([prediction, gold]) + "\n").encode()
        with self.lock:
            for attempt in (1, 2):
                process = self.process if self.process and self.process.poll() is None else self.start()
                try:
                    assert process.stdin
                    process.stdin.write(line)
                    process.stdin.flush()
                    verdict = self.heard(process, PATIENCE)
                except BrokenPipeError:
                    verdict = b""
                except BaseException:  # an interrupt: a verdict on its way would be taken for the next question's
                    self.end()
                    raise
                if verdict is None:
                    self.end()
                    return None
                if verdict:
                    return json.loads(verdict)
                self.end()
                if attempt == 2:
                    raise NoJudge(
                        "the process that grades answers (python -m motif.tasks.grading.algebra) was killed twice at "
                        "one question; see whether something ends processes here, or memory is short"
                    )
        raise AssertionError

    def start(self) -> "subprocess.Popen[bytes]":
        words = "does not start; try: python -m motif.tasks.grading.algebra < /dev/null"
        for _ in range(STARTS):
            self.process = process = begun()
            try:
                said = self.heard(process, START)
                if said == b"ready":
                    return process
                killed = said == b"" and was_killed(process)
            except BaseException:  # an interrupt: that it is ready would be taken for a verdict
                self.end()
                raise
            self.end()
            if not killed:
                break
        else:
            words = f"was killed {STARTS} times as it started; see whether something ends processes, or memory is short"
        raise NoJudge(f"the process that grades answers {words}")

    def heard(self, process: "subprocess.Popen[bytes]", seconds: float) -> bytes | None:
        """A line of the judge without its end; b'' where it is dead, None where it says nothing in time."""
        assert process.stdout
        until, text = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            poll = select.poll()  # unlike select.select, at home with file numbers above 1024
            poll.register(process.stdout, select.POLLIN)
            if poll.poll(left * 1000):
                text += (more := os.read(process.stdout.fileno(), 64))
                if not more or text.endswith(b"\n"):
                    return text.strip() if more else b""
        return None

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.close()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """Let go of the pipes."""
        assert self.process
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def begun() -> "subprocess.Popen[bytes]":
    """A judge that loads its libraries."""
    home = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "motif.tasks.grading.algebra"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the run, which then ends this
    )


def was_killed(process: "subprocess.Popen[bytes]") -> bool:
    """Whether `process`, whose output has ended, was ended by a signal."""
    try:
        return process.wait(5) < 0
    except subprocess.TimeoutExpired:
        return False


REFEREE = Referee()


def forked() -> None:
    """A child process shares no pipe with its parent, and no lock that a thread of the parent held."""
    process = REFEREE.process
    REFEREE.__init__()  # type: ignore[misc]
    if process:
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        process.returncode = 0  # not ours to wait for


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forked)
atexit.register(REFEREE.end)
