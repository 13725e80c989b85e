"""One arithmetic for base, trained and reopened policies; and one that no batch can change."""

import json
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from motif.evaluation.arithmetic import arithmetic_of, as_measured, in_float32
from motif.evaluation.evaluate import Evaluation
from motif.generation.engines import Transformers
from motif.policies.pretrained import open_policy
from motif.rounds import Sampling, draw_key
from motif.system.errors import UserError
from tests.support import FEW, thinned
from tests.support.toys import random_qwen

TALKS = [[{"role": "user", "content": f"{'1+' * (n % 5)}{n}a"}] for n in range(12)]


def model_folder(folder, dtype, tied=True):
    """An undecided model of random weights, as others save one."""
    policy = random_qwen()
    if not tied:
        policy.model.config.tie_word_embeddings = False
        policy.model.lm_head.weight = torch.nn.Parameter(torch.randn_like(policy.model.lm_head.weight) / 5)
    policy.model.to(dtype).save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    return folder


LORA = ["peft@model.peft=lora", "model.peft.r=4"]
KINDS = {
    "float32 with bf16": (torch.float32, True, ["model.bf16=true"]),
    "float32": (torch.float32, True, []),
    "bfloat16 with LoRA": (torch.bfloat16, True, LORA),
    "bfloat16": (torch.bfloat16, True, []),
    "not tied, with bf16": (torch.float32, False, ["model.bf16=true"]),
    "LoRA on float32 with bf16": (torch.float32, True, [*LORA, "model.bf16=true"]),
}


@pytest.mark.parametrize("kind", thinned(KINDS, 6))
def test_without_learning_base_trained_and_reopened_policy_say_the_same(kind, tmp_path, forks):
    dtype, tied, words = KINDS[kind]
    path = model_folder(tmp_path / "model", dtype, tied)
    status, output = forks.train(
        tmp_path,
        *("model=local", f"model.path={path}", "model.gradient_checkpointing=false", *words, "name=run", "algo=grpo"),
        *("algo.trainer.learning_rate=0.0", "algo.steps=2", "algo.questions=2"),
        *("algo.m=2", "episode.tokens=24", "tracking=none", "preflight=false", "evaluation.rounds=[1]", *FEW),
        *("watch.every=1", "watch.questions=8", "evaluation.questions=32", "guard.replies=0"),
    ).wait()
    assert status == 0, output
    run = tmp_path / "outputs/run"
    base, trained = (said(run / f"evaluation/{which}-chain-r1.jsonl") for which in ("base", "trained"))
    assert base == trained and len({text for texts in base for text in texts}) > 16  # of an undecided policy
    held = [said(file) for file in sorted((run / "held_out").glob("*.jsonl"))]
    assert len(held) == 2 and held[0] == held[1]
    policy = open_policy(run)
    talks = [[{"role": "user", "content": "x"}]]
    if words[:2] == LORA:
        merged = replace(policy, model=deepcopy(policy.model).merge_and_unload())
        with torch.no_grad():
            ids = torch.tensor(policy.render(talks))
            assert torch.equal(policy.model(ids).logits, merged.model(ids).logits)
    result = json.loads((run / "evaluation/trained-chain-r1.json").read_text())
    assert result["arithmetic"]["dtype"] == str(dtype).removeprefix("torch.")


def said(file):
    return [sample["replies"] for line in file.read_text().splitlines() for sample in json.loads(line)["samples"]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("adapted", [False, True])
def test_a_deterministic_measurement_does_not_depend_on_the_batch(temperature, adapted):
    policy = random_qwen()
    policy.model.to(torch.bfloat16)
    if adapted:
        model = get_peft_model(policy.model, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
        policy = replace(policy, model=model)
    before = {name: (each.dtype, each.data_ptr()) for name, each in policy.model.named_parameters()}
    keys = [draw_key("test", n) for n in range(len(TALKS))]

    def replies(generate, *places):
        sampling = Sampling(24, temperature).keyed([keys[place] for place in places])
        return [reply.token_ids for reply in generate([TALKS[place] for place in places], sampling)]

    with as_measured(policy, Transformers().generator(policy), deterministic=True) as generate:
        assert policy.model.dtype == torch.float32
        together = replies(generate, *range(len(TALKS)))
        assert together == [replies(generate, place)[0] for place in range(len(TALKS))]
        assert together[::-1] == replies(generate, *reversed(range(len(TALKS))))
    assert before == {name: (each.dtype, each.data_ptr()) for name, each in policy.model.named_parameters()}


def test_within_float32_what_was_lower_computes_higher_and_comes_back_where_it_was():
    model = random_qwen().model.to(torch.bfloat16)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(ids).logits
        with in_float32(model):
            assert model(ids).logits.dtype == torch.float32
        assert torch.equal(model(ids).logits, before) and model.lm_head.weight is model.get_input_embeddings().weight
    model.is_quantized = True
    with (
        pytest.raises(UserError, match=r"evaluation\.deterministic=true .* model\.quantization=null"),
        in_float32(model),
    ):
        pass


def test_a_result_says_what_it_was_computed_in():
    policy = random_qwen()
    said = arithmetic_of(policy, Evaluation(batch=7), "vllm")
    assert said == {"dtype": "float32", "attention": "sdpa", "engine": "vllm", "device": "cpu", "batch": 7}
    policy.model.to(torch.bfloat16)
    assert arithmetic_of(policy, Evaluation(), "transformers")["dtype"] == "bfloat16"
    alone = arithmetic_of(policy, Evaluation(deterministic=True), "vllm")
    assert alone == {"dtype": "float32", "engine": "transformers", "device": "cpu", "deterministic": True}
