"""Dropout is off in training unless it was asked for, and what was asked for is named."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM, Qwen2Config, Qwen2ForCausalLM

from motif.training.preflight import dropout

IDS = torch.arange(3, 40)[None]
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4))


def opt():
    return OPTForCausalLM(OPTConfig(**SHAPE, ffn_dim=64, word_embed_proj_dim=32, layerdrop=0.5))


def qwen():
    return Qwen2ForCausalLM(Qwen2Config(**SHAPE, num_key_value_heads=2, intermediate_size=64, attention_dropout=0.3))


def trained(model):
    """Logits as in training."""
    with torch.no_grad():
        return model.train()(IDS).logits


@pytest.mark.parametrize("made", [gpt2, opt, qwen])
def test_a_models_own_dropout_can_be_turned_off(made):
    torch.manual_seed(0)
    model = made()
    assert dropout.heard(model)["algo.trainer.disable_dropout"] > 0
    assert not torch.equal(trained(model), model.eval()(IDS).logits)
    dropout.silence(model)
    assert dropout.heard(model) == {}
    assert torch.equal(trained(model), model.eval()(IDS).logits)


def test_dropout_of_adapters_was_asked_for_and_stays():
    model = get_peft_model(gpt2(), LoraConfig(target_modules=["c_attn"], lora_dropout=0.25, task_type="CAUSAL_LM"))
    dropout.silence(model)
    assert dropout.heard(model) == {"model.peft.lora_dropout": 0.25}
