"""A run that cannot go well is stopped before its first step; one that can is left exactly as it is."""

import json
import os
import random
import re
import shutil
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.system import config as settings
from motif.system.errors import UserError
from motif.tasks.questions import Question
from motif.training import MOTIF, Flaws, published
from motif.training.preflight import room
from tests.support import ROOT
from tests.support.toys import question, shared

CONF = ROOT / "conf"
PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
SMALL = [
    *("experiment=smoke", "evaluation.questions=8", "evaluation.before=false", "evaluation.rounds=[3]"),
    *("algo.m=2", "algo.steps=2", "tracking=none", "name=x"),
]
TOYS = [question(f"what is {n} and {n}?", str(2 * n)) for n in range(30)]


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


def made(*words):
    return settings.build(compose("config", overrides=["name=x", *words]))


def told(capsys):
    return capsys.readouterr().out


def refused(experiment, policy, questions=TOYS, tests=None, continues=False):
    """The line that stops it."""
    with pytest.raises(UserError) as error:
        experiment.checks(questions, tests or {"toy": TOYS}).check(policy, continues)
    line = str(error.value)
    assert "\n" not in line and line.startswith("preflight: ") and line.endswith("preflight=false goes on regardless")
    return line


def test_the_embedded_default_passes_in_one_line_and_says_what_was_looked_at(policy, capsys):
    experiment = made()
    questions, tests = experiment.questions()
    found = experiment.checks(questions, tests).check(policy)
    assert re.fullmatch(r"preflight: 16 checks passed in \d+\.\d s\n", told(capsys))
    assert len(found["passed"]) == 16 and not found["warnings"] and json.dumps(found)
    assert {probe["probe"]: probe["total"] for probe in found["probes"]}["an empty reply"] == 0
    assert all({"total", "terms", "reply of the last round"} <= set(probe) for probe in found["probes"])
    rounds = found["numbers"]["tokens"]["rounds"]
    assert {(row["for"], row["rounds"], row["round"]) for row in rounds} == {
        ("training", 3, 1), ("training", 3, 2), ("training", 3, 3),
        ("chain", 1, 1), ("chain", 3, 1), ("chain", 3, 2), ("chain", 3, 3),
    }  # fmt: skip
    assert all(row["minimal"] <= row["window"] == 44 for row in rounds)


def test_no_random_number_is_drawn_and_no_weight_touched(policy):
    weights = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    made().checks(TOYS, {"toy": TOYS}).check(policy)
    assert random.getstate() == before[0] and np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert all(torch.equal(weights[name], weight) for name, weight in policy.model.state_dict().items())


@pytest.mark.slow
def test_a_run_is_the_same_with_and_without_it_and_keeps_what_was_found(tmp_path):
    lines = {}
    for word in ("true", "false"):
        config = compose("config", overrides=[*SMALL, f"preflight={word}", f"outputs={tmp_path / word}"])
        settings.build(config).run(settings.resolved(config))
        run = tmp_path / word / "x"
        assert (run / "preflight.json").is_file() == (word == "true")
        kept = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        lines[word] = [{k: v for k, v in line.items() if not re.match("second|step/second|memory", k)} for line in kept]
        lines[word].append((run / "evaluation/trained-chain-r3.jsonl").read_text())
        lines[word].append((run / "policy/model.safetensors").read_bytes())
    assert lines["true"] == lines["false"] and len(lines["true"]) == 4


def test_a_refused_run_leaves_nothing_behind(tmp_path):
    config = compose("config", overrides=[*SMALL, "reward.weights.format=3", f"outputs={tmp_path}/o"])
    with pytest.raises(UserError, match=r"form outweighs a right answer \(reward.weights\)"):
        settings.build(config).run(settings.resolved(config))
    assert not (tmp_path / "o/x").exists()


def dotless(path):
    return float(bool(re.search(r"<reasoning>.*</reasoning>\s*<answer>.*</answer>", path[-1].reply.text)))


def penalised(path):
    text = path[-1].reply.text
    return 0.5 * ("</answer>" in text) - 0.001 * len(text.split("</answer>\n")[-1]) * ("</answer>" in text)


