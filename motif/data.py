"""Questions: what a data set hands to the rest of the suite.

A data set is an object with `name`, `tokens_per_round` and three methods `train`, `validation`, `test`, each of
which returns questions. Nothing here knows how a reply is graded or what it is worth.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `text` as the policy reads it, the `gold` answer, `facts` that split results or feed probes.

    `id` is stable: it depends on the data set's name and the text alone, so that two runs can be compared by item.
    """

    id: str
    text: str
    gold: str
    facts: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Dataset(Protocol):
    """What the suite asks of a data set."""

    name: str
    tokens_per_round: int

    def train(self) -> list[Question]: ...

    def validation(self) -> list[Question]: ...

    def test(self) -> list[Question]: ...


def question_id(dataset: str, text: str) -> str:
    """`<dataset>-<12 hex digits of the text's SHA-256>`."""
    return f"{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
