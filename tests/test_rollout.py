"""What TRL is given, without TRL."""

from types import SimpleNamespace

import pytest

from motif.algorithms import MOTIF
from motif.checks import UserError
from motif.compute import Ledger
from motif.episode import Episode
from motif.rewards import Reward, accuracy, format
from motif.rollout import Rollout, advantages
from tests.toys import Words, good, question, says

REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})
QUESTIONS = [question("a"), question("b")]


def rollout(answer=lambda prompt: good("\\boxed{2}"), seeds=None):
    words = Words()
    generate = says(words, answer)

    def watched(talks, sampling):
        if seeds is not None:
            seeds.append(sampling.seed)
        return generate(talks, sampling)

    episode = Episode(rounds=3, tokens=9)
    return Rollout(MOTIF(m=2, k=2), episode, REWARD, QUESTIONS, watched, words, Ledger(), seed=0)


def trainer(step=0, process=0):
    return SimpleNamespace(state=SimpleNamespace(global_step=step), accelerator=SimpleNamespace(process_index=process))


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
    found = advantages([1.0, 0.0, 5.0, 5.0], group=2)
    spread = 0.5**0.5
    assert found == [pytest.approx(0.5 / (spread + 1e-4)), pytest.approx(-0.5 / (spread + 1e-4)), 0.0, 0.0]
    assert advantages([1.0, 0.0], group=2, scale="none") == [0.5, -0.5]


def test_later_rounds_come_from_another_generator_where_there_is_one_and_are_graded_by_whoever_is_given():
    made = rollout(lambda prompt: good("\\boxed{2}"))
    made.futures = says(made.tokenizer, lambda prompt: good("\\boxed{3}"))
    out = made(ids("a", "a"), trainer())
    rounds = {node.round: node.prediction for tree in made.trees for node in tree.nodes()}
    assert rounds == {1: "2", 2: "3", 3: "3"} and out["values"][0]["accuracy"] == 0
    made.marks = lambda trees: [setattr(node, "correct", True) for tree in trees for node in tree.nodes()]
    assert made(ids("a", "a"), trainer())["values"][0]["accuracy"] == 1