@pytest.mark.parametrize("algo", ["grpo", "motif"])
@pytest.mark.parametrize(
    ("term", "words"),
    [(dotless, "line breaks within the reasoning cost reward"), (penalised, "less than the same without tags")],
)
@pytest.mark.parametrize("on", ["{}", "{format:single_line,tag_count:length_penalty}"])
def test_published_flaws_2_and_3_as_a_reward_of_ones_own_stop_the_run_whatever_flaws_are_on(
    policy, algo, term, words, on
):
    experiment = made(f"algo={algo}", f"flaws={on}")
    reward = replace(experiment.reward, reply={"own": term}, weights={"accuracy": 1.0, "own": 1.0})
    began = time.monotonic()
    line = refused(replace(experiment, reward=reward), policy)
    print(f"stopped in {time.monotonic() - began:.2f} s: {line}")
    assert words in line and "(reward.reply.own)" in line


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("format=single_line", "line breaks within the reasoning cost reward (reward.reply.soft_format)"),
        ("tag_count=length_penalty", "less than the same without tags (reward.reply.tag_count): -0.5"),
        ("grading=substring", "a hack is paid"),
    ],
)
def test_a_flaw_that_was_switched_on_by_name_is_a_warning(policy, capsys, flaw, words):
    experiment = made("reward=as_published", f"flaws.{flaw}")
    found = experiment.checks(TOYS, {"toy": TOYS}).check(policy)
    warning, passed = told(capsys).splitlines()
    assert words in warning and f"flaws that are on: {flaw.split('=')[0]}" in warning and "15 checks passed" in passed
    assert len(found["warnings"]) == 1


def test_a_flaw_hides_no_fault_of_another_kind(policy, capsys):
    """Substring grading finds no bare gold right, so that there is nothing to pay for until it is off."""
    bare = [replace(each, unboxed=True) for each in TOYS]
    experiment = made("flaws.grading=substring")
    assert experiment.checks(bare, {"toy": TOYS}).check(policy)["warnings"] and "golds" in told(capsys)
    experiment = made("flaws.grading=substring", "reward.weights.format=3")
    assert "form outweighs a right answer" in refused(experiment, policy, bare)


def test_the_published_terms_without_the_flaw_being_declared_stop_the_run(policy):
    reward = made("reward=as_published").reward
    term = partial(published.tag_count, penalty="length_penalty")
    experiment = replace(made(), reward=replace(reward, reply={**reward.reply, "tag_count": term}))
    assert "(reward.reply.tag_count)" in refused(experiment, policy)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("data", ["toy", "gsm8k"])
def test_every_preset_passes(preset, data, capsys):
    """With its own rewards, flaws, prompts and windows; on toys, and on real questions with Qwen2.5's tokenizer."""
    experiment, policy = made(f"experiment={preset}"), Tiny().load()
    policy.model.config.max_position_embeddings = 32768  # those of the models that the presets are made for
    questions, tests = TOYS, {"toy": TOYS}
    if data == "gsm8k":
        from transformers import AutoTokenizer

        from motif.tasks.corpus import Corpus

        corpus = Corpus("gsm8k", path=str(shared("gsm8k_train.jsonl").parent), gold="hashes", trainable=True)
        questions, tests = corpus.train(), {"gsm8k": corpus.test()}
        policy = replace(policy, tokenizer=AutoTokenizer.from_pretrained(shared("qwen2.5-tokenizer")))
    found = experiment.checks(questions, tests).check(policy)
    said = told(capsys)
    assert "checks passed" in said and bool(found["warnings"]) == preset.startswith("as_published")


@pytest.mark.parametrize("flaw", [f"{name}:{choices[1]}" for name, choices in published.CHOICES.items()])
def test_every_job_of_the_study_of_flaws_passes(policy, flaw):
    assert made("sweeps=flaws", f"flaws={{{flaw}}}").checks(TOYS, {"toy": TOYS}).check(policy)


