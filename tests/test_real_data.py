"""The whole way on real questions, GSM8K, MATH-500 and AIME, with Qwen2.5's tokenizer and a small random model."""

import json
import subprocess
import sys

import pytest

from motif.evaluation.statistics import wilson
from tests.support import ROOT
from tests.support.toys import shared


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder that holds a random Qwen2 of the real vocabulary."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("model")
    tokenizer = AutoTokenizer.from_pretrained(shared("qwen2.5-tokenizer"))
    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def command(program, *arguments, cwd):
    call = [sys.executable, str(ROOT / program), *arguments]
    done = subprocess.run(call, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_motif_trains_on_gsm8k_and_is_evaluated_on_math_and_aime(model, tmp_path):
    data = shared("gsm8k_train.jsonl").parent
    said = command(
        "train.py",
        *("algo=motif", "rounds=3", "model=local", f"model.path={model}", "peft@model.peft=lora"),
        *("dataset=gsm8k", f"dataset.path={data}", "evaluation.datasets=[math500]", f"evaluation.path={data}"),
        *("algo.steps=2", "algo.questions=1", "algo.m=4", "episode.tokens=24", "evaluation.questions=8"),
        *("tracking=none", "name=real"),
        cwd=tmp_path,
    )
    assert "math500" in said and "checks passed" in said and "Traceback" not in said
    run = tmp_path / "outputs/real"
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [1, 2]
    assert all(line["guard/difference"] < 1e-3 for line in metrics)
    card = (run / "policy/README.md").read_text()
    assert "GSM8K" in card or "gsm8k" in card
    said = command(
        "evaluate.py",
        *("-m", "policy=outputs/real", "dataset=aime24", f"dataset.path={data}", "rounds=1,3", "episode.tokens=12"),
        cwd=tmp_path,
    )
    results = [json.loads(file.read_text()) for file in (run / "evaluation").glob("aime24-r*.json")]
    assert sorted(found["rounds"] for found in results) == [1, 3]
    for found in results:  # 0 of 30 is no certainty: the upper bound is near 3 / n
        assert (found["n"], found["correct"]) == (30, 0) and found["interval"] == list(wilson(0, 30))
        assert 0.09 < found["interval"][1] < 0.12


@pytest.mark.slow
def test_every_prompt_of_gsm8k_has_room(model):
    from motif.policies.pretrained import load_policy
    from motif.rounds.prompts import Prompts
    from motif.tasks.corpus import Corpus

    policy = load_policy(str(model))
    file = shared("gsm8k_test.jsonl")
    questions = Corpus(name="gsm8k", path=str(file), gold="hashes", trainable=False, splits={"test": "test"}).test()
    alone = [len(ids) for ids in policy.tokenizer([question.text for question in questions])["input_ids"]]
    assert round(sum(alone) / len(alone)) == 61 and max(alone) == 188
    prompts = policy.render([Prompts().conversation(question.text, 1, 3, None) for question in questions])
    assert max(map(len, prompts)) < 512
