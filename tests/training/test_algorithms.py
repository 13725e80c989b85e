import random

import pytest

from motif.rounds.episode import Episode, grade, grow
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Discounted, LeaveOneOut, Value
from motif.training.rewards import Reward, accuracy, format
from motif.training.rows import group_advantages, return_of
from tests.support.toys import Words, good, question, says

REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})


def grown(algorithm, rounds, answer, **settings):
    """Trees of two questions that a toy policy grows."""
    words = Words()
    rounds = algorithm.rounds(rounds)
    episode = Episode(rounds=rounds, tokens=9, **settings)
    questions = [question("a"), question("b")]
    trees = grow(questions, episode, algorithm.branching(rounds), says(words, answer), words, lambda _: Sampling(9))
    grade(trees)
    return trees


def rewards(algorithm, rounds, answer):
    """What each trained reply is worth in trees that a toy policy grows."""
    rows = [row for tree in grown(algorithm, rounds, answer) for row in algorithm.rows(tree)]
    assert all(row.path[-1].round == 1 for row in rows)
    return [REWARD.total(REWARD.of(row.path, row.continuations)) for row in rows]


def credited(algorithm, tree, reward=REWARD, scale="group"):
    """(trajectory, round, advantage) of the rows of one tree."""
    rows = algorithm.rows(tree)
    returns = [return_of(row, reward.of(row.path, row.continuations), reward) for row in rows]
    (found,) = group_advantages(algorithm, [rows], [returns], scale)
    lines = list(dict.fromkeys(id(row.path[0]) for row in rows))
    return [
        (lines.index(id(row.path[0])), len(row.path), advantage) for row, advantage in zip(rows, found, strict=True)
    ]


def test_motif_with_one_round_is_exactly_grpo():
    def answers():
        source = random.Random(1)
        return lambda prompt: good(source.choice(["\\boxed{2}", "\\boxed{3}", "none"]))

    grpo, motif = rewards(GRPO(m=4), 1, answers()), rewards(MOTIF(m=4, k=3), 1, answers())
    assert grpo == motif and len(set(grpo)) > 1


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


def test_the_outcome_is_a_mean_over_continuations_that_differ():
    source = iter([True, False, False, False] * 100)

    def answer(prompt):
        if "round 1 of 2" in prompt:
            return "no form"
        return good("\\boxed{2}" if next(source) else "\\boxed{3}")

    assert rewards(MOTIF(m=2, k=4), 2, answer) == [0.25] * 4


BARE = Reward(outcome={"accuracy": accuracy}, reply={}, weights={"accuracy": 1.0})


def planted(right):
    """Rounds of 3 in which the n-th first reply is `n`, handed on by every round, and right[n](round, branch) is what
    its episode comes to: answered (True, False) or not yet (None)."""
    count = iter(range(10_000))

    def answer(prompt):
        if "Progress handed over" not in prompt:
            return good(f"{next(count) % len(right)}")
        n, round = int(prompt.split("<progress>\n")[1].split("\n")[0]), int(prompt.split("This is round ")[1][0])
        done = right[n](round)
        return good(f"{n}") if done is None else good(f"\\boxed{{{2 if done else 3}}}")

    return answer


def after(round, *results):
    """Ends in `round` with the results in turn."""
    source = iter(results * 100)
    return lambda now: next(source) if now == round else None


def test_broadcast_gives_every_round_of_a_trajectory_its_outcome():
    answer = planted([after(3, True), after(3, False), after(3, False), after(3, False)])
    tree = grown(Broadcast(m=4), 3, answer)[0]
    found = credited(Broadcast(m=4), tree, BARE)
    assert [(n, t) for n, t, _ in found] == [(n, t) for n in range(4) for t in (1, 2, 3)]
    spread = 0.5 + 1e-4
    assert [a for *_, a in found] == pytest.approx([0.75 / spread] * 3 + [-0.25 / spread] * 9)
    assert [a for *_, a in credited(Broadcast(m=4), tree, BARE, "none")] == [0.75] * 3 + [-0.25] * 9


