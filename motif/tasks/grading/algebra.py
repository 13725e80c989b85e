"""Algebra about answers (`symbolic`) in a process with limits.

`python -m motif.tasks.grading.algebra` reads questions from stdin and writes verdicts to stdout. A question is a JSON
line [prediction, gold], both cleaned; a verdict is a line `right`, `wrong` or `undecided`. The process first writes
`ready`, and the end of stdin ends it.

It imports sympy but answers nothing itself. A forked child answers, and the kernel limits the child's processor time
and memory, so that a child lost to `9^{9^{9}}` costs no more. Processor time does not depend on how busy the machine
is, so verdicts do not either. The limit of wall time is only for a child that hangs, and such a question is asked once
more, of a new child.
"""

import json
import os
import select
import signal
import sys
import time
from typing import IO

from motif.tasks.grading.equivalence import Comparison
from motif.tasks.grading.verdicts import Verdict

PROCESSOR_SECONDS = 1.0  # for a question
WALL_SECONDS = 120.0  # for a question, should a child hang: far above what a busy machine makes of a second
MEMORY = 1 << 30  # bytes beyond what a child has when it begins
CHILDREN = 4  # that may be killed by somebody else at one question


def same(prediction: str, gold: str) -> Verdict:
    """Whether two cleaned answers are the same, with algebra for the parts that need it."""
    from motif.tasks.grading.symbolic import same_formula

    return Comparison(same_formula).same(prediction, gold)


def load_libraries() -> None:
    """Import sympy and ask first questions, which cost most of all."""
    for prediction in ("\\frac{x}{2}+\\sqrt{8}+1", "1+0.5x+2\\sqrt{2}", "x<3", "1-x=2"):
        same(prediction, "1+0.5x+\\frac{4}{\\sqrt{2}}")
    same("2\\sin x\\cos x-y=1", "\\sin 2x-y=1")


class Child:
    """A forked copy of this process that answers questions under limits."""

    def __init__(self) -> None:
        questions, self.questions = os.pipe()
        self.verdicts, verdicts = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.questions)
            os.close(self.verdicts)
            try:
                answer_questions(questions, verdicts)
            finally:
                os._exit(0)
        os.close(questions)
        os.close(verdicts)

    def ask(self, question: bytes, deadline: float) -> bytes | None:
        """The verdict on a question; b'' where the child died of it, None where it says nothing by the deadline."""
        try:
            os.write(self.questions, question)
        except BrokenPipeError:
            return b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.verdicts], [], [], left)[0]:
                return os.read(self.verdicts, 16)
        return None

    def end(self, dead: bool) -> bool:
        """End the child, which may be dead; whether somebody else killed it, and not its limits."""
        os.close(self.questions)
        os.close(self.verdicts)
        if not dead:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        return dead and os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGTERM)


def answer_questions(questions: int, verdicts: int) -> None:
    """What a child does with two pipes: answer one question after the other, until one takes more than the limits."""
    limit_memory()
    with os.fdopen(questions, "rb") as lines:
        for line in lines:
            signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)  # without a handler, its signal ends the child
            try:
                verdict = same(*json.loads(line))
            except MemoryError:
                return  # as if the kernel had ended it
            except Exception:  # sympy has no answer
                verdict = Verdict.UNDECIDED
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.write(verdicts, verdict.value.encode() + b"\n")


def limit_memory() -> None:
    """Limit this process to MEMORY more than it has; a platform without such limits still has the one on time."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return


class Killed(Exception):
    """Somebody else ends every child."""


class Answerer:
    """Asks a child, and replaces one that a question has ended or that somebody else has killed."""

    def __init__(self) -> None:
        self.child = Child()

    def verdict(self, question: bytes) -> bytes:
        """The line that answers a question.

        A child that its limits end leaves the question undecided, and so do two in a row that say nothing in time. A
        child that somebody else kills leaves it to the next one.

        Raises:
            Killed: where as many children were killed as may be; no verdict is made up.
        """
        hung = 0
        for _ in range(CHILDREN):
            answer = self.child.ask(question, time.monotonic() + WALL_SECONDS)
            if answer:
                return answer
            killed = self.child.end(dead=answer is not None)
            self.child = Child()
            hung += answer is None
            if not killed and hung != 1:
                return b"undecided\n"
        raise Killed


def main(questions: IO[bytes], verdicts: IO[bytes]) -> None:
    """Answer every line of `questions` with a line of `verdicts`."""
    load_libraries()
    answerer = Answerer()
    verdicts.write(b"ready\n")
    verdicts.flush()
    for question in questions:
        try:
            verdicts.write(answerer.verdict(question))
        except Killed:
            break  # who asked hears nothing, and starts another process
        verdicts.flush()
    answerer.child.end(dead=False)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
