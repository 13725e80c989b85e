"""The chain task: arithmetic that does not fit into one reply.

`9a-5b*8c+7` reads: start at 9, then step a takes 5 away, step b multiplies by 8, step c adds 7. All is modulo 10 and
from left to right. A reply of 44 tokens that writes its steps down has room for about four, one of 132 for eighteen.
So a long chain can be finished only in a long window, or where each reply carries the step and the value that it
reached over to the next round.
"""

import random
import re
from dataclasses import dataclass
from typing import ClassVar

from motif.system.errors import UserError, whole
from motif.tasks.generated import Generated
from motif.tasks.questions import Step

STEPS_A_ROUND = 4  # that a reply of 44 tokens has room for
LABELS = "abcdefghijklmnopqrstuvwxyzABCD"  # of steps
OPERATIONS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}


@dataclass(frozen=True)
class Chain(Generated):
    """Chains of `shortest` to `longest` labelled operations. Their states are such as `['a4', 'b2', 'c9']`.

    Raises:
        UserError: where a setting is invalid.
    """

    name: str = "chain"
    shortest: int = 2
    longest: int = 20
    modulus: int = 10
    operations: str = "+-*"
    kind: ClassVar[str] = "chains"
    most: ClassVar[int] = len(LABELS)
    steps_a_round: ClassVar[int] = STEPS_A_ROUND

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("dataset.modulus", self.modulus, at_least=2, at_most=100)
        if not isinstance(self.operations, str) or not self.operations or set(self.operations) - set(OPERATIONS):
            raise UserError(f"dataset.operations must be made of {' '.join(OPERATIONS)}, got {self.operations!r}")

    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        """The text of a chain, its steps as they are worked, such as `a9-5=4;`, which leaves the state `a4`, and its
        value."""
        value = source.randrange(self.modulus)
        text, steps = str(value), list[Step]()
        for label in LABELS[:length]:
            operation, operand = source.choice(self.operations), source.randrange(1, self.modulus)
            before, value = value, OPERATIONS[operation](value, operand) % self.modulus
            text += f"{label}{operation}{operand}"
            steps.append(Step(f"{label}{before}{operation}{operand}={value};", f"{label}{value}"))
        return text, steps, value


def start_and_steps(text: str) -> tuple[int, list[tuple[str, str, int]]]:
    """The value that a chain starts at, and its steps: label, sign and number."""
    steps = re.findall(r"([a-zA-Z])([-+*])(\d+)", text)
    return int(re.split("[a-zA-Z]", text)[0]), [(label, sign, int(operand)) for label, sign, operand in steps]
