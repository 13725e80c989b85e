"""Letters and numbers are counted and sorted again here."""

import re

import pytest

from motif.tasks.puzzles import Letters, Sorting


def counted(text):
    return sum(map(len, re.search(r"words? (.+?) have", text)[1].split(", ")))


def ranked(text):
    *numbers, place = map(int, re.findall(r"\d+", text))
    return sorted(numbers)[place - 1]


@pytest.mark.parametrize(("task", "worked"), [(Letters, counted), (Sorting, ranked)])
def test_gold_and_every_line_of_the_solution_are_right(task, worked):
    for question in task(train_size=300).train():
        assert question.gold == str(worked(question.text)) and question.unboxed
        assert len(question.solution) == question.facts["length"]
        for place, step in enumerate(question.solution, start=1):
            (value,) = re.findall(r"\d+$", step.text)
            assert step.note == f"{place} done, {value} now"
            if task is Letters:
                word, before, count, after = re.fullmatch(r"(\w+): (\d+) \+ (\d+) = (\d+)", step.text).groups()
                assert word in question.text and int(count) == len(word) and int(before) + int(count) == int(after)
        assert question.solution[-1].note.split()[2] == question.gold
