"""The process that does algebra: `python -m motif.tasks.grading.algebra` reads questions and prints verdicts.

A question is a JSON line [prediction, gold], both cleaned; a verdict is true, false or null (it took too long). This
process imports math-verify and answers nothing itself: a forked child does, with limits on processor time and memory
that the kernel enforces, so that a child lost to `9^{9^{9}}` costs milliseconds. The end of stdin ends it. No signal
handlers, no timeouts of math-verify's own: those work in a main thread only, and not within one long multiplication.
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

from motif.tasks.grading.equivalence import same

SECONDS = 1.0  # of processor time for a question
WALL = 1.5  # of time on the clock
MEMORY = 1 << 30  # bytes beyond what the process has when it begins


def answer(prediction: str, gold: str) -> bool:
    """Whether the two are the same, with algebra for the parts that need it."""
    return bool(same(prediction, gold, algebra))


def algebra(prediction: str, gold: str) -> bool:
    """math-verify's opinion of two formulas; of two equations, whether one is a multiple of the other."""
    from math_verify import verify
    from sympy import Eq

    one, other = parsed(prediction), parsed(gold)
    if one is None or other is None:
        return False
    if isinstance(one, Eq) and isinstance(other, Eq):
        return multiples(one, other)
    return verify(other, one, allow_set_relation_comp=True, timeout_seconds=None) or complex_numbers(one, other)


def complex_numbers(one: Any, other: Any) -> bool:
    """Whether the two are the same number once `i` is the imaginary unit."""
    from sympy import Expr, I

    if not (isinstance(one, Expr) and isinstance(other, Expr)):
        return False
    symbols = one.free_symbols | other.free_symbols
    if {symbol.name for symbol in symbols} - {"i"} or not (
        symbols or one.has(I) or other.has(I) or "-1" in f"{one}{other}"
    ):
        return False
    try:
        difference = (one - other).subs(dict.fromkeys(symbols, I)).doit()
        return abs(complex(difference.evalf(30))) < 1e-12 * max(
            1, abs(complex(one.subs(dict.fromkeys(symbols, I)).evalf(30)))
        )
    except Exception:
        return False


def multiples(one: Any, other: Any) -> bool:
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
    found = parse(
        f"${text}$",
        [LatexExtractionConfig(normalization_config=rules)],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return found[0] if found else None


def quiet() -> None:
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401

    algebra("\\frac{x}{2}+1", "1+0.5x")  # the first question of a process costs most


def child(questions: int, verdicts: int) -> None:
    """Answer one question after the other; the kernel ends this process where one takes too long."""
    limit_memory()
    with os.fdopen(questions, "rb") as source:
        for line in source:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # no handler: its end is the end of the process
            try:
                verdict = answer(*json.loads(line))
            except MemoryError:
                return  # as if the kernel had ended it
            except (Exception, RecursionError):
                verdict = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.write(verdicts, b"true\n" if verdict else b"false\n")


def limit_memory() -> None:
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # a platform without limits has the time limit still


class Child:
    """A forked copy of this process that answers questions."""

    def __init__(self) -> None:
        there, self.questions = os.pipe()
        self.verdicts, back = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.questions)
            os.close(self.verdicts)
            try:
                child(there, back)
            finally:
                os._exit(0)
        os.close(there)
        os.close(back)

    def ask(self, line: bytes, until: float) -> bytes | None:
        """The verdict on a question; b'' where the child died of it, None where it says nothing `until` then."""
        try:
            os.write(self.questions, line)
        except BrokenPipeError:
            return b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.verdicts], [], [], left)[0]:
                return os.read(self.verdicts, 16)
        return None

    def end(self, dead: bool = False) -> bool:
        """End it, or bury it; whether it was killed by somebody else, and not by its limits."""
        os.close(self.questions)
        os.close(self.verdicts)
        if not dead:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        return dead and os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGTERM)


def main(source: IO[bytes], verdicts: IO[bytes]) -> None:
    quiet()
    worker = Child()
    verdicts.write(b"ready\n"), verdicts.flush()
    for line in source:
        until = time.monotonic() + WALL
        for left in range(3, -1, -1):
            if verdict := worker.ask(line, until):
                break
            killed = worker.end(dead=verdict is not None)
            if killed and not left:
                return  # something ends every child, and no verdict is made up
            worker = Child()
            if not killed:
                break
        verdicts.write(verdict or b"null\n"), verdicts.flush()
    worker.end()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
