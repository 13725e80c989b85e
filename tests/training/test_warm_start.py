"""The program: what it leaves can be measured and trained on; what it cannot do is one line."""

import json
import signal
import time
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from motif.evaluation.program import Evaluator
from motif.generation.engines import Transformers
from motif.policies.policy import Policy
from motif.policies.pretrained import Pretrained
from motif.rounds import Episode
from motif.rounds.prompts import Prompts
from motif.runs.folder import Run
from motif.system import config as settings
from motif.system.errors import UserError
from motif.tasks.stories import Stories
from motif.training.warm_start import WarmStart
from tests.support import ROOT
from tests.support.toys import random_qwen
from tests.support.training import untimed, weights

STORIES = Stories(longest=2, train_size=30, validation_size=6, test_size=6)
EPISODE = Episode(2, 120, prompts=Prompts(wording="countdown"))
LORA = {"r": 4, "target_modules": ["q_proj"]}
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


def test_adapters_stay_adapters_that_fresh_ones_are_trained_on(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["warm_start", "steps=2", "episode.tokens=44", "dataset.path=a b"])
    lora = Pretrained(str(folder), dtype="float32", peft=LORA)
    warm(folder, tmp_path, model=lora, held_out=0, steps=2).run(CONFIG)
    place = tmp_path / "warm/policy"
    assert (place / "adapter_model.safetensors").is_file() and not (place / "model.safetensors").exists()
    settings = "dataset=stories rounds=2 peft@model.peft=lora episode.tokens=44 'dataset.path=a b'"
    assert f"model=local model.path={place} {settings}\n" in capsys.readouterr().out
    again = Pretrained(str(place), dtype="float32", peft=LORA).load()
    fresh = [weight for name, weight in again.model.named_parameters() if "lora_B" in name]
    assert fresh and not any(weight.any() for weight in fresh)
    assert weights(Policy(again.model.unload(), again.tokenizer)) != weights(random_qwen())


class Unsolved(Stories):
    def train(self):
        return [replace(question, solution=()) for question in STORIES.train()]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": Unsolved()}, "dataset=stories has no worked solutions to imitate: take gsm8k"),
        ({"episode": Episode(2, 10)}, "none of the 30 worked solutions fits"),
        ({"episode": Episode(2, 120)}, "tokens of a prompt with its reply do not fit the model's 512 positions"),
        ({"micro_batch": 3}, "micro_batch=3 must divide batch=4"),
        ({"whole": 2}, "whole must be"),
        ({"steps": 0}, "steps must be"),
        ({"name": "a/b"}, "name must be"),
        ({"overwrite": "maybe"}, "overwrite must be one of True, False, got 'maybe'"),
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
        "episode": replace(EPISODE, tokens=44),
        "held_out": 0,
        "steps": 9,
    }
    summary = warm(folder, tmp_path, **changes).run(CONFIG)
    window = "rounds=2 with 88 tokens in all"
    count = summary["left_out"][window]
    assert 0 < count < 30 and f"{count} of 30 worked solutions do not fit {window}" in capsys.readouterr().out


def test_worked_examples_stand_in_the_prompts_that_are_imitated(folder, tmp_path):
    policy, stories = random_qwen(), Stories(longest=1, train_size=8, validation_size=2, test_size=2)
    shown = replace(EPISODE, prompts=Prompts(wording="countdown", examples=1))
    program = warm(folder, tmp_path, dataset=stories, episode=shown, steps=2, batch=3, held_out=1)
    rows, held_out, _ = program.demonstrations(policy, stories.train(), stories.validation())
    assert len(rows) == 6 and len(held_out) == 1
    for row in (*rows, *held_out):
        assert policy.tokenizer.decode(row.prompt).count("<reasoning>") == 1


def test_the_program_composes_and_builds():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        made = settings.build(compose("warm_start", overrides=["dataset=stories", "rounds=2"]))
    assert (made.name, made.episode.rounds, made.episode.tokens) == ("warm-stories-smollm2-135m-r2-s0", 2, 36)


def test_a_warm_start_that_sigkill_ends_goes_on_with_the_same_command_to_the_same_weights(folder, tmp_path, forks):
    words = ["model=local", f"model.path={folder}", "model.dtype=float32", "peft@model.peft=lora", "model.peft.r=4"]
    words += ["model.wording=countdown", "model.gradient_checkpointing=false", "dataset=chain", "dataset.longest=4"]
    words += ["dataset.train_size=20", "dataset.test_size=4", "dataset.validation_size=4", "rounds=2", "name=warm"]
    words += ["episode.tokens=60", "steps=40", "batch=2", "held_out=2", "checkpoint.every=8", "outputs=outputs"]

    def begun(place):
        (tmp_path / place).mkdir(exist_ok=True)
        return forks.begin("motif.warm_start", tmp_path / place, *words)

    status, said = begun("calm").wait()
    assert status == 0, said
    killed, run, calm = begun("killed"), Run(tmp_path / "killed/outputs/warm"), Run(tmp_path / "calm/outputs/warm")
    deadline = time.monotonic() + 100
    while not (run.checkpoints / "checkpoint-8").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.signal(signal.SIGKILL)
    assert killed.wait()[0] == -signal.SIGKILL and not run.summary()
    id, before = run.id, [line for line in run.metrics() if line["step"] <= 8]
    status, said = begun("killed").wait()
    assert status == 0, said
    assert run.id == id and run.metrics()[: len(before)] == before  # times too: what was done is not done again
    assert untimed(run.metrics()) == untimed(calm.metrics()) and run.summary()["steps"] == 40
    adapters = [(each.policy / "adapter_model.safetensors").read_bytes() for each in (run, calm)]
    assert adapters[0] == adapters[1]
    assert len(json.loads((run.folder / "environment.json").read_text())["earlier"]) == 1