def test_discounted_is_broadcast_times_gamma_for_each_round_that_follows():
    answer = planted([after(2, True), after(3, False)])
    tree = grown(Broadcast(m=2), 3, answer, stop="answered")[0]
    broadcast, discounted = credited(Broadcast(m=2), tree, BARE), credited(Discounted(m=2, gamma=0.5), tree, BARE)
    assert [(n, t) for n, t, _ in broadcast] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
    factors = [0.5, 1.0, 0.25, 0.5, 1.0]
    assert [a for *_, a in discounted] == pytest.approx([a * f for (*_, a), f in zip(broadcast, factors, strict=True)])
    assert [a for *_, a in credited(Discounted(m=2, gamma=1.0), tree, BARE)] == [a for *_, a in broadcast]


def test_value_pays_the_round_that_changed_the_outlook():
    """m 2, k 2. Of trajectory 0 both continuations of round 1 fail and both of round 2 succeed, as it does itself."""
    algorithm = Value(m=2, k=2)
    assert algorithm.branching(3) == [2, 3, 3]
    tree = grown(algorithm, 3, planted([after(3, True), after(3, False)]))[0]
    zero = tree.roots[0]
    assert [len(zero.children), [len(child.children) for child in zero.children]] == [3, [3, 1, 1]]
    for probe in zero.children[1:]:
        probe.children[0].correct = False
    found = credited(algorithm, tree, BARE, "none")
    # V_1 is 0 of both, so V_0 is 0 of both; round 2 of trajectory 0 brought V to 1
    assert found == [(0, 1, 0.0), (0, 2, 1.0), (0, 3, 0.0), (1, 1, 0.0), (1, 2, 0.0), (1, 3, 0.0)]
    root = (2 * (1 / 3) / 2) ** 0.5  # m/(m−1) times the mean over trajectories of 1/3 and 0
    assert credited(algorithm, tree, BARE)[1] == (0, 2, pytest.approx(1 / (root + 1e-4)))


def test_continuations_that_only_tell_a_value_are_not_trained():
    algorithm = Value(m=2, k=2)
    tree = grown(algorithm, 3, planted([after(3, True), after(3, False)]))[0]
    trained = {id(row.path[-1]) for row in algorithm.rows(tree)}
    assert len(trained) == 6 and len(list(tree.nodes())) == 2 * (3 + 2 * 2 + 2)
    assert all(id(node) not in trained for root in tree.roots for node in root.children[1:])


def test_leave_one_out_is_motifs_value_against_the_others_and_not_divided():
    answer = planted([after(3, True, False), after(3, True), after(3, False)])
    tree = grown(MOTIF(m=3, k=2), 3, answer)[0]
    assert [a for *_, a in credited(LeaveOneOut(m=3, k=2), tree, BARE)] == pytest.approx([0.0, 0.75, -0.75])
    assert all(t == 1 for _, t, _ in credited(LeaveOneOut(m=3, k=2), tree, BARE))


@pytest.mark.parametrize("algorithm", [Broadcast(m=4), Discounted(m=4), Value(m=4, k=2), LeaveOneOut(m=4, k=2)])
def test_a_question_that_all_trajectories_solve_teaches_nothing(algorithm):
    tree = grown(algorithm, 3, planted([after(3, True)]))[0]
    assert [a for *_, a in credited(algorithm, tree)] == pytest.approx([0.0] * len(algorithm.rows(tree)))


@pytest.mark.parametrize("algorithm", [Broadcast(m=4), Discounted(m=4), Value(m=4, k=3), MOTIF(m=4, k=3)])
def test_with_one_round_all_but_leave_one_out_are_grpo(algorithm):
    source = random.Random(1)
    tree = grown(GRPO(m=4), 1, lambda prompt: good(source.choice(["\\boxed{2}", "\\boxed{3}", "none"])))[0]
    grpo = [a for *_, a in credited(GRPO(m=4), tree)]
    assert [a for *_, a in credited(algorithm, tree)] == pytest.approx(grpo, abs=1e-3) and any(grpo)


@pytest.mark.parametrize(
    ("algorithm", "bad"),
    [
        (GRPO, {"m": 1}),
        (MOTIF, {"k": 0}),
        (GRPO, {"steps": 0}),
        (MOTIF, {"questions": 1.5}),
        (GRPO, {"micro_batch": 0}),
        (Value, {"k": 0}),
        (Discounted, {"gamma": 1.5}),
    ],
)
def test_impossible_numbers_are_refused_by_name(algorithm, bad):
    with pytest.raises(UserError, match="algo." + next(iter(bad))):
        algorithm(**bad)
