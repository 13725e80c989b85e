import random

import pytest

from motif.algorithms import GRPO, MOTIF
from motif.checks import UserError
from motif.episode import Episode, grade, grow
from motif.generation import Sampling
from motif.rewards import Reward, accuracy, format
from motif.rollout import advantages
from tests.toys import Words, good, question, says

REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})


def rewards(algorithm, rounds, answer):
    """What each trained reply is worth in trees that a toy policy grows."""
    words = Words()
    rounds = algorithm.rounds(rounds)
    episode = Episode(rounds=rounds, tokens=9)
    questions = [question("a"), question("b")]
    trees = grow(questions, episode, algorithm.branching(rounds), says(words, answer), words, lambda _: Sampling(9))
    grade(trees)
    rows = [row for tree in trees for row in algorithm.rows(tree)]
    assert all(row.path[-1].round == 1 for row in rows)
    return [REWARD.total(REWARD.of(row.path, row.futures)) for row in rows]


def test_motif_with_one_round_is_exactly_grpo():
    def answers():
        source = random.Random(1)
        return lambda prompt: good(source.choice(["\\boxed{2}", "\\boxed{3}", "none"]))

    grpo, motif = rewards(GRPO(m=4), 1, answers()), rewards(MOTIF(m=4, k=3), 1, answers())
    assert grpo == motif and len(set(grpo)) > 1
    assert advantages(grpo, 4) == advantages(motif, 4)


def test_grpo_trains_on_one_round_whatever_the_rounds():
    assert GRPO().rounds(3) == 1 and MOTIF().rounds(3) == 3


@pytest.mark.parametrize(("rounds", "branching"), [(1, [8]), (2, [8, 4]), (3, [8, 4, 1]), (5, [8, 4, 1, 1, 1])])
def test_motif_branches_k_times_after_the_first_round_only(rounds, branching):
    assert MOTIF(m=8, k=4).branching(rounds) == branching


def test_a_first_reply_is_worth_the_mean_outcome_of_its_own_k_continuations():
    source = iter(range(10_000))

    def answer(prompt):
        if "round 1 of 2" in prompt:
            return good("useful" if next(source) % 2 else "useless")
        return good("\\boxed{2}" if "useful\n" in prompt else "\\boxed{3}")

    values = rewards(MOTIF(m=4, k=2), 2, answer)
    assert values == [pytest.approx(value) for value in [0.1, 1.1] * 4]


def test_the_outcome_is_a_mean_over_futures_that_differ():
    source = iter([True, False, False, False] * 100)

    def answer(prompt):
        if "round 1 of 2" in prompt:
            return "no form"
        return good("\\boxed{2}" if next(source) else "\\boxed{3}")

    assert rewards(MOTIF(m=2, k=4), 2, answer) == [0.25] * 4


@pytest.mark.parametrize(
    ("algorithm", "bad"),
    [
        (GRPO, {"m": 1}),
        (MOTIF, {"k": 0}),
        (GRPO, {"steps": 0}),
        (MOTIF, {"questions": 1.5}),
        (GRPO, {"micro_batch": 0}),
    ],
)
def test_impossible_numbers_are_refused_by_name(algorithm, bad):
    with pytest.raises(UserError, match="algo." + next(iter(bad))):
        algorithm(**bad)
