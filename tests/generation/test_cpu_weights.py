"""Decoding on a CPU with weights as oneDNN lays them out: the same replies, and the model as it was."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from motif.generation import cpu_weights
from motif.generation.cpu_weights import laid_out, product
from motif.generation.decodable import check_decodable
from motif.generation.decoding import decode
from motif.rounds import Sampling
from tests.support.toys import random_qwen

PROMPTS = [list(range(3, 40 + 3 * row)) for row in range(5)]

pytestmark = pytest.mark.skipif(not cpu_weights.X86, reason="weights are laid out on x86 alone")


@pytest.fixture(autouse=True)
def however_small(monkeypatch):
    monkeypatch.setattr(cpu_weights, "LEAST", 0)


def with_adapters(model, **options):
    found = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **options))
    generator = torch.Generator().manual_seed(0)
    for name, weight in found.named_parameters():
        if "lora_B" in name:  # zeros at first, with which an adapter that is left out would go unseen
            weight.data = torch.randn(weight.shape, generator=generator) / 10
    return found


def toy(kind):
    model = random_qwen().model.to(torch.bfloat16)
    return model if kind == "plain" else with_adapters(model, use_dora=kind == "dora", lora_bias=kind == "bias")


def logits(model):
    with torch.inference_mode():
        return model.eval()(input_ids=torch.tensor([PROMPTS[0]])).logits.float()


@pytest.mark.parametrize("kind", ["plain", "lora", "dora", "bias"])
def test_the_model_computes_the_same_within_the_block(kind):
    model = toy(kind)
    before = logits(model)
    with laid_out(model):
        assert any("forward" in vars(layer) for layer in model.modules())
        found = logits(model)
    assert not any("forward" in vars(layer) for layer in model.modules())
    apart = (torch.log_softmax(found, -1) - torch.log_softmax(before, -1)).abs().mean()
    assert apart < 0.05
    torch.testing.assert_close(logits(model), before)


def test_an_adapter_is_heard_where_it_is_on_and_not_where_it_is_off():
    model = toy("lora")
    with model.disable_adapter():
        base = logits(model)
        with laid_out(model):
            assert (logits(model) - base).abs().mean() < 0.05
    with laid_out(model):
        assert (logits(model) - base).abs().mean() > 0.2


def test_what_is_decoded_has_the_log_probabilities_of_one_pass(monkeypatch):
    model, heard = toy("lora"), []
    monkeypatch.setattr(cpu_weights, "product", lambda *parts: heard.append(parts) or product(*parts))
    decode(model, PROMPTS, Sampling(8, keys=tuple(range(5))), [], 0)
    assert heard
    check_decodable(model)


def test_weights_of_float32_stay_where_they_are():
    model = toy("lora").float()
    with laid_out(model):
        assert not any("forward" in vars(layer) for layer in model.modules())


@pytest.mark.parametrize("change", [{"LEAST": 2**40}, {"MOST": 0}, {"X86": False}])
def test_it_is_left_out_where_it_does_not_pay(monkeypatch, change):
    for name, value in change.items():
        monkeypatch.setattr(cpu_weights, name, value)
    model = toy("plain")
    with laid_out(model):
        assert not any("forward" in vars(layer) for layer in model.modules())


def test_the_model_is_as_it_was_after_an_error():
    model = toy("lora")
    with pytest.raises(KeyboardInterrupt), laid_out(model):
        raise KeyboardInterrupt
    assert not any("forward" in vars(layer) for layer in model.modules())
