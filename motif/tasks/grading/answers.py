"""Whether an answer is right. What that is worth is for `rewards` to say.

`is_correct` is the grader, `is_correct_strictly` a second opinion by writing alone; "Grading" in docs/method.md says
what counts as the same. No text makes them raise, hang or guess: numbers, words and structures are compared here,
algebra is done by math-verify in a process of its own (`judge`), and what takes too long there is wrong.
"""

import re
from functools import lru_cache
from importlib.metadata import version

from motif.tasks.grading.equivalence import same
from motif.tasks.grading.judge import REFEREE
from motif.tasks.grading.latex import clean, final_answer, read, strict_form
from motif.tasks.grading.numbers import integer, number, same_number

__all__ = ["final_answer", "grader_id", "is_correct", "is_correct_strictly", "verdict"]

VERSION = 2  # of this grader: raise it with any change of a verdict
LONGEST = 1000  # signs of an answer that is looked into; a longer one must be the same in writing
DEEPEST = 40  # brackets within brackets


def grader_id() -> str:
    """The grader's name with its own version and math-verify's; results of different graders are not comparable."""
    return f"motif-{VERSION}+math-verify-{version('math-verify')}"


def is_correct(prediction: str, gold: str) -> bool:
    """Whether `prediction` is the answer `gold`, as `verdict` says it; what took too much to decide is not."""
    return verdict(prediction, gold) is True


def verdict(prediction: str, gold: str) -> bool | None:
    """Whether `prediction` is the answer `gold`: bare or wrapped LaTeX, or a text with a box or 'the answer is …'.
    None where to decide that takes more time or memory than an answer may.

    Not symmetric: a prediction may leave out what the question asks for anyway, as the base of `17_8`, not add it.
    Raises RuntimeError where the process for algebra cannot be started, for no text otherwise.
    """
    numbers = integer(prediction), integer(gold)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return _verdict(prediction, gold) if len(prediction) + len(gold) < 5000 else _graded(prediction, gold)


def _graded(prediction: str, gold: str) -> bool | None:
    prediction, gold = read(prediction), read(gold)
    if not prediction or not gold:
        return False
    numbers = integer(prediction), integer(gold)
    if None not in numbers:
        return numbers[0] == numbers[1]
    if max(len(prediction), len(gold)) > LONGEST:
        return prediction.strip() == gold.strip()
    if prediction == gold or strict_form(prediction) == strict_form(gold) != "":
        return True
    one, other = clean(prediction), clean(gold)
    if not one or not other:
        return False
    if (left := number(one)) and (right := number(other)):
        return same_number(left, right)
    if too_much(one) or too_much(other):
        return None
    decided = same(one, other, lambda *_: None)
    return REFEREE.ask(one, other) if decided is None else decided


_verdict = lru_cache(maxsize=16384)(_graded)


def too_much(text: str) -> bool:
    """Whether `text` is built to exhaust: brackets within brackets, powers of powers, factorials and sums of giants."""
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    tower = re.search(r"\^\s*\{?\s*\(?\s*[\d!]+\s*\^\s*\{?\s*\(?\s*[\d!]+\s*\^", text)
    power = re.search(r"\^\s*\{?\s*\d{7,}", text)
    return deepest > DEEPEST or bool(tower) or bool(power) or bool(re.search(r"\d{5,}\s*!|!\s*\)?\s*!\s*\)?\s*!", text))


def is_correct_strictly(prediction: str, gold: str) -> bool:
    """Whether both are written the same, up to spaces, dollars, fonts, `\\left`, `\\dfrac`, `.0` and commas."""
    prediction, gold = read(prediction), read(gold)
    if max(len(prediction), len(gold)) > LONGEST:
        return prediction.strip() == gold.strip() != "" or integer(prediction) == integer(gold) is not None
    return strict_form(prediction) == strict_form(gold) != ""
