"""Stories are worked out again here by other means: by reading the text of their events."""

import re

import pytest

from motif.system.errors import UserError
from motif.tasks.stories import Stories


def told(text):
    """The number of things at the end of a story, read from its sentences."""
    first, *events, _ = re.split(r"(?<=\.) ", text)
    value = int(re.search(r"\d+", first)[0])
    for event in events:
        found = re.search(r"\d+", event)
        n = int(found[0]) if found else 0
        if "half" in event:
            value //= 2
        elif "as many as" in event or "doubles" in event:
            value *= 2
        elif re.search(r"(buys|finds|wins)|gives (him|her) \d", event):
            value += n
        else:
            assert re.search(r"(loses|sells|takes)|gives \d+ to", event), event
            value -= n
    return str(value)


def test_gold_is_what_the_sentences_of_a_story_come_to():
    for question in Stories(train_size=300).train():
        assert question.gold == told(question.text)


def test_each_line_of_a_solution_is_right_and_goes_on_from_the_one_before():
    for question in Stories(train_size=300).train():
        value = re.search(r"\d+", question.text)[0]
        for place, step in enumerate(question.solution, 1):
            before, sign, n, after = re.fullmatch(r"(\d+) ([-+*/]) (\d+) = (\d+)", step.text).groups()
            assert before == value and eval(f"{before} {sign} {n} == {after}") and 1 <= int(after) <= 99
            assert step.note == f"{place} done, {after} now"
            value = after
        assert value == question.gold and len(question.solution) == question.facts["length"]


def test_every_length_is_asked_equally_often_and_splits_share_no_story():
    stories = Stories(train_size=200, validation_size=40, test_size=40)
    parts = [stories.train(), stories.validation(), Stories(test_size=40, seed=1).test()]
    texts = [{question.text for question in part} for part in parts]
    assert [len(part) for part in texts] == [200, 40, 40] and len(set.union(*texts)) == 280
    lengths = [question.facts["length"] for question in parts[0]]
    assert {lengths.count(length) for length in range(1, 7)} <= set(range(31, 36))


def test_rounds_that_do_what_they_have_room_for_carry_every_second_state_and_the_last():
    for question in Stories(test_size=20).test():
        states, progress = question.facts["states"], question.facts["progress"]
        assert states == [step.note for step in question.solution] and progress[-1] == states[-1]
        assert progress[:-1] == states[1:-1:2]


@pytest.mark.parametrize("bad", [{"shortest": 0}, {"longest": 31}, {"shortest": 9, "longest": 3}, {"path": "x"}])
def test_impossible_settings_are_refused_by_name(bad):
    with pytest.raises(UserError, match=r"dataset\."):
        Stories(**bad)
