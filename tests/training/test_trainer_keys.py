"""Keys of TRL's configuration that are refused without TRL. Values that need it are in test_trl_config.py."""

import pytest

from motif.system.errors import UserError
from motif.training.trainer_keys import check_keys, check_temperature
from tests.support.experiments import made


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        ({"max_steps": 3}, "algo.trainer.max_steps is set by algo.steps="),
        ({"min_p": 0.1}, "algo.trainer.min_p has no effect here.*see episode.top_p"),
        ({"beta": -1}, "algo.trainer.beta must be a number at least 0, got -1"),
        ({"loss_type": "foo"}, "algo.trainer.loss_type must be one of grpo, .*got 'foo'"),
    ],
)
def test_a_key_or_value_that_cannot_be_is_named(trainer, words):
    with pytest.raises(UserError, match=words):
        check_keys(trainer)


def test_what_may_be_passes():
    check_keys({"beta": 0.0, "max_grad_norm": None, "loss_type": "dapo", "lr_scheduler_type": "cosine"})
    check_temperature(0.7)


@pytest.mark.parametrize("word", ["algo.trainer.beta=-1", "algo.trainer.loss_type=foo", "episode.temperature=0"])
def test_an_experiment_is_refused_when_it_is_built(word):
    with pytest.raises(UserError, match=word.split("=")[0]):
        made(word, "name=x")
