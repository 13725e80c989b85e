"""Every key is checked by what takes it, and every mistake is one line that names it."""

import re

import pytest
from omegaconf import OmegaConf

from motif.experiment import Experiment
from motif.system import config
from motif.system.errors import UserError
from tests.support.experiments import composed, made


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("episode.temperature=-1", "temperature must be"),
        ("episode.carry.missing=all", "episode.carry.missing must be one of none, tail, whole, got 'all'"),
        ("episode.prompts.answer='a b'", "episode.prompts.answer must be"),
        ("reward.weights.format=.nan", "reward.weights.format must be"),
        ("+reward.weights.length=1", "reward.weights must name each of"),
        ("+algo.kk=3", "unknown key algo.kk"),
        ("+episode.carry.token=3", "unknown key episode.carry.token, did you mean tokens"),
        ("+reward.reply.format.strict=true", "unknown key reward.reply.format.strict"),
        ("+seeed=7", "unknown key seeed, did you mean seed"),
        ("model=local", "model.path"),
        ("dataset.modulus=1", "dataset.modulus must be"),
        ("dataset.path=x", "dataset.path is not for dataset=chain"),
        ("evaluation.questions=0", "evaluation.questions must be"),
        ("checkpoint.every=0", "checkpoint.every must be"),
        ("record.questions=-1", "record.questions must be"),
        ("tracking.mode=loud", "tracking.mode must be one of"),
        ("generation.cache_gib=0", "generation.cache_gib must be"),
        ("guard.tolerance=0", "guard.tolerance must be"),
        ("budget.tokens=0", "budget.tokens must be"),
        ("+budget.token=9", "unknown key budget.token, did you mean tokens"),
        ("budget.on=steps", "budget.on must be one of tokens, responses, questions, flops, seconds"),
        ("guard=3", "guard must be a group of settings"),
        ("preflight=maybe", "preflight must be true or false"),
        ("name=a/b", "name must be"),
        ("name=../x", "name must be"),
        ("episode.rounds=5", "episode.rounds is set by rounds"),
        ("model._target_=motif.policies.tiny.Nothing", "model._target_"),
        ("model.useful_replies=2", "model.useful_replies"),
        ("seed=${nothing}", "nothing"),
        ("checkpoint=3", "checkpoint must be a group of settings"),
        ("algo.trainer=3", "algo.trainer must be a group of settings"),
        ("episode.later=x", "episode.later must be a group of settings"),
        ("reward.weights=1", "reward.weights must be a group of settings"),
    ],
)
def test_a_bad_value_is_refused_by_name_before_anything_is_loaded(override, words):
    with pytest.raises(UserError, match=words) as error:
        made(override)
    assert "\n" not in str(error.value)


def test_what_has_no_value_and_what_points_nowhere_is_named():
    with pytest.raises(UserError, match=re.escape("a.b has no value: give it as a.b=VALUE")):
        config.resolved(OmegaConf.create({"a": {"b": "???"}}))
    with pytest.raises(UserError, match="^a: .*nowhere") as error:
        config.resolved(OmegaConf.create({"a": "${nowhere}"}))
    assert "\n" not in str(error.value)


def test_a_key_is_held_against_the_class_that_its_node_names_also_within_lists():
    known = "motif.runs.checkpoints.Checkpoints"
    for node, place in (
        ({"_target_": known, "evry": 1}, "evry, did you mean every"),
        ({"inner": [{"_target_": known}, {"_target_": known, "evry": 1}]}, r"inner\[1\].evry, did you mean every"),
    ):
        with pytest.raises(UserError, match=f"unknown key {place}"):
            config.check_keys(node)
    with pytest.raises(UserError, match="^inner._target_: "):
        config.check_keys({"inner": {"_target_": "motif.runs.checkpoints.Nothing"}})
    with pytest.raises(UserError, match="^config._target_: 'nowhere.f' is not found: .* PYTHONPATH names$"):
        config.check_keys({"_target_": "nowhere.f"})
    config.check_keys({"_target_": known, "every": 1, "_partial_": True})


def test_the_experiment_of_a_recorded_configuration_is_the_one_that_was_built():
    plain = composed("rounds=2", "algo.k=4")
    again = config.rebuilt(plain)
    assert isinstance(again, Experiment) and again.folder == made("rounds=2", "algo.k=4").folder
    assert (again.rounds, again.algo.k, again.episode) == (2, 4, made("rounds=2", "algo.k=4").episode)


@pytest.mark.parametrize("recorded", [{}, {"rounds": 3}, [1], "rounds"])
def test_a_configuration_that_holds_no_experiment_is_refused(recorded):
    with pytest.raises(UserError, match="it holds no experiment"):
        config.rebuilt(recorded)
