r"""Whether an answer is right. What that is worth is for `training.rewards` to say.

`verdict` goes from two texts to a verdict, step by step; `is_correct` is its short form. `is_correct_strictly` is a
second opinion by writing alone. docs/grading.md says what counts as the same. No text makes these functions raise,
hang or guess: formulas are compared in a process of their own (`judge`), and a question that takes too long or too much
memory there is undecided.
"""

import re
from functools import lru_cache
from importlib.metadata import version

from motif.tasks.grading.answers import stated_answer
from motif.tasks.grading.equivalence import Comparison
from motif.tasks.grading.judge import JUDGE
from motif.tasks.grading.latex import clean, strict_form
from motif.tasks.grading.numbers import integer, number, same_number
from motif.tasks.grading.units import other_currency
from motif.tasks.grading.verdicts import Verdict

VERSION = 3  # of this grader: raise it with any change of a verdict
LONGEST = 1000  # characters of an answer that is looked into; a longer one must be the same in writing
LONGEST_KEPT = 5000  # characters of a prediction and a gold whose verdict is kept in memory
DEEPEST = 40  # brackets within brackets
TOWER = re.compile(r"\^\s*\{?\s*\(?\s*[\d!]+\s*\^\s*\{?\s*\(?\s*[\d!]+\s*\^")
GIANT_POWER = re.compile(r"\^\s*\{?\s*\d{7,}")
GIANT_FACTORIAL = re.compile(r"\d{5,}\s*!|!\s*\)?\s*!\s*\)?\s*!")
WITHOUT_ALGEBRA = Comparison(lambda prediction, gold: Verdict.UNDECIDED)


def grader_id() -> str:
    """The grader's name with its own version and sympy's; results of different graders are not comparable."""
    return f"motif-{VERSION}+sympy-{version('sympy')}"


def is_correct(prediction: str, gold: str) -> bool:
    """Whether `verdict` says RIGHT; an answer that takes too much to decide is not correct."""
    return verdict(prediction, gold) is Verdict.RIGHT


def verdict(prediction: str, gold: str) -> Verdict:
    """Whether the prediction is the answer `gold`.

    Not symmetric: a prediction may leave out what the question asks for anyway, as the base of `17_8`, and not add it.

    Args:
        prediction: an answer, bare or in LaTeX delimiters, or a text with a box or with 'the answer is …'.
        gold: the right answer, written in any of these ways.

    Returns:
        RIGHT, WRONG, or UNDECIDED where to decide takes more time or memory than an answer may take.

    Raises:
        NoJudge: where the process for algebra cannot be started, or is killed again and again.
    """
    decided = _integers(prediction, gold)
    if decided is not None:
        return decided
    kept = len(prediction) + len(gold) < LONGEST_KEPT
    return _kept_verdict(prediction, gold) if kept else _verdict(prediction, gold)


def _verdict(prediction: str, gold: str) -> Verdict:
    prediction, gold = stated_answer(prediction), stated_answer(gold)
    if not prediction or not gold:
        return Verdict.WRONG
    if (decided := _integers(prediction, gold)) is not None:
        return decided
    if max(len(prediction), len(gold)) > LONGEST:
        return Verdict.of(prediction.strip() == gold.strip())
    if other_currency(prediction, gold):
        return Verdict.WRONG
    if prediction == gold or strict_form(prediction) == strict_form(gold) != "":
        return Verdict.RIGHT
    one, other = clean(prediction), clean(gold)
    if not one or not other:
        return Verdict.WRONG
    if (left := number(one)) and (right := number(other)):
        return Verdict.of(same_number(left, right))
    if is_exhausting(one) or is_exhausting(other):
        return Verdict.UNDECIDED
    decided = WITHOUT_ALGEBRA.same(one, other)
    return JUDGE.ask(one, other) if decided is Verdict.UNDECIDED else decided


_kept_verdict = lru_cache(maxsize=16384)(_verdict)
forget_verdicts = _kept_verdict.cache_clear  # each answer is then graded anew


def _integers(prediction: str, gold: str) -> Verdict | None:
    """The verdict on two whole numbers, None where one is something else."""
    one, other = integer(prediction), integer(gold)
    return None if one is None or other is None else Verdict.of(one == other)


def is_exhausting(text: str) -> bool:
    """Whether `text` is built to exhaust: deep brackets, towers of powers, factorials and powers of giants."""
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest > DEEPEST or any(giant.search(text) for giant in (TOWER, GIANT_POWER, GIANT_FACTORIAL))


def is_correct_strictly(prediction: str, gold: str) -> bool:
    r"""Whether both are written the same, up to spaces, dollars, fonts, `\left`, `\dfrac`, `.0` and commas."""
    prediction, gold = stated_answer(prediction), stated_answer(gold)
    if max(len(prediction), len(gold)) > LONGEST:
        return prediction.strip() == gold.strip() != "" or integer(prediction) == integer(gold) is not None
    return strict_form(prediction) == strict_form(gold) != "" and not other_currency(prediction, gold)