def test_golds_that_are_not_graded_right_stop_the_run_whether_trained_on_or_measured(policy):
    bad = [*TOYS[:10], question("open", "{5")]
    assert "1 of 11 golds of chain (training) are not graded right" in refused(made(), policy, bad)
    assert "1 of 11 golds of toy are not graded right" in refused(made(), policy, tests={"toy": bad})
    assert "chain (training) has no questions" in refused(made(), policy, [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "episode.tokens=7",
            "takes 9 tokens with its tags and a round has 7 (episode.tokens; in round 3 of 3, training)",
        ),
        ("episode.later.tokens=4", "a round has 4 (episode.later.tokens; in round 2 of 3, training)"),
        ("evaluation.budget=21", "a round has 7 (evaluation.budget; in round 3 of 3, toy)"),
        ("episode.tokens=4090", "do not fit 4096 (max_position_embeddings of the model; in round 1 of 3, training)"),
        (
            "episode.tokens=2040 episode.carry.tokens=2040",
            "in round 2 of 3, training): lower episode.tokens or episode.carry.tokens",
        ),
        ("episode.tokens=2040 flaws.carry=whole_text", "in round 2 of 3, training)"),
        ("reward.weights.accuracy=0 reward.weights.format=0", "every probe is worth 0, so that no group has spread"),
        ("episode.top_k=1", "replies to a question are all the same"),
        ("episode.temperature=0", "replies to a question are all the same"),
    ],
)
def test_windows_prompts_and_sampling_that_cannot_work_are_named(policy, words, expected):
    assert expected in refused(made(*words.split()), policy)


def test_as_much_is_counted_as_may_be_carried_and_no_more(policy):
    assert made("episode.tokens=1900", "episode.carry.tokens=100").checks(TOYS, {"toy": TOYS}).check(policy)
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


def test_memory_is_that_of_gradients_optimiser_and_copies(policy, monkeypatch):
    found = made().checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]
    weights = sum(weight.numel() for weight in policy.model.parameters())
    assert found["gradients"] == 4 * weights and found["optimiser"] == 8 * weights and found["copies"] == 0
    copies = made("flaws.futures=base").checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]["copies"]
    assert copies == 4 * weights
    lean = made("algo.trainer.optim=adamw_8bit").checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]
    assert lean["optimiser"] == 2 * weights
    monkeypatch.setattr(room, "free_memory", lambda device: 2**20)
    line = refused(made(), policy)
    assert "training needs 11.9 MiB of memory beside the weights (gradients 4.0 MiB, optimiser 8.0 MiB)" in line
    assert "1.0 MiB are free on the CPU" in line and "peft@model.peft=lora" in line


def test_on_a_gpu_the_share_of_a_colocated_engine_is_counted(policy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 2**30, 8 * 2**30))
    model = SimpleNamespace(parameters=policy.model.parameters, device=torch.device("cuda"))
    on_gpu = replace(policy, model=model)
    found, numbers = room.memory(on_gpu, MOTIF(), Flaws(), VLLM(memory=0.3))
    assert numbers["engine"] == int(0.3 * 8 * 2**30) and numbers["free"] == 2 * 2**30
    assert "engine 2.4 GiB" in found.wrong and "2.0 GiB are free on the GPU" in found.wrong
    assert "a lower generation.memory" in found.remedy
    assert not room.memory(on_gpu, MOTIF(), Flaws(), VLLM(memory=0.1))[0].wrong


def test_disk_is_that_of_checkpoints_policy_and_records(policy, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10 * 2**20))
    experiment = made(f"outputs={tmp_path}")
    line = refused(experiment, policy)
    assert "(2 + 1 checkpoints of 11.9 MiB, policy 4.0 MiB, records" in line and "10.0 MiB are free" in line
    assert "lower checkpoint.keep" in line and "choose another outputs=" in line
    (tmp_path / "x/checkpoints").mkdir(parents=True)
    (tmp_path / "x/checkpoints/old").write_bytes(b"0")
    os.truncate(tmp_path / "x/checkpoints/old", 50 * 2**20)  # what the run holds already is not needed again
    assert experiment.checks(TOYS, {"toy": TOYS}).check(policy, continues=True)


def test_a_run_that_continues_is_asked_for_memory_and_disk_alone(policy, monkeypatch, capsys):
    found = made("reward.weights.format=3").checks(TOYS, {"toy": TOYS}).check(policy, continues=True)
    assert found["passed"] == ["memory", "disk"] and "2 checks passed" in told(capsys)
    monkeypatch.setattr(room, "free_memory", lambda device: 0)
    assert "training needs" in refused(made(), policy, continues=True)


def test_what_else_fails_is_named_in_the_same_line(policy):
    line = refused(made("reward.weights.format=3", "episode.tokens=7"), policy)
    assert "form outweighs a right answer" in line
    assert "(2 more: hacks are not paid, a minimal reply fits the window)" in line
