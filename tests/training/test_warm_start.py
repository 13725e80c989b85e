"""The program: what it leaves can be measured and trained on; what it cannot do is one line."""

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from motif.evaluation.program import Evaluator
from motif.generation.engines import Transformers
from motif.policies.pretrained import Pretrained
from motif.rounds import Episode
from motif.rounds.prompts import Prompts
from motif.system import config as settings
from motif.system.errors import UserError
from motif.tasks.chain import Chain
from motif.tasks.stories import Stories
from motif.training.warm_start import WarmStart
from tests.support import ROOT
from tests.support.toys import random_qwen
from tests.support.training import weights

STORIES = Stories(longest=2, train_size=30, validation_size=6, test_size=6)
EPISODE = Episode(2, 120, prompts=Prompts(wording="countdown"))
CONFIG = {"model": {}, "episode": {}, "rounds": 2, "steps": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    policy = random_qwen()
    policy.model.save_pretrained(place)
    policy.tokenizer.save_pretrained(place)
    return place


def warm(folder, tmp_path, **changes):
    chosen = {"model": Pretrained(str(folder), dtype="float32"), "dataset": STORIES, "episode": EPISODE, "rounds": 2}
    chosen |= {"steps": 3, "batch": 4, "held_out": 4, "name": "warm", "outputs": str(tmp_path)}
    return WarmStart(**{**chosen, **changes})


def test_a_warm_start_leaves_a_policy_that_is_measured_and_trained_on_and_is_not_redone(folder, tmp_path, capsys):
    summary = warm(folder, tmp_path).run(CONFIG)
    place = tmp_path / "warm"
    assert summary["demonstrations"] == 12 and summary["whole"] == 0.5 and summary["tokens"]["replies"] > 0
    assert len([line for line in summary["curve"] if "train/loss" in line]) == 3 and summary["held_out"]
    assert not (place / "checkpoints").exists()
    measured = Evaluator(str(place), STORIES, replace(EPISODE, tokens=8), Transformers(), rounds=2, questions=2).run()
    assert measured["n"] == 2
    trained = Pretrained(str(place / "policy")).load()
    assert weights(trained) != weights(random_qwen())
    capsys.readouterr()
    assert warm(folder, tmp_path).run(CONFIG)["curve"] == summary["curve"]
    said = capsys.readouterr().out
    assert "is finished already" in said and f"policy={place}" in said and f"model.path={place}/policy" in said


def test_adapters_are_merged_so_that_the_folder_is_a_model(folder, tmp_path):
    lora = Pretrained(str(folder), dtype="float32", peft={"r": 4, "target_modules": ["q_proj"]})
    warm(folder, tmp_path, model=lora, held_out=0, steps=2).run(CONFIG)
    place = tmp_path / "warm/policy"
    assert (place / "model.safetensors").is_file() and not (place / "adapter_config.json").exists()
    assert not hasattr(Pretrained(str(place)).load().model, "peft_config")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": Chain(train_size=8, test_size=8)}, "dataset=chain has no worked solutions to imitate: take gsm8k"),
        ({"episode": Episode(2, 10)}, "none of the 30 worked solutions fits"),
        ({"episode": Episode(2, 120)}, "tokens of a prompt with its reply do not fit the model's 512 positions"),
        ({"micro_batch": 3}, "micro_batch=3 must divide batch=4"),
        ({"whole": 2}, "whole must be"),
        ({"steps": 0}, "steps must be"),
        ({"name": "a/b"}, "name must be"),
        ({"model": Pretrained("x", quantization="4bit", peft={"r": 4})}, "model.quantization must be null"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_done_is_one_line_and_leaves_no_folder(folder, tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        warm(folder, tmp_path, **changes).run(CONFIG)
    assert not (tmp_path / "warm").exists()


def test_solutions_that_do_not_fit_are_counted_and_said(folder, tmp_path, capsys):
    changes = {
        "dataset": replace(STORIES, longest=6),
        "episode": replace(EPISODE, tokens=90),
        "held_out": 0,
        "steps": 9,
    }
    summary = warm(folder, tmp_path, **changes).run(CONFIG)
    ((windows, count),) = [each for each in summary["left_out"].items() if "2 rounds" in each[0]]
    assert windows == "2 rounds of 90 tokens" and 0 < count < 30
    assert f"{count} of 30 worked solutions do not fit {windows}" in capsys.readouterr().out


def test_the_program_composes_and_builds():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        made = settings.build(compose("warm_start", overrides=["dataset=stories", "rounds=2"]))
    assert (made.name, made.episode.rounds, made.episode.tokens) == ("warm-stories-qwen2.5-0.5b-r2-s0", 2, 112)
