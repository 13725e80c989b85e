"""Questions: what a data set gives to the rest of the suite.

A data set is an object with `name`, `tokens_per_round`, `trainable` and three methods `train`, `validation`, `test`,
each of which returns questions. This module also says when two questions are the same one. It does not know how a
reply is graded or what it is worth.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from motif.system import console


class Step(NamedTuple):
    """A step of a worked solution, and what a round that ends after it should carry over: a note of all so far."""

    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a data set.

    Attributes:
        id: depends on the data set's name and the text alone, so that two runs can be compared question by question.
        text: the question as the policy reads it.
        gold: the right answer.
        facts: what splits results or feeds probes. Where a task knows what a round should carry over,
            `facts["progress"]` has it by round, the last one for all rounds that follow.
        written: the gold as the data have it, where `gold` is written otherwise: with commas between thousands.
        unboxed: whether the text of the answer tag counts as the answer where a last reply holds no box.
        solution: the steps of a worked solution; none where the data have none.
    """

    id: str
    text: str
    gold: str
    facts: dict[str, Any] = field(default_factory=dict)
    unboxed: bool = False
    written: str | None = None
    solution: tuple[Step, ...] = field(default=(), compare=False, repr=False)


@runtime_checkable
class Dataset(Protocol):
    """What the suite asks of a data set. To build one costs nothing; the methods load it.

    Attributes:
        name: stands in ids of questions, in results and in names of runs.
        tokens_per_round: the number of new tokens a round that suits the task.
        trainable: where it is false the set is for evaluation alone, and `train` and `validation` raise a `UserError`.
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

    Operators, digits, decimal points, signs and `!` stay, so `9-5`, `9+5` and `95` remain different. The division of a
    data set into train and validation depends on this, so a change here moves questions from one to the other.
    """
    text = text.lower().translate(TYPESETTING)
    for pattern, replacement in NORMALISING:
        text = pattern.sub(replacement, text)
    return text.strip()


TYPESETTING = str.maketrans({"’": "'", "‘": "'", "“": None, "”": None, '"': None, "–": "-", "—": "-", "−": "-"})
NORMALISING = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\[dt]frac(?![a-z])", r"\\frac"),
        (r"\\[,;:!]", ""),  # thin spaces of LaTeX
        (r"\\(?:left|right)(?![a-z])", ""),
        (r"\\(?:quad|qquad|displaystyle)(?![a-z])|\\[()\[\] ]|[$~]", " "),
        (r"(?<=\d),(?=\d{3}(?!\d))", ""),  # thousands
        (r"[,;:?]|\.(?!\d)", " "),
        (r"\s*([^\w\s])\s*", r"\1"),  # no spaces beside symbols
        (r"\s+", " "),
    )
]


def without(questions: Iterable[Question], others: Iterable[Question]) -> tuple[list[Question], list[Question]]:
    """Two lists: the `questions` that are not among `others`, and those that are, by their normalised text."""
    others_texts = {normalised(other.text) for other in others}
    new: list[Question] = []
    repeated: list[Question] = []
    for question in questions:
        (repeated if normalised(question.text) in others_texts else new).append(question)
    return new, repeated


def apart(questions: Iterable[Question], tests: Mapping[str, Iterable[Question]]) -> list[Question]:
    """The training `questions` that are in none of `tests`, by data set. How many are left out is said."""
    kept, dropped = without(questions, [question for test in tests.values() for question in test])
    if dropped:
        console.say(
            f"{len(dropped)} of {len(kept) + len(dropped)} training questions are test questions too "
            f"({', '.join(tests)}) and are left out",
            style="yellow",
        )
    return kept


def fingerprint(questions: Iterable[Question]) -> str:
    """12 hex digits of the SHA-256 of ids and golds in order: equal where two evaluations are of the same rows."""
    rows = [[question.id, question.gold] for question in questions]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def question_text(value: object) -> str | None:
    """The text of a question: text as it stands, or what a list of messages says.

    Messages are one of the user, after one of the system at most. The system's text then stands above the user's,
    because the system message of a prompt is the suite's own. None where the value is no question.
    """
    if isinstance(value, str):
        return str(value)
    messages = [value] if isinstance(value, Mapping) else value
    if not isinstance(messages, list) or not all(isinstance(each, Mapping) for each in messages):
        return None
    if [each.get("role") for each in messages] not in (["user"], ["system", "user"]):
        return None
    texts = [_content(each.get("content")) for each in messages]
    if None in texts or not str(texts[-1]).strip():
        return None
    return "\n\n".join(text for text in texts if text and text.strip())


def _content(content: object) -> str | None:
    """The text of a message, which may come in parts; None where a part is no text."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    return "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else None
