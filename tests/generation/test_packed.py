"""Rows behind one prompt: the same log-probabilities, entropies and gradients as rows of their own."""

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import utils as trl_utils

from motif.generation import packed, private
from tests.support.toys import random_qwen

KEPT = 9


def batch(prompts, replies):
    """Ids and mask as TRL pads them, prompts on the left and replies on the right."""
    width = max(map(len, prompts))
    rows = list(zip(prompts, replies, strict=True))
    ids = [[0] * (width - len(a)) + a + b + [0] * (KEPT - len(b)) for a, b in rows]
    mask = [[0] * (width - len(a)) + [1] * len(a + b) + [0] * (KEPT - len(b)) for a, b in rows]
    return torch.tensor(ids), torch.tensor(mask)


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)

    def drawn(length):
        return torch.randint(5, 40, (length,), generator=generator).tolist()

    long, short = drawn(150), drawn(131)
    prompts = [long, short, [*long[:140], 9, 9, 8], long, short, [*short, 7, 5]]
    return batch(prompts, [drawn(n) for n in (9, 1, 4, 7, 9, 3)])


@pytest.fixture
def trainer(tmp_path):
    policy = random_qwen()
    return GRPOTrainer(
        model=policy.model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=GRPOConfig(str(tmp_path), report_to="none", use_cpu=True, bf16=False, temperature=0.7),
        train_dataset=Dataset.from_dict({"prompt": ["none"] * 8}),
        processing_class=policy.tokenizer,
    )


@pytest.mark.parametrize("checkpointing", [False, True])
def test_values_and_gradients_are_those_of_rows_of_their_own(trainer, rows, checkpointing):
    ids, mask = rows
    model, plain = trainer.model.train(), trainer._get_per_token_logps_and_entropies
    if checkpointing:
        model.gradient_checkpointing_enable()
    shared = private.with_prompts_once(plain, trainer.accelerator.autocast)
    seen, forward = [], model.forward

    def spy(*rest, **named):
        seen.append(named["input_ids"].shape)
        return forward(*rest, **named)

    model.forward = spy
    found = []
    for function in (plain, shared):
        logprobs, entropies, _ = function(model, ids, mask, KEPT, compute_entropy=True, pixel_values=None)
        real = mask[:, -KEPT:]
        model.zero_grad()
        ((logprobs * real) ** 2).sum().backward()
        gradient = torch.cat([each.grad.flatten() for each in model.parameters()])
        found.append((logprobs * real, entropies * real, gradient))
    assert seen == [ids.shape, (2, 140 + 18 + 6 + 16)]
    for own, together in zip(*found, strict=True):
        assert (own - together).norm() < 1e-5 * own.norm()


def test_what_saves_little_is_computed_as_it_comes(rows):
    ids, mask = rows
    assert packed.pack(ids, mask, KEPT) is not None
    assert packed.pack(ids[:2], mask[:2], KEPT) is None  # two prompts, two rows
    assert packed.pack(ids[:, 115:], mask[:, 115:], KEPT) is None  # short prompts


def test_models_whose_layers_see_less_are_left_alone():
    model = random_qwen().model
    assert private.fits(model)
    model.config._attn_implementation = "eager"
    assert not private.fits(model)
    model.config._attn_implementation, model.config.layer_types = "sdpa", ["full_attention", "sliding_attention"]
    assert not private.fits(model)


def test_the_output_head_in_small_tiles_gives_the_same_and_leaves_the_tiles_of_trl_as_they_were(
    trainer, rows, monkeypatch
):
    ids, mask = rows
    model, plain = trainer.model.train(), trainer._get_per_token_logps_and_entropies
    before, widths = trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE, []
    monkeypatch.setattr(private, "WORDS", 8)
    tiled = private.in_small_tiles(plain)

    def product(*given, out, **named):
        widths.append(out.shape)
        return mm(*given, out=out, **named)

    mm = torch.mm
    found = []
    for function in (plain, tiled):
        logprobs, entropies, _ = function(model, ids, mask, KEPT, compute_entropy=True)
        if function is tiled:
            monkeypatch.setattr(torch, "mm", product)
        (logprobs * mask[:, -KEPT:]).sum().backward()
        gradient = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
        found.append((logprobs.detach() * mask[:, -KEPT:], entropies.detach() * mask[:, -KEPT:], gradient))
        model.zero_grad()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    labelled = int(mask[:, -KEPT:].sum())
    assert {words for _, words in widths} <= set(range(1, 9)) and {tokens for tokens, _ in widths} == {labelled}
    assert before == trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE
