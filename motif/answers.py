"""Whether an answer is right. What that is worth is for `rewards` to say.

The last complete box of a reply is its answer, never a substring. Plain integers are compared as such; anything else
goes to math-verify, without its signal-based timeouts, which work in the main thread only.
"""

import logging
import re
from functools import lru_cache

BOX = "\\boxed{"
INTEGER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?")


def final_answer(reply: str, tag: str | None = "answer") -> str | None:
    """The content of the last complete `\\boxed{}` of `reply`, braces balanced and space stripped; None without one."""
    start = reply.rfind(BOX)
    while start >= 0:
        depth = 0
        for place in range(start + len(BOX) - 1, len(reply)):
            depth += {"{": 1, "}": -1}.get(reply[place], 0)
            if depth == 0:
                return reply[start + len(BOX) : place].strip()
        start = reply.rfind(BOX, 0, start)
    return None


def integer(text: str) -> int | None:
    """The whole number that `text` is (`025`, `1,080`, `7.0`), else None."""
    text = text.strip().strip("$")
    if len(text) > 100 or not INTEGER.fullmatch(text):
        return None
    return int(text.split(".")[0].replace(",", ""))


def is_correct(prediction: str, gold: str) -> bool:
    """Whether `prediction` and `gold`, bare or dollar-wrapped LaTeX, are the same answer."""
    prediction, gold = prediction.strip(), gold.strip()
    if prediction == gold:
        return True
    numbers = integer(prediction), integer(gold)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return bool(prediction) and _same_mathematics(prediction[:2000], gold)


@lru_cache(maxsize=4096)
def _same_mathematics(prediction: str, gold: str) -> bool:
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    wrapped = [text if "$" in text else f"${text}$" for text in (gold, prediction)]
    read = [parse(text, parsing_timeout=None) for text in wrapped]
    return all(read) and verify(*read, timeout_seconds=None)


def is_correct_strictly(prediction: str, gold: str) -> bool:
    """Whether the two are the same text."""
    return prediction.strip() == gold.strip()


def grader_id() -> str:
    return "interim"
