"""Whether two formulas are the same: what math-verify and sympy say, in a process with limits.

`python -m motif.tasks.grading.algebra` reads questions from stdin and writes verdicts to stdout. A question is a JSON
line [prediction, gold], both cleaned; a verdict is a line `right`, `wrong` or `undecided`. The process first writes
`ready`, and the end of stdin ends it.

It imports math-verify but answers nothing itself. A forked child answers, and the kernel limits the child's processor
time and memory, so that a child lost to `9^{9^{9}}` costs milliseconds. math-verify's own timeouts are not used: they
are signals, which work in a main thread only and do not interrupt one long multiplication.
"""

import json
import logging
import os
import re
import select
import signal
import sys
import time
from functools import lru_cache
from typing import IO, Any

from motif.tasks.grading.equivalence import Comparison
from motif.tasks.grading.verdicts import Verdict

PROCESSOR_SECONDS = 1.0  # for a question
WALL_SECONDS = 1.5  # for a question
MEMORY = 1 << 30  # bytes beyond what a child has when it begins
CHILDREN = 4  # that may be killed by somebody else at one question


def same(prediction: str, gold: str) -> Verdict:
    """Whether two cleaned answers are the same, with algebra for the parts that need it."""
    return Comparison(same_formula).same(prediction, gold)


def same_formula(prediction: str, gold: str) -> Verdict:
    """math-verify's opinion of two formulas; of two equations, whether one is a multiple of the other."""
    from math_verify import verify
    from sympy import Eq

    one, other = parsed(prediction), parsed(gold)
    if one is None or other is None:
        return Verdict.WRONG
    if isinstance(one, Eq) and isinstance(other, Eq):
        return Verdict.of(are_multiples(one, other))
    return Verdict.of(
        verify(other, one, allow_set_relation_comp=True, timeout_seconds=None) or same_complex_number(one, other)
    )


def same_complex_number(one: Any, other: Any) -> bool:
    """Whether two sympy expressions are the same number once `i` is the imaginary unit."""
    from sympy import Expr, I

    if not (isinstance(one, Expr) and isinstance(other, Expr)):
        return False
    symbols = one.free_symbols | other.free_symbols
    if {symbol.name for symbol in symbols} - {"i"}:
        return False
    if not (symbols or one.has(I) or other.has(I) or "-1" in f"{one}{other}"):
        return False
    imaginary = dict.fromkeys(symbols, I)
    try:
        difference = (one - other).subs(imaginary).doit()
        size = abs(complex(one.subs(imaginary).evalf(30)))
        return abs(complex(difference.evalf(30))) < 1e-12 * max(1, size)
    except Exception:  # what sympy cannot work out is no number
        return False


def are_multiples(one: Any, other: Any) -> bool:
    """Whether one of two sympy equations is the other times a number that is not 0."""
    from sympy import simplify

    try:
        first, second = simplify(one.lhs - one.rhs), simplify(other.lhs - other.rhs)
        if first == 0 or second == 0:
            return first == second
        ratio = simplify(first / second)
        return bool(ratio.is_number and ratio.is_finite and ratio != 0)
    except Exception:  # sets and tuples do not subtract
        return one == other


@lru_cache(maxsize=256)
def parsed(text: str) -> Any:
    """`text` as sympy reads it through math-verify; None where it cannot."""
    from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    rules = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    text = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*\\?%", r"(\1/100)", text)
    text = text.replace("°", "\\cdot\\pi/180" if re.search(r"\\(?:sin|cos|tan|cot|sec|csc)", text) else "")
    formulas = parse(
        f"${text}$",
        [LatexExtractionConfig(normalization_config=rules)],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return formulas[0] if formulas else None


def load_libraries() -> None:
    """Import math-verify, silence it, and ask a first question, which costs most of all."""
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401

    same_formula("\\frac{x}{2}+1", "1+0.5x")


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
            except Exception:
                verdict = Verdict.WRONG
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

        A child that its limits end, or that says nothing in time, leaves the question undecided. A child that somebody
        else kills leaves it to the next one.

        Raises:
            Killed: where as many children were killed as may be; no verdict is made up.
        """
        deadline = time.monotonic() + WALL_SECONDS
        for _ in range(CHILDREN):
            answer = self.child.ask(question, deadline)
            if answer:
                return answer
            killed = self.child.end(dead=answer is not None)
            self.child = Child()
            if not killed:
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
