"""What follows from the choices of an experiment before anything is loaded."""

import pytest

from motif.system.errors import UserError
from tests.support.experiments import TOYS, made


def test_the_choices_reach_each_other():
    experiment = made("rounds=4", "model=local", "model.path=x", "algo=grpo")
    assert experiment.episode.rounds == 4
    assert experiment.episode.prompts.wording == "full"
    assert experiment.algo.trainer["learning_rate"] == experiment.model.learning_rate
    assert experiment.evaluated_rounds() == [1, 4]


def test_the_tiny_model_follows_the_settings_of_the_chain():
    experiment = made("dataset.modulus=7", "dataset.longest=5", "model.longest=6")
    assert experiment.model.task().modulus == 7 and experiment.model.task().longest == 6


def test_the_folder_is_the_name_within_outputs():
    assert str(made("outputs=a/b").folder) == "a/b/x"


@pytest.mark.parametrize(
    ("words", "rounds"),
    [
        (["rounds=3"], {"base": [1, 3], "trained": [1, 3]}),
        (["rounds=1"], {"base": [1], "trained": [1]}),
        (["rounds=3", "evaluation.rounds=[4,2,4]"], {"base": [2, 4], "trained": [2, 4]}),
        (["rounds=3", "flaws.evaluation_budget=unequal"], {"base": [1], "trained": [3]}),
        (["rounds=3", "flaws.evaluation_budget=unequal", "algo=grpo"], {"base": [1], "trained": [1]}),
    ],
)
def test_both_policies_are_measured_in_the_same_rounds_but_for_the_published_flaw(words, rounds):
    experiment = made(*words)
    assert {policy: experiment.evaluated_rounds(policy) for policy in rounds} == rounds


def test_an_evaluation_has_the_budget_that_is_asked_for_in_any_number_of_rounds():
    experiment = made("rounds=3", "evaluation.budget=120")
    assert [experiment.measured("trained", "chain", rounds).budget() for rounds in (1, 2, 3)] == [120] * 3
    assert experiment.training_episode.budget() == 3 * 44


def test_of_every_measurement_of_both_policies_there_is_one():
    asked = made("rounds=3").measurements("base", {"one": TOYS, "two": TOYS[:3]})
    assert [(each.dataset, each.episode.rounds, len(each.questions)) for each in asked] == [
        ("one", 1, 30), ("one", 3, 30), ("two", 1, 3), ("two", 3, 3)
    ]  # fmt: skip


def test_preflight_looks_at_the_training_and_once_at_each_way_of_measuring():
    plans = made("rounds=3").checks(TOYS, {"toy": TOYS}).plans
    assert [(plan.purpose, plan.episode.rounds) for plan in plans] == [("training", 3), ("toy", 1), ("toy", 3)]
    assert len(made("rounds=3", "evaluation.rounds=[2]").checks(TOYS, {"toy": TOYS}).plans) == 2


def test_an_algorithm_of_one_round_is_trained_in_an_episode_of_one():
    assert made("algo=grpo", "rounds=3").training_episode.rounds == 1
    assert made("algo=motif", "rounds=3").training_episode.rounds == 3


def test_test_questions_are_held_back_from_training():
    experiment = made("dataset.train_size=64", "dataset.test_size=32", "evaluation.questions=8")
    training, tests = experiment.questions()
    assert list(tests) == ["chain"] and len(tests["chain"]) == 8
    assert not {question.text for question in training} & {question.text for question in experiment.dataset.test()}
    with pytest.raises(UserError, match="evaluation set"):
        made("dataset=math500", "dataset.path=nowhere").questions()


@pytest.mark.parametrize("algo", ["broadcast", "discounted", "value"])
def test_another_temperature_of_later_rounds_is_refused_where_they_are_trained(algo):
    hotter = "episode.later.temperature=1.5"
    with pytest.raises(UserError, match=f"later.temperature=1.5 is of rounds that algo={algo} trains"):
        made(f"algo={algo}", "rounds=3", hotter)
    assert made(f"algo={algo}", "rounds=1", hotter) and made("algo=motif", "rounds=3", hotter)
    assert made(f"algo={algo}", "rounds=3", "episode.later.temperature=1.0")


@pytest.mark.parametrize("cut", ["episode.top_p=0.9", "episode.top_k=20"])
def test_vllm_that_cuts_the_distribution_is_refused_in_trained_rounds(cut):
    with pytest.raises(UserError, match="log-probabilities of what top_p and top_k leave"):
        made("generation=vllm", cut)
    assert made(cut)  # generation=transformers has the policy's own
    later = cut.replace("episode.", "episode.later.")
    assert made("generation=vllm", later, "algo=motif")  # its later rounds are not trained
    with pytest.raises(UserError, match="set episode.top_p=1 episode.top_k=0"):
        made("generation=vllm", later, "algo=broadcast")


@pytest.mark.parametrize(
    ("words", "variables", "what"),
    [
        (["+algo.trainer.fsdp=full_shard"], {}, "algo.trainer.fsdp"),
        (["+algo.trainer.deepspeed=zero3.json"], {}, "algo.trainer.deepspeed"),
        ([], {"ACCELERATE_USE_FSDP": "true"}, "ACCELERATE_USE_FSDP"),
        ([], {"ACCELERATE_USE_DEEPSPEED": "true"}, "ACCELERATE_USE_DEEPSPEED"),
    ],
)
def test_weights_that_are_divided_among_processes_are_refused_where_they_are_needed_whole(
    monkeypatch, words, variables, what
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for engine in ("transformers", "vllm"):
        with pytest.raises(UserError, match=f"^{what} divides the weights among processes, and decoding, the guard"):
            made(*words, f"generation={engine}")


def test_weights_that_accelerate_was_told_to_leave_whole_are_whole(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    assert made("+algo.trainer.fsdp=null").generation.name == "transformers"
