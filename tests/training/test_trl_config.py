"""What TRL is told, and what it is not told by a person."""

import pytest

from motif.rounds.episode import Episode
from motif.runs.checkpoints import Checkpoints
from motif.system.errors import UserError
from motif.training.algorithms import GRPO, MOTIF, Broadcast
from motif.training.trl_config import trainer_arguments
from tests.support.training import EPISODE, REWARD, TRAINER, small


def told(algorithm, folder, episode=EPISODE):
    return trainer_arguments(algorithm, episode, REWARD, 0, folder, Checkpoints())


def test_a_step_is_all_its_trained_replies_in_as_many_parts_as_the_micro_batch_makes(tmp_path):
    whole, parts = (told(small(MOTIF, micro_batch=size), tmp_path) for size in (None, 2))
    assert (whole.per_device_train_batch_size, whole.gradient_accumulation_steps, whole.num_generations) == (8, 1, 4)
    assert (parts.per_device_train_batch_size, parts.gradient_accumulation_steps) == (2, 4)
    rounds = told(small(Broadcast), tmp_path)  # which trains the replies of all rounds
    assert (rounds.per_device_train_batch_size, rounds.num_generations) == (24, 12)


def test_sampling_reward_weights_and_the_trainers_own_keys_are_passed_on(tmp_path):
    found = told(small(GRPO, trainer={**TRAINER, "beta": 0.25, "epsilon_high": None}), tmp_path)
    assert (found.temperature, found.max_completion_length, found.seed) == (1.5, 44, 0)
    assert found.reward_weights == [1.0, 0.1] and found.beta == 0.25 and found.report_to in ("none", [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trainer": {"learning_rte": 1.0}}, "did you mean learning_rate"),
        ({"trainer": {"max_steps": 3}}, "is set by algo.steps="),
        ({"trainer": {"use_vllm": True}}, "is set by generation="),
        ({"trainer": {"vllm_mode": "server"}}, "is set by generation.mode="),
        ({"micro_batch": 3}, "algo.micro_batch=3"),
        ({"trainer": {"loss_type": "gspo"}}, "algo.trainer.loss_type must be one of grpo, .*got 'gspo'"),
        ({"trainer": {"beta": "x"}}, "algo.trainer.beta must be a number"),
        ({"trainer": {"learning_rate": float("nan")}}, "algo.trainer.learning_rate must be a number"),
        ({"trainer": {"optim": "no such"}}, "algo.trainer: "),
        ({"trainer": {"optim_args": "x"}}, "algo.trainer: "),
        ({"trainer": {"adam_beta1": 1.5}}, "algo.trainer: .*1.5"),
        ({"trainer": {"lr_scheduler_kwargs": {"x": 1}}}, "algo.trainer: .*'x'"),
        ({"trainer": {"parallelism_config": {"x": 1}}}, "algo.trainer: "),
        ({"trainer": {"bf16": 7}}, "algo.trainer.bf16 must be one of True, False, got 7"),
        ({"trainer": {"mask_truncated_completions": 3}}, "algo.trainer.mask_truncated_completions must be one of"),
        ({"trainer": {"disable_dropout": 3}}, "algo.trainer.disable_dropout must be one of"),
        ({"trainer": {"push_to_hub": True}}, "is set by tracking.artifact="),
        ({"trainer": {"use_liger_kernel": True}}, "algo.trainer.use_liger_kernel has no effect here"),
    ],
)
def test_bad_trainer_arguments_are_refused_in_a_line(tmp_path, settings, words):
    with pytest.raises(UserError, match=words) as error:
        trainer_arguments(small(GRPO, **settings), EPISODE, REWARD, 0, tmp_path, Checkpoints())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_p", 0.1),
        ("repetition_penalty", 1.2),
        ("generation_kwargs", {"min_p": 0.1}),
        ("chat_template_kwargs", {"enable_thinking": False}),
        ("cache_implementation", "static"),
        ("multi_objective_aggregation", "normalize_then_sum"),
    ],
)
def test_a_setting_that_would_have_no_effect_is_refused_by_name(tmp_path, key, value):
    with pytest.raises(UserError, match=f"algo.trainer.{key} has no effect here") as error:
        told(small(GRPO, trainer={key: value}), tmp_path)
    assert "; see " in str(error.value)


def test_greedy_training_is_refused(tmp_path):
    with pytest.raises(UserError, match="temperature must be above 0"):
        trainer_arguments(small(GRPO), Episode(rounds=1, tokens=9, temperature=0.0), REWARD, 0, tmp_path, Checkpoints())
