"""The shortest reply and the longest prompt are held against windows and context, round by round."""

from dataclasses import replace

import pytest

from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.tasks.questions import Question
from motif.training.preflight.windows import minimal, positions, window_key
from tests.support.experiments import TOYS, made, refused
from tests.support.toys import question


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


def test_as_much_is_counted_as_may_be_carried_and_no_more(policy):
    assert (
        made("episode.tokens=1900", "episode.carry.tokens=100", "evaluation.budget=null")
        .checks(TOYS, {"toy": TOYS})
        .check(policy)
    )
    found = made("episode.tokens=100").checks(TOYS, {"toy": TOYS}).check(policy)
    by_round = {row["round"]: row["prompt"] for row in found["numbers"]["tokens"]["rounds"] if row["for"] == "training"}
    assert 100 < by_round[2] - by_round[1] < 105, "the window of the round before, its tags"


def test_the_longest_question_decides(policy):
    long = Question("toy-long", "x" * 4080, "1")
    assert "(toy-long)" in refused(made(), policy, [*TOYS, long])
    assert "(toy-long)" in refused(made(), policy, tests={"toy": [long, *TOYS]})


def test_an_engines_own_bound_counts(policy):
    experiment = replace(made(), generation=VLLM(max_length=60))
    assert "do not fit 60 (generation.max_length" in refused(experiment, policy)


def test_the_shortest_reply_is_its_tags_and_an_answer_and_in_the_last_round_nearly_all_golds(policy):
    episode = Episode(rounds=2, tokens=44, prompts=Prompts(wording="countdown"))
    tags = ["<reasoning>", "</reasoning>", "<answer>", "</answer>"]
    least = sum(map(len, policy.tokenizer(tags, add_special_tokens=False)["input_ids"])) + 1
    assert minimal(episode, 1, TOYS, policy.tokenizer) == least + 1
    short, long = [question(str(n), "7") for n in range(200)], question("long", "1" * 500)
    assert minimal(episode, 2, short, policy.tokenizer) == minimal(episode, 2, [*short, long], policy.tokenizer)
    assert minimal(episode, 2, [long], policy.tokenizer) > least + 500


def test_the_setting_that_makes_a_window_is_named(policy):
    plain, later = Episode(rounds=3, tokens=44), Episode(rounds=3, tokens=44, later={"tokens": 20})
    assert window_key("training", plain, 3, budgeted=True) == "episode.tokens"
    assert [window_key("training", later, round, budgeted=False) for round in (1, 2)] == [
        "episode.tokens", "episode.later.tokens"
    ]  # fmt: skip
    assert window_key("chain", later, 2, budgeted=True) == "evaluation.budget"


def test_the_context_is_the_smaller_of_the_models_and_the_engines(policy):
    assert positions(VLLM(), policy) == (4096, "max_position_embeddings of the model")
    assert positions(VLLM(max_length=60), policy) == (60, "generation.max_length")
