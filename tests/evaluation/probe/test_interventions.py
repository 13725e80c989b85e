"""What is done to episodes, in a toy world where every prompt and reply can be read."""

import re

import pytest

from motif.evaluation.probe.interventions import Probing, interventions, without_repeats
from motif.rounds.carry import Nothing
from motif.rounds.episode import Episode, grade
from motif.rounds.replies import Sampling
from tests.support.toys import Words, good, question, says

LETTERS = "abcdefgh"


def sums(count=3, rounds=3):
    """Questions that a thinker of one step a round answers: from `9` take one away in each round."""
    return [
        question(
            f"{letter} {9 - place}", str(9 - place - rounds), progress=[f"{9 - place - t}" for t in range(1, rounds)]
        )
        for place, letter in enumerate(LETTERS[:count])
    ]


def thinker(prompt):
    """Takes one from what it was handed, or from the question's number; boxes it in the last round, or the only one."""
    found = re.search(r"<progress>\n(.*)\n</progress>", prompt)
    start = found[1] if found else re.search(r"\b[a-h] (\d)", prompt)[1]
    value = int(start) - 1
    last = "the last one" in prompt or "This is round" not in prompt
    return good(f"\\boxed{{{value}}}" if last else f"{value}")


def probed(answer=thinker, questions=None, before=(), rounds=3, k=2, **settings):
    asked = []
    words = Words()

    def generate(talks, sampling):
        asked.append([(talk[-1]["content"], sampling) for talk in talks])
        return says(words, answer)(talks, sampling)

    episode = Episode(rounds=rounds, tokens=10, **settings)
    probing = Probing(episode, generate, words, grade, k, seed=0, true=True)
    return probing.records(questions or sums(rounds=rounds), list(before)), asked


def came_of(record, name):
    return record["interventions"][name]["prediction"]


def test_each_kind_of_intervening_reaches_the_rounds_that_it_should_and_no_other():
    (a, b, _), _ = probed()
    assert a["samples"][0]["prediction"] == "6" and a["samples"][0]["carried"] == ["8", "7"]
    assert {name: came_of(a, name) for name in a["interventions"]} == {
        "early-0": "8",  # a single round
        "early-1": "7",  # round 2 is the last
        "without-every": "8",  # the last round begins from the problem
        "without-1": "7",
        "without-2": "8",
        "swapped-every": "5",  # it goes on from what the second question handed over after round 2
        "swapped-1": "5",
        "swapped-2": "5",
        "half-every": "8",  # half of one word is none
        "half-1": "7",
        "half-2": "8",
        "true-every": "6",
        "true-1": "6",
        "true-2": "6",
    }
    assert b["interventions"]["swapped-2"]["given"] == ["7", "7"] and came_of(b, "swapped-2") == "6"


def test_nothing_is_generated_twice_and_a_round_of_all_that_is_handed_over_is_one_call():
    _, asked = probed(k=1)
    greedy = [prompt for call in asked for prompt, sampling in call if sampling.temperature == 0]
    assert len(greedy) == len({*greedy})
    untouched, early, handed, values = 3, 1 + 1, 2, 3 + 2 + 1
    assert len(asked) == untouched + early + handed + values
    assert all(len({id(sampling) for _, sampling in call}) == 1 for call in asked)
    assert [len(call) for call in asked[:3]] == [3, 3, 3]


def test_rounds_before_an_intervention_are_those_of_the_untouched_episode():
    (record, *_), _ = probed()
    own = record["samples"][0]["replies"]
    for name, found in record["interventions"].items():
        kind, place = name.split("-")
        kept = 1 if place == "every" else int(place)
        assert len(found["replies"]) == (1 if kind == "early" else 3 - kept)
        if kind != "early" and found["prediction"] == "6":
            assert found["replies"] == own[kept:]


