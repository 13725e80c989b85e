import re

import pytest

from motif.system.errors import UserError
from motif.tasks.chain import Chain, start_and_steps


def value(text):
    """The chain read from left to right by other means than the task's own."""
    start, *steps = re.findall(r"^\d+|[a-zA-Z][-+*]\d+", text)
    result = int(start)
    for step in steps:
        result = eval(f"{result}{step[1:]}") % 10
    return str(result)


def test_gold_is_the_chain_read_from_left_to_right():
    for question in Chain(train_size=200).train():
        assert question.gold == value(question.text) == question.facts["states"][-1][1:]


def test_the_example_of_the_documentation_holds():
    assert value("9a-5b*8c+7") == "9"


def test_states_are_the_values_after_each_step():
    for question in Chain(train_size=50).train():
        steps = re.findall(r"[a-z][-+*]\d+", question.text)
        begin = question.text[0]
        for place, state in enumerate(question.facts["states"]):
            assert state == steps[place][0] + value(begin + "".join(steps[: place + 1]))


@pytest.mark.parametrize("seed", [0, 1])
def test_train_validation_and_test_share_no_question_even_across_seeds(seed):
    first, other = Chain(seed=0), Chain(seed=seed)
    train = {question.text for question in first.train()}
    validation, test = ({question.text for question in part} for part in (other.validation(), other.test()))
    assert not train & test and not train & validation and not validation & test


def test_questions_are_distinct_and_lengths_are_even():
    questions = Chain().test()
    lengths = [question.facts["length"] for question in questions]
    assert len({question.id for question in questions}) == 512
    assert {lengths.count(length) for length in range(2, 21)} <= {26, 27, 28}


def test_the_same_seed_gives_the_same_questions_and_another_gives_others():
    assert Chain().test() == Chain().test() != Chain(seed=1).test()


def test_more_questions_than_exist_are_refused():
    with pytest.raises(UserError, match="distinct chains"):
        Chain(shortest=1, longest=1, modulus=2, operations="+", test_size=50).test()


@pytest.mark.parametrize(
    "bad", [{"shortest": 0}, {"longest": 31}, {"modulus": 1}, {"operations": "+/"}, {"shortest": 9, "longest": 3}]
)
def test_impossible_settings_are_refused_by_name(bad):
    with pytest.raises(UserError, match="dataset."):
        Chain(**bad)


def test_a_chain_is_read_as_its_start_and_its_steps():
    assert start_and_steps("9a-5b*8c+7") == (9, [("a", "-", 5), ("b", "*", 8), ("c", "+", 7)])
    assert start_and_steps("12a+10") == (12, [("a", "+", 10)])
    for question in Chain(shortest=30, longest=30, train_size=5).train():
        start, steps = start_and_steps(question.text)
        assert f"{start}" + "".join(f"{label}{sign}{operand}" for label, sign, operand in steps) == question.text


def test_rounds_that_do_what_they_have_room_for_hand_over_every_fourth_state_and_the_last():
    for question in Chain(test_size=22).test():
        states, progress = question.facts["states"], question.facts["progress"]
        assert progress[-1] == states[-1] and len(progress) == -(-len(states) // 4)
        assert all(state == states[4 * place + 3] for place, state in enumerate(progress[:-1]))
