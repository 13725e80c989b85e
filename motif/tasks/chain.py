"""The chain task: arithmetic that does not fit into one reply.

`9a-5b*8c+7` reads: start at 9, then step a takes 5 away, step b multiplies by 8, step c adds 7. All is modulo 10 and
from left to right. A reply of 44 tokens that writes its steps down has room for about four, one of 132 for eighteen.
So a long chain can be finished only in a long window, or where each reply carries the step and the value that it
reached over to the next round.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from motif.system.errors import UserError, whole
from motif.tasks.questions import Question, question_id

STEPS_A_ROUND = 4  # that a reply of 44 tokens has room for
LABELS = "abcdefghijklmnopqrstuvwxyzABCD"  # of steps
LARGEST_SPLIT = 1_000_000  # questions
TRIES = 1000  # at a chain of some length that belongs to the split
OPERATIONS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}
TENTHS = {"test": range(0, 1), "validation": range(1, 2), "train": range(2, 10)}  # of all possible chains


@dataclass(frozen=True)
class Chain:
    """Chains of `shortest` to `longest` labelled operations, every length equally often, drawn from `seed`.

    A chain belongs to train, validation or test by a hash of its own text, so the three are disjoint for any seed,
    size and length. The `facts` of a question are its `length`; the `states` after each step, such as
    `['a4', 'b2', 'c9']`; and the `progress`, which is the state that each round should carry over.

    Attributes:
        tokens_per_round: the number of new tokens a round that the task is made for.
        path: always None, since chains are not read from a file.

    Raises:
        UserError: where a setting is invalid.
    """

    name: str = "chain"
    shortest: int = 2
    longest: int = 20
    modulus: int = 10
    operations: str = "+-*"
    train_size: int = 4096
    validation_size: int = 256
    test_size: int = 512
    seed: int = 0
    tokens_per_round: int = 44
    path: None = None
    trainable = True  # of the class, not a setting

    def __post_init__(self) -> None:
        whole("dataset.shortest", self.shortest)
        whole("dataset.longest", self.longest, at_least=self.shortest, at_most=len(LABELS))
        whole("dataset.modulus", self.modulus, at_least=2, at_most=100)
        for size in ("train_size", "validation_size", "test_size", "tokens_per_round"):
            whole(f"dataset.{size}", getattr(self, size), at_most=LARGEST_SPLIT)
        whole("dataset.seed", self.seed, at_least=0)
        if self.path is not None:
            raise UserError(f"dataset.path is not for dataset=chain, which is made from a seed, got {self.path!r}")
        if not isinstance(self.operations, str) or not self.operations or set(self.operations) - set(OPERATIONS):
            raise UserError(f"dataset.operations must be made of {' '.join(OPERATIONS)}, got {self.operations!r}")

    def train(self) -> list[Question]:
        return self._distinct("train", self.train_size)

    def validation(self) -> list[Question]:
        return self._distinct("validation", self.validation_size)

    def test(self) -> list[Question]:
        return self._distinct("test", self.test_size)

    def draws(self, split: str, seed: int) -> Iterator[Question]:
        """Questions of `split` without end, lengths in turn; the same question can come again.

        It ends only where no chain of any length was found in `split`.
        """
        source = random.Random(f"{seed}/{split}")
        lengths = range(self.shortest, self.longest + 1)
        while True:
            questions = [question for length in lengths if (question := self._draw(source, split, length))]
            if not questions:
                return
            yield from questions

    def _draw(self, source: random.Random, split: str, length: int) -> Question | None:
        """A chain of `length` steps that belongs to `split`; None where no try gave one."""
        for _ in range(TRIES):
            text, states, steps = self._chain(source, length)
            if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10 in TENTHS[split]:
                progress = [*states[STEPS_A_ROUND - 1 : -1 : STEPS_A_ROUND], states[-1]]
                facts = {"length": length, "states": states, "progress": progress}
                return Question(question_id(self.name, text), text, states[-1][1:], facts, steps=steps)
        return None

    def _distinct(self, split: str, size: int) -> list[Question]:
        by_id: dict[str, Question] = {}
        for question in islice(self.draws(split, self.seed), 20 * size + 1000):
            by_id.setdefault(question.id, question)
            if len(by_id) == size:
                return list(by_id.values())
        raise UserError(
            f"dataset.{split}_size={size} is more than the {len(by_id)} distinct chains found with these settings; "
            "lower it or allow longer chains"
        )

    def _chain(self, source: random.Random, length: int) -> tuple[str, list[str], tuple[str, ...]]:
        """The text of a chain, the state after each of its steps, and the steps as they are worked: `a9-5=4;`."""
        value = source.randrange(self.modulus)
        text, states, steps = str(value), [], []
        for label in LABELS[:length]:
            operation, operand = source.choice(self.operations), source.randrange(1, self.modulus)
            result = OPERATIONS[operation](value, operand) % self.modulus
            steps.append(f"{label}{value}{operation}{operand}={result};")
            text += f"{label}{operation}{operand}"
            states.append(f"{label}{result}")
            value = result
        return text, states, tuple(steps)


def start_and_steps(text: str) -> tuple[int, list[tuple[str, str, int]]]:
    """The value that a chain starts at, and its steps: label, sign and number."""
    steps = re.findall(r"([a-zA-Z])([-+*])(\d+)", text)
    return int(re.split("[a-zA-Z]", text)[0]), [(label, sign, int(operand)) for label, sign, operand in steps]
