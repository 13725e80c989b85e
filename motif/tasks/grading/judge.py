"""The client of the process that does algebra (`motif.tasks.grading.algebra`), which starts when it is first asked.

Each process of the suite has one of its own, and so does a forked process. Threads take turns. An algebra process that
dies is replaced and asked once more; one that is killed as it starts is started again. One that does not start, or is
killed again and again, is the error `NoJudge`: no verdict is made up. It ends when its stdin does, so it never outlives
the process that started it.
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
from motif.tasks.grading.verdicts import Verdict

MODULE = "motif.tasks.grading.algebra"
START_SECONDS = 120.0  # for the libraries to load
STARTS = 3  # of a process that is killed as it starts
ASKED = 2  # times for one question, where the process is killed meanwhile
VERDICT_SECONDS = 600.0  # to wait for a verdict; the process itself gives up before


class NoJudge(UserError):
    """There is nobody to grade answers."""


class Judge:
    """Asks the algebra process; `process` is None where none is running."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, prediction: str, gold: str) -> Verdict:
        """The verdict on two cleaned answers, UNDECIDED where it takes too long.

        Raises:
            NoJudge: where the process does not start, or is killed twice at this question.
        """
        question = (json.dumps([prediction, gold]) + "\n").encode()
        with self.lock:
            for _ in range(ASKED):
                process = self.process if self.process and self.process.poll() is None else self.start()
                try:
                    assert process.stdin
                    process.stdin.write(question)
                    answer = read_line(process, VERDICT_SECONDS)
                except BrokenPipeError:
                    answer = b""
                except BaseException:  # an interrupt: a verdict on its way would be taken for the next question's
                    self.end()
                    raise
                if answer:
                    return Verdict(answer.decode())
                self.end()
                if answer is None:
                    return Verdict.UNDECIDED
        raise NoJudge(
            f"the process that grades answers (python -m {MODULE}) was killed twice at one question; see whether "
            "something ends processes here, or memory is short"
        )

    def start(self) -> "subprocess.Popen[bytes]":
        """An algebra process that is ready for questions.

        Raises:
            NoJudge: where it does not start, or is killed as often as it may be started.
        """
        for _ in range(STARTS):
            self.process = process = start_process()
            try:
                answer = read_line(process, START_SECONDS)
                if answer == b"ready":
                    return process
                killed = answer == b"" and was_killed(process)
            except BaseException:  # an interrupt: 'ready' would be taken for a verdict
                self.end()
                raise
            self.end()
            if not killed:
                raise NoJudge(f"the process that grades answers does not start; try: python -m {MODULE} < /dev/null")
        raise NoJudge(
            f"the process that grades answers was killed {STARTS} times as it started; see whether something ends "
            "processes, or memory is short"
        )

    def end(self) -> None:
        """End the process, if there is one; the next question starts another."""
        if self.process:
            self.process.kill()
            close_pipes(self.process)
            self.process.wait()
            self.process = None

    def leave_to_parent(self) -> None:
        """In a forked process: let go of the parent's algebra process, and of a lock that a parent's thread held."""
        process, self.process, self.lock = self.process, None, threading.Lock()
        if process:
            close_pipes(process)
            process.returncode = 0  # it is not this process's to wait for


def start_process() -> "subprocess.Popen[bytes]":
    """An algebra process that begins to load its libraries."""
    home = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the run, which then ends this process
    )


def read_line(process: "subprocess.Popen[bytes]", seconds: float) -> bytes | None:
    """A line that the process writes, without its end; b'' where the process is dead, None where none comes in time."""
    assert process.stdout
    deadline, text = time.monotonic() + seconds, b""
    while (left := deadline - time.monotonic()) > 0:
        poll = select.poll()  # unlike select.select, it takes file numbers above 1024
        poll.register(process.stdout, select.POLLIN)
        if poll.poll(left * 1000):
            text += (more := os.read(process.stdout.fileno(), 64))
            if not more:
                return b""
            if text.endswith(b"\n"):
                return text.strip()
    return None


def was_killed(process: "subprocess.Popen[bytes]") -> bool:
    """Whether `process`, whose output has ended, was ended by a signal."""
    try:
        return process.wait(5) < 0
    except subprocess.TimeoutExpired:
        return False


def close_pipes(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


JUDGE = Judge()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=JUDGE.leave_to_parent)
atexit.register(JUDGE.end)
