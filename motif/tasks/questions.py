"""Questions: what a data set hands to the rest of the suite.

A data set is an object with `name`, `tokens_per_round`, `trainable` and three methods `train`, `validation`, `test`,
each of which returns questions. What makes two questions the same one is said here, too. Nothing here knows how a
reply is graded or what it is worth.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `text` as the policy reads it, the `gold` answer, `facts` that split results or feed probes.

    Where a task knows what a round should hand over, `facts["progress"]` has it by round, the last for all that follow.
    `id` is stable: it depends on the data set's name and the text alone, so that two runs can be compared by item.
    `unboxed` says that where a last reply holds no box, the text of its answer tag counts as its answer.
    """

    id: str
    text: str
    gold: str
    facts: dict[str, Any] = field(default_factory=dict)
    unboxed: bool = False


@runtime_checkable
class Dataset(Protocol):
    """What the suite asks of a data set.

    Where `trainable` is false the set is for evaluation alone: `train` and `validation` raise a `UserError`.
    `tokens_per_round` is the window that suits the task. Loading is left to the methods, building costs nothing.
    """

    @property
    def name(self) -> str: ...

    @property
    def tokens_per_round(self) -> int: ...

    @property
    def trainable(self) -> bool: ...

    def train(self) -> list[Question]: ...

    def validation(self) -> list[Question]: ...

    def test(self) -> list[Question]: ...


def question_id(dataset: str, text: str) -> str:
    """`<dataset>-<12 hex digits of the text's SHA-256>`."""
    return f"{dataset}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def normalised(text: str) -> str:
    """`text` without what a copy of a question may change: case, spaces, LaTeX spacing and dollars, punctuation.

    Operators, digits, decimal points, signs and `!` stay, so `9-5`, `9+5` and `95` remain different. The division
    into train and validation hangs on this, so a change here moves questions from one to the other.
    """
    text = text.lower().translate(_TYPED)
    for pattern, replacement in _FOLDS:
        text = pattern.sub(replacement, text)
    return text.strip()


_TYPED = str.maketrans({"’": "'", "‘": "'", "“": None, "”": None, '"': None, "–": "-", "—": "-", "−": "-"})
_FOLDS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\[dt]frac(?![a-z])", r"\\frac"),
        (r"\\[,;:!]", ""),  # thin spaces of LaTeX
        (r"\\(?:left|right)(?![a-z])", ""),
        (r"\\(?:quad|qquad|displaystyle)(?![a-z])|\\[()\[\] ]|[$~]", " "),
        (r"(?<=\d),(?=\d{3}(?!\d))", ""),  # thousands
        (r"[,;:?]|\.(?!\d)", " "),
        (r"\s*([^\w\s])\s*", r"\1"),  # no spaces about symbols
        (r"\s+", " "),
    )
]


def without(questions: Iterable[Question], others: Iterable[Question]) -> tuple[list[Question], list[Question]]:
    """`questions` in two lists: those that are not among `others`, and those that are, by their normalised text."""
    known = {normalised(other.text) for other in others}
    kept: list[Question] = []
    dropped: list[Question] = []
    for question in questions:
        (dropped if normalised(question.text) in known else kept).append(question)
    return kept, dropped


def fingerprint(questions: Iterable[Question]) -> str:
    """12 hex digits of the SHA-256 of ids and golds in order: equal where two evaluations are of the same rows."""
    rows = [[question.id, question.gold] for question in questions]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
