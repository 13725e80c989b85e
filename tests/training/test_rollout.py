"""What TRL is given, without TRL."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from motif.rounds.episode import Episode
from motif.runs.ledger import Ledger
from motif.system.errors import UserError
from motif.training.advantages import Return
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Row, Value
from motif.training.rewards import Reward, accuracy, format
from motif.training.rollout import Rollout, group_advantages
from tests.support.toys import Words, good, question, says

REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})
QUESTIONS = [question("a"), question("b")]


def rollout(answer=lambda prompt: good("\\boxed{2}"), seeds=None, algorithm=None, **settings):
    words = Words()
    generate = says(words, answer)

    def watched(talks, sampling):
        if seeds is not None:
            seeds.append(sampling.seed)
        return generate(talks, sampling)

    episode = Episode(rounds=3, tokens=9, **settings)
    return Rollout(
        algorithm or MOTIF(m=2, k=2), episode, REWARD, QUESTIONS, lambda trainer: watched, words, Ledger(), seed=0
    )


def trainer(step=0, process=0):
    return Mock(state=SimpleNamespace(global_step=step), accelerator=SimpleNamespace(process_index=process))


def ids(*texts):
    return [f"toy-{text}" for text in texts]


def test_a_row_is_a_first_round_reply_in_the_order_of_the_prompts():
    made = rollout(lambda prompt: good("from-" + ("a" if "Problem:\na" in prompt else "b")))
    out = made(ids("b", "b", "a", "a"), trainer())
    assert len(out["prompt_ids"]) == len(out["completion_ids"]) == len(out["values"]) == 4
    texts = [made.tokenizer.decode(row) for row in out["completion_ids"]]
    assert ["from-b" in text for text in texts] == [True, True, False, False]
    assert all(values == {"accuracy": 0.0, "format": 1.0} for values in out["values"])


def test_the_reward_functions_give_the_terms_back_and_report_the_steps_metrics_once():
    made, told = rollout(), []
    out = made(ids("a", "a"), trainer())
    functions = made.reward_functions()
    assert [function.__name__ for function in functions] == ["accuracy", "format"]
    given = [function(values=out["values"], log_metric=lambda *pair: told.append(pair)) for function in functions]
    assert given == [[1.0, 1.0], [1.0, 1.0]]
    names = [name for name, _ in told]
    assert len(names) == len(set(names)) and dict(told)["accuracy"] == 1.0 and dict(told)["zero_spread"] == 1.0


def test_random_numbers_differ_by_step_process_and_round_and_come_again():
    def drawn(**place):
        seeds = []
        rollout(seeds=seeds)(ids("a", "a"), trainer(**place))
        return tuple(seeds)

    runs = [drawn(), drawn(step=1), drawn(process=1)]
    assert len({seed for run in runs for seed in run}) == 9 and drawn(step=1) == runs[1]


def test_a_large_seed_is_a_seed_too():
    seeds = []
    made = rollout(seeds=seeds)
    made.seed = 2**31 - 1
    made(ids("a", "a"), trainer(step=10**6))
    assert all(0 <= seed < 2**63 for seed in seeds) and len(set(seeds)) == 3


def test_a_group_spread_over_processes_is_refused():
    with pytest.raises(UserError, match="algo.questions"):
        rollout()(ids("a", "b"), trainer())


def test_advantages_are_deviations_from_the_own_group():
    groups = [[1.0, 0.0], [5.0, 5.0]]
    returns = [[Return(value, 0.0, place) for place, value in enumerate(group)] for group in groups]
    rows = [[Row((), [])] * 2] * 2
    own, every = 0.5**0.5 + 1e-4, (sum((value - 2.75) ** 2 for value in (1, 0, 5, 5)) / 3) ** 0.5 + 1e-4
    assert group_advantages(GRPO(), rows, returns) == [pytest.approx([0.5 / own, -0.5 / own]), [0.0, 0.0]]
    assert group_advantages(GRPO(), rows, returns, "none") == [[0.5, -0.5], [0.0, 0.0]]
    assert group_advantages(GRPO(), rows, returns, "batch")[0] == pytest.approx([0.5 / every, -0.5 / every])


def test_every_round_is_a_row_and_what_ended_early_is_filled_up_without_weight():
    def answer(prompt):
        early = "Problem:\na" in prompt and "This is round 2" in prompt
        return good("\\boxed{2}") if early or "This is round 3" in prompt else good("further")

    made = rollout(answer, algorithm=Broadcast(m=2), stop="answered")
    out = made(ids(*"aaaaaabbbbbb"), trainer())
    texts = [made.tokenizer.decode(row) for row in out["completion_ids"]]
    real = ["further" in text or "boxed" in text for text in texts]
    assert [len(set(mask)) == 1 and mask[0] for mask in out["env_mask"]] == [1, 1, 1, 1, 0, 0, *[1] * 6]
    assert real[:4] == [True] * 4 and len(texts) == 12
    assert all(len(mask) == len(row) for mask, row in zip(out["env_mask"], out["completion_ids"], strict=True))
    assert [bool(values) for values in out["values"]] == [True] * 4 + [False] * 2 + [True] * 6
    given = made.reward_functions()[0](values=out["values"], log_metric=lambda *_: None)
    assert given == [1.0] * 4 + [None] * 2 + [1.0] * 6
    assert len(made.trained) == 10 and made.advantages[4:6] == [0.0, 0.0]


def test_a_trajectory_of_fewer_rounds_weighs_as_much_as_a_longer_one():
    """One ends in round 1 and is right, one takes three rounds and is wrong."""
    first = iter([True, False])

    def answer(prompt):
        if "This is round 1" in prompt:
            return good("\\boxed{2}" if next(first) else "further")
        return good("\\boxed{3}" if "This is round 3" in prompt else "further")

    made = rollout(answer, algorithm=Broadcast(m=2), stop="answered")
    made(ids(*"aaaaaa"), trainer())
    right, wrong = made.advantages[0], made.advantages[1:4]
    assert made.advantages[4:] == [0.0, 0.0] and right == pytest.approx(-sum(wrong), abs=1e-6) and right > 0
    noted = [made.notes[id(node)]["advantage"] for node in made.trees[0].nodes() if id(node) in made.notes]
    assert sorted(noted) == pytest.approx([-right / 3] * 3 + [right / 3])  # what each got, before its weight


def test_trl_makes_the_advantages_of_grpo_and_motif_and_no_others():
    made = rollout()
    made(ids("a", "a"), trainer())
    assert made.advantages is None
    for algorithm in (Broadcast(m=2), Value(m=2, k=1)):
        made = rollout(algorithm=algorithm)
        out = made(ids(*"aaaaaa"), trainer())
        assert len(made.advantages) == 6 and "env_mask" not in out


def test_later_rounds_come_from_another_generator_where_there_is_one_and_are_graded_by_whoever_is_given():
    made = rollout(lambda prompt: good("\\boxed{2}"))
    made.continuations = says(made.tokenizer, lambda prompt: good("\\boxed{3}"))
    out = made(ids("a", "a"), trainer())
    rounds = {node.round: node.prediction for tree in made.trees for node in tree.nodes()}
    assert rounds == {1: "2", 2: "3", 3: "3"} and out["values"][0]["accuracy"] == 0
    made.marks = lambda trees: [setattr(node, "correct", True) for tree in trees for node in tree.nodes()]
    assert made(ids("a", "a"), trainer())["values"][0]["accuracy"] == 1
