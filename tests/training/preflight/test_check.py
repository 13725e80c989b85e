"""A run that cannot go well is stopped before its first step; one that can is left exactly as it is."""

import json
import random
import re
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from motif.policies.tiny import Tiny
from motif.system.errors import UserError
from motif.training import published
from motif.training.preflight import room
from tests.support import thinned
from tests.support.experiments import PRESETS, TOYS, composed, made, refused
from tests.support.templates import policy_of
from tests.support.toys import question, shared
from tests.support.training import untimed

SMALL = [
    *("experiment=smoke", "evaluation.questions=8", "evaluation.before=false", "evaluation.rounds=[3]"),
    *("algo.m=2", "algo.steps=2", "tracking=none"),
]


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


def told(capsys):
    return capsys.readouterr().out


def test_what_the_template_makes_of_thoughts_is_said_and_recorded(policy, capsys):
    experiment = made()
    questions, tests = experiment.questions()
    thinks = policy_of("qwen3", policy.model, enable_thinking=False)
    found = experiment.checks(questions, tests).check(thinks)
    says = "the chat template closes the thought in each prompt (model.template_options={'enable_thinking': False})"
    assert says in told(capsys) and found["thinking"].startswith(says)


def test_the_embedded_default_passes_in_one_line_and_says_what_was_looked_at(policy, capsys):
    experiment = made()
    questions, tests = experiment.questions()
    found = experiment.checks(questions, tests).check(policy)
    said = r"preflight: 18 checks passed in \d+\.\d s; the chat template knows no thoughts\n"
    assert re.fullmatch(said, told(capsys)) and found["thinking"] == "the chat template knows no thoughts"
    assert len(found["passed"]) == 18 and not found["warnings"] and json.dumps(found)
    assert {probe["probe"]: probe["total"] for probe in found["probes"]}["an empty reply"] == 0
    assert all({"total", "terms", "reply of the last round"} <= set(probe) for probe in found["probes"])
    rounds = found["numbers"]["tokens"]["rounds"]
    assert {(row["for"], row["rounds"], row["round"]) for row in rounds} == {
        ("training", 3, 1), ("training", 3, 2), ("training", 3, 3),
        ("chain", 1, 1), ("chain", 3, 1), ("chain", 3, 2), ("chain", 3, 3),
    }  # fmt: skip
    assert all(row["minimal"] <= row["window"] == (132 if row["rounds"] == 1 else 44) for row in rounds)


@pytest.mark.parametrize("reward", ["accuracy", "accuracy_format", "length", "efficiency"])
def test_plain_replies_pass_with_every_reward_that_knows_no_tags(policy, reward):
    words = [f"reward={reward}", "episode.prompts.format=plain", "episode.prompts.examples=1", "episode.tokens=200"]
    experiment = made(*words)
    found = experiment.checks(*experiment.questions()).check(policy)
    assert "tags cost nothing" in found["passed"] and len(found["passed"]) == 18


def test_the_tokens_of_examples_count_in_the_longest_prompt(policy):
    prompts = []
    for examples in (0, 4):
        experiment = made(f"episode.prompts.examples={examples}")
        rounds = experiment.checks(*experiment.questions()).check(policy)["numbers"]["tokens"]["rounds"]
        prompts.append([row["prompt"] for row in rounds])
    assert all(more > less + 4 * 10 for less, more in zip(*prompts, strict=True))


def test_dropout_in_training_is_a_remark_that_names_its_setting_and_its_rate(policy, capsys):
    model = type(policy.model)(policy.model.config)
    model.model.layers[0].self_attn.attention_dropout = 0.1
    found = made().checks(TOYS, {"toy": TOYS}).check(replace(policy, model=model))
    assert "algo.trainer.disable_dropout: a rate of 0.1" in found["warnings"]["what is trained is what was drawn"]
    assert "guard/difference_dropout" in told(capsys)


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
        words = [*SMALL, f"preflight={word}", f"outputs={tmp_path / word}"]
        made(*words).run(composed(*words))
        run = tmp_path / word / "x"
        assert (run / "preflight.json").is_file() == (word == "true")
        kept = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        lines[word] = untimed(kept)
        lines[word].append((run / "evaluation/trained-chain-r3.jsonl").read_text())
        lines[word].append((run / "policy/model.safetensors").read_bytes())
    assert lines["true"] == lines["false"] and len(lines["true"]) == 4


def test_a_refused_run_leaves_nothing_behind(tmp_path):
    words = [*SMALL, "reward.weights.format=3", f"outputs={tmp_path}/o"]
    with pytest.raises(UserError, match=r"form outweighs a right answer \(reward.weights\)"):
        made(*words).run(composed(*words))
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
    assert words in warning and f"flaws that are on: {flaw.split('=')[0]}" in warning and "17 checks passed" in passed
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


@pytest.mark.parametrize("preset", thinned(PRESETS, 2))
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
    ],
)
def test_windows_prompts_and_sampling_that_cannot_work_are_named(policy, words, expected):
    assert expected in refused(made(*words.split()), policy)


def test_greedy_replies_are_refused_before_anything_is_loaded():
    with pytest.raises(UserError, match="replies to a question are all the same"):
        made("episode.temperature=0")


def test_a_run_that_continues_is_asked_for_memory_and_disk_alone(policy, monkeypatch, capsys):
    found = made("reward.weights.format=3").checks(TOYS, {"toy": TOYS}).check(policy, continues=True)
    assert found["passed"] == ["memory", "disk"] and "2 checks passed" in told(capsys)
    monkeypatch.setattr(room, "free_memory", lambda device: 0)
    assert "training needs" in refused(made(), policy, continues=True)


def test_what_else_fails_is_named_in_the_same_line(policy):
    line = refused(made("reward.weights.format=3", "episode.tokens=7"), policy)
    assert "form outweighs a right answer" in line
    assert "(2 more: hacks are not paid, a minimal reply fits the window)" in line