def by_draw(questions):
    """A policy that is right where it is greedy, and where a row's place in its call is odd."""

    def generate(talks, sampling):
        words = Words()
        for place, talk in enumerate(talks):
            text = talk[-1]["content"]
            right = next(each for each in questions if each.text in text).gold
            odd = sampling.temperature == 0 or place % 2
            yield from says(words, lambda _, right=right, odd=odd: good(f"\\boxed{{{right if odd else 0}}}"))(
                [talk], sampling
            )

    return lambda talks, sampling: list(generate(talks, sampling))


def test_a_states_value_is_of_k_continuations_drawn_as_in_training():
    questions, drawn = sums(), []
    policy = by_draw(questions)

    def generate(talks, sampling):
        if sampling.temperature:
            drawn.append((len(talks), sampling.temperature, sampling.top_p, sampling.keys))
        return policy(talks, sampling)

    episode = Episode(rounds=3, tokens=10, temperature=0.7, top_p=0.9)
    records = Probing(episode, generate, Words(), grade, k=4, seed=5, true=False).records(questions, [])
    assert [item["values"] for item in records] == [[[False, True, False, True]] * 3] * 3
    assert [rows for rows, *_ in drawn] == [12] * 6 and {(t, p) for _, t, p, _ in drawn} == {(0.7, 0.9)}
    assert len({key for *_, keys in drawn for key in keys}) == 6 * 12  # no draw is used twice


@pytest.mark.parametrize("sizes", [[2, 3], [4, 1]])
def test_batches_change_nothing(sizes):
    questions = sums(5, rounds=3)
    probing = Probing(Episode(rounds=3, tokens=10), by_draw(questions), Words(), grade, 3, seed=0, true=True)
    found = []
    for size in sizes:
        found += probing.records(questions[len(found) :][:size], found)
    assert found == probing.records(questions, [])


def test_without_continuations_there_are_no_values_and_without_the_truth_no_true_progress():
    records, asked = probed(k=0)
    assert records[0]["values"] == [] and all(sampling.temperature == 0 for call in asked for _, sampling in call)
    assert [each.name for each in interventions(2, true=False)] == ["early-0", "without-1", "swapped-1", "half-1"]
    assert [each.name for each in interventions(4, true=True)][:4] == ["early-0", "early-1", "early-2", "without-every"]


def test_where_nothing_is_handed_over_there_is_nothing_to_drop_swap_or_halve():
    records, _ = probed(carry=Nothing())
    for item in records:
        own = item["samples"][0]["prediction"]
        assert {came_of(item, name) for name in item["interventions"] if not name.startswith("true")} == {own}
        assert item["carried_tokens"] == [0, 0]


def test_an_episode_that_ends_with_its_answer_is_left_alone_after_it():
    def answer(prompt):
        return good("\\boxed{6}") if "a 9" in prompt else thinker(prompt)

    (a, b, _), _ = probed(answer, stop="answered")
    assert len(a["samples"][0]["replies"]) == 1 and a["carried_tokens"] == []
    assert {came_of(a, name) for name in a["interventions"]} == {"6"} and a["values"] == [[True, True], [True], [True]]
    assert b["interventions"]["swapped-every"]["given"] == [None, None]  # the first handed nothing over


def test_half_is_the_first_half_in_tokens():
    def answer(prompt):
        return good("\\boxed{1}" if "last one" in prompt else "one two three four five")

    (record, _), _ = probed(answer, sums(2, rounds=2), rounds=2)
    assert record["interventions"]["half-1"]["given"] == ["one two"] and record["carried_tokens"] == [5]


def test_a_conversation_is_asked_once_where_it_is_greedy_and_as_often_as_wanted_where_it_is_drawn():
    calls, words = [], Words()

    def generate(talks, sampling):
        calls.append(len(talks))
        return says(words, lambda prompt: prompt * 2)(talks, sampling)

    once = without_repeats(generate)
    a, b = ([{"role": "user", "content": text}] for text in "ab")
    assert [reply.text for reply in once([a, b, a], Sampling(5, temperature=0))] == ["aa", "bb", "aa"]
    assert [reply.text for reply in once([b], Sampling(5, temperature=0))] == ["bb"]
    assert len(once([a, a], Sampling(5))) == 2 and calls == [2, 2]
