"""Easy questions in plain English that are no stories: how many letters words have, and which number is the k-th.

They are made as stories are, with a worked solution of one line a step. A small model that reads English does the
shortest of them in part, so that training has something to begin with.
"""

import random
from dataclasses import dataclass
from typing import ClassVar

from motif.tasks.questions import Step
from motif.tasks.stories import LARGEST, Stories

WORDS = (
    *("ant", "bread", "castle", "dog", "engine", "flower", "garden", "house", "island", "jacket", "kitchen", "lamp"),
    *("market", "night", "orange", "paper", "queen", "river", "silver", "table", "umbrella", "village", "window"),
    *("year", "bridge", "cloud", "doctor", "elephant", "forest", "glass", "hammer", "ink", "journey", "key"),
)


@dataclass(frozen=True)
class Letters(Stories):
    """How many letters some words have together; a step counts one word."""

    name: str = "letters"
    kind: ClassVar[str] = "lists of words"

    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        words, steps, before = source.sample(WORDS, length), [], 0
        for done, word in enumerate(words, start=1):
            now = before + len(word)
            steps.append(Step(f"{word}: {before} + {len(word)} = {now}", f"{done} done, {now} now"))
            before = now
        asked = f"the word {words[0]} have" if length == 1 else f"the words {', '.join(words)} have together"
        return f"How many letters {'does' if length == 1 else 'do'} {asked}?", steps, before


@dataclass(frozen=True)
class Sorting(Stories):
    """The k-th smallest of some numbers; a step finds the next smallest."""

    name: str = "sorting"
    kind: ClassVar[str] = "lists of numbers"

    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        numbers = source.sample(range(1, LARGEST + 1), length + 2)
        ranked = sorted(numbers)[:length]
        steps = [Step(f"{k}: {n}", f"{k} done, {n} now") for k, n in enumerate(ranked, start=1)]
        listed = ", ".join(map(str, numbers))
        return f"Sort from small to large: {listed}. Which number is in place {length}?", steps, ranked[-1]
