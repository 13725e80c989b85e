"""Questions made from a seed: what the tasks have in common whose questions are drawn, not read.

A question belongs to train, validation or test by a hash of its own text, so the three are disjoint for any seed, size
and length. How a question is made is the task's own.
"""

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from motif.system.errors import UserError, whole
from motif.tasks.questions import Question, Step, question_id

LARGEST_SPLIT = 1_000_000  # questions
TRIES = 1000  # at a question of some length that belongs to the split
TENTHS = {"test": range(0, 1), "validation": range(1, 2), "train": range(2, 10)}  # of all possible questions


@dataclass(frozen=True)
class Generated(ABC):
    """Questions of `shortest` to `longest` steps, every length equally often, drawn from `seed`.

    A task says what its questions are called in messages (`kind`), how many steps they may have (`most`), for how many
    a round has room (`steps_a_round`), and how one is drawn (`drawn`). The `facts` of a question are its `length`; the
    `states` after each step, which are their notes; and the `progress`, which is the state that each round should carry
    over.

    Attributes:
        tokens_per_round: the number of new tokens a round that the task is made for.
        path: always None, since nothing is read from a file.

    Raises:
        UserError: where a setting is invalid.
    """

    name: str
    shortest: int
    longest: int
    train_size: int = 4096
    validation_size: int = 256
    test_size: int = 512
    seed: int = 0
    tokens_per_round: int = 44
    path: None = None
    trainable = True  # of the class, not a setting
    kind: ClassVar[str]
    most: ClassVar[int]
    steps_a_round: ClassVar[int]
    unboxed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole("dataset.shortest", self.shortest)
        whole("dataset.longest", self.longest, at_least=self.shortest, at_most=self.most)
        for size in ("train_size", "validation_size", "test_size", "tokens_per_round"):
            whole(f"dataset.{size}", getattr(self, size), at_most=LARGEST_SPLIT)
        whole("dataset.seed", self.seed, at_least=0)
        if self.path is not None:
            made = f"dataset={self.name}, which is made from a seed"
            raise UserError(f"dataset.path is not for {made}, got {self.path!r}")

    @abstractmethod
    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        """The text of a question of `length` steps, its solution, and the right answer."""

    def train(self) -> list[Question]:
        return self._distinct("train", self.train_size)

    def validation(self) -> list[Question]:
        return self._distinct("validation", self.validation_size)

    def test(self) -> list[Question]:
        return self._distinct("test", self.test_size)

    def draws(self, split: str, seed: int) -> Iterator[Question]:
        """Questions of `split` without end, lengths in turn; the same question can come again.

        It ends only where no question of any length was found in `split`.
        """
        source = random.Random(f"{seed}/{split}")
        lengths = range(self.shortest, self.longest + 1)
        while True:
            questions = [question for length in lengths if (question := self._draw(source, split, length))]
            if not questions:
                return
            yield from questions

    def _draw(self, source: random.Random, split: str, length: int) -> Question | None:
        """A question of `length` steps that belongs to `split`; None where no try gave one."""
        for _ in range(TRIES):
            text, steps, gold = self.drawn(source, length)
            if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10 in TENTHS[split]:
                states = [step.note for step in steps]
                progress = [*states[self.steps_a_round - 1 : -1 : self.steps_a_round], states[-1]]
                facts = {"length": length, "states": states, "progress": progress}
                id = question_id(self.name, text)
                return Question(id, text, str(gold), facts, self.unboxed, solution=tuple(steps))
        return None

    def _distinct(self, split: str, size: int) -> list[Question]:
        by_id: dict[str, Question] = {}
        for question in islice(self.draws(split, self.seed), 20 * size + 1000):
            by_id.setdefault(question.id, question)
            if len(by_id) == size:
                return list(by_id.values())
        raise UserError(
            f"dataset.{split}_size={size} is more than the {len(by_id)} distinct {self.kind} found with these "
            f"settings; lower it or allow longer {self.kind}"
        )
