"""What made tasks share; the tasks themselves are tested beside it."""

import random
from dataclasses import dataclass
from typing import ClassVar

import pytest

from motif.system.errors import UserError
from motif.tasks.generated import Generated
from motif.tasks.questions import Dataset, Step


@dataclass(frozen=True)
class Sums(Generated):
    """A task of a few lines: sums of `length` ones and a number."""

    name: str = "sums"
    shortest: int = 1
    longest: int = 3
    kind: ClassVar[str] = "sums"
    most: ClassVar[int] = 9
    steps_a_round: ClassVar[int] = 2

    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        first = source.randrange(100)
        steps = [Step(f"{first + done} + 1", f"now {first + done + 1}") for done in range(length)]
        return f"{first}{'+1' * length}", steps, first + length


def test_a_task_that_draws_a_text_has_disjoint_splits_of_distinct_questions():
    sums = Sums(train_size=60, validation_size=9, test_size=9)
    parts = [sums.train(), sums.validation(), sums.test()]
    assert isinstance(sums, Dataset) and len({question.text for part in parts for question in part}) == 78
    assert all(str(eval(question.text)) == question.gold for part in parts for question in part)


def test_rounds_that_do_what_they_have_room_for_carry_the_state_after_it_and_the_last():
    longest = Sums(shortest=5, longest=5, test_size=1).test()[0]
    first = int(longest.text.partition("+")[0])
    states = [f"now {first + done}" for done in range(1, 6)]
    assert longest.facts == {"length": 5, "states": states, "progress": [states[1], states[3], states[4]]}
    assert [step.note for step in longest.solution] == states and longest.gold == str(first + 5)


def test_more_questions_than_there_are_is_a_line_that_calls_them_by_their_kind():
    with pytest.raises(UserError, match=r"dataset.test_size=200 is more than the \d+ distinct sums .* longer sums"):
        Sums(test_size=200).test()
