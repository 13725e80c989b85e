"""Which architectures are decoded here: twenty are, each as one pass over the text says; others are refused in a line.

All models are small and random, with weights large enough for their tokens to differ.
"""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from motif.generation.decodable import check_decodable
from motif.generation.decoding import decode
from motif.rounds.replies import Sampling
from motif.system.errors import UserError

SMALL = {
    **{"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1},
    **{"eos_token_id": 2},
}
OLD = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
EXPERTS = {"num_experts_per_tok": 1, "moe_intermediate_size": 16}
SLIDING = {"sliding_window": 8, "head_dim": 8}
LATENT = {
    **{"num_key_value_heads": 4, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8},
    **{"v_head_dim": 8, "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "head_dim": 4},
    **{"n_group": 1, "topk_group": 1, **EXPERTS},
}
DECODED = {
    **{"llama": {}, "qwen2": {}, "qwen3": {"head_dim": 8}, "mistral": SLIDING, "phi": {}, "phi3": {}, "olmo2": {}},
    **{"gemma": {"head_dim": 8}, "gemma2": SLIDING, "gemma3_text": SLIDING, "cohere": {}, "glm": {"head_dim": 8}},
    **{"granite": {}, "starcoder2": {}, "stablelm": {}, "gpt_neox": {}, "gpt2": OLD, "gptj": {**OLD, "rotary_dim": 8}},
    **{"bloom": {"n_layer": 2, "n_head": 4}, "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32}, "falcon": {}},
    **{"mixtral": {**EXPERTS, "num_local_experts": 2}, "qwen3_moe": {**EXPERTS, "num_experts": 2, "head_dim": 8}},
    **{"deepseek_v3": LATENT},
}
LINEAR = dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads"), 2)
STATES = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1}
REFUSED = {
    "mamba": {"state_size": 4},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": {"state_size": 4},
    "qwen3_next": {
        **{**LINEAR, **EXPERTS, "num_experts": 2, "shared_expert_intermediate_size": 16, "num_hidden_layers": 4},
        **{"linear_key_head_dim": 8, "linear_value_head_dim": 8, "head_dim": 8},
    },
    "jamba": {
        **{"num_experts": 2, "num_experts_per_tok": 1, "use_mamba_kernels": False, "mamba_d_state": 4},
        **{"attn_layer_period": 2, "attn_layer_offset": 1},
    },
    "bamba": {**STATES, "attn_layer_indices": [1]},
    "rwkv": {"attention_hidden_size": 32, "context_length": 128},
    "recurrent_gemma": {"num_hidden_layers": 3, "lru_width": 32, "attention_window_size": 16},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "openai-gpt": OLD,  # without any cache
    "bart": {"decoder_attention_heads": 4, "decoder_ffn_dim": 64, "d_model": 32, "decoder_layers": 2},
    "roberta": {"is_decoder": True},  # whose positions begin at 2
}


def small(kind, **options):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SMALL, **options})).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def beside(model, prompts, written):
    """By how much the log-probabilities of what was written differ from those of one pass, at most."""
    apart = []
    for prompt, (ids, scores, _) in zip(prompts, written, strict=True):
        with torch.inference_mode():
            chances = torch.log_softmax(model(input_ids=torch.tensor([prompt + ids])).logits[0], -1)
        apart += [abs(chances[len(prompt) - 1 + at, id].item() - scores[at]) for at, id in enumerate(ids)]
    return max(apart)


@pytest.mark.parametrize("kind", DECODED)
def test_an_architecture_with_keys_and_values_is_decoded_as_one_pass_says(kind):
    model = small(kind, **DECODED[kind])
    check_decodable(model)
    assert not model.training
    prompts = [[5, 6, 7], list(range(8, 20)), [20, 21, 22, 23, 24]]
    for temperature in (0.0, 1.0):
        written = decode(model, prompts, Sampling(12, temperature=temperature), [], 0)
        assert beside(model, prompts, written) < 1e-4


@pytest.mark.parametrize("kind", REFUSED)
def test_an_architecture_without_keys_and_values_is_refused_in_a_line(kind):
    model = small(kind, **REFUSED[kind]).train()
    with pytest.raises(UserError, match=f"^model: type {kind} cannot be decoded .*generation=vllm$"):
        check_decodable(model)
    assert model.training


ROPES = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 32},
    "llama3": {
        **{"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    },
}
LONG = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "original_max_position_embeddings": 32}


def alone(model, prompt, tokens):
    """What the library's own `generate` writes after a prompt, greedily."""
    options = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False}
    ids = torch.tensor([prompt])
    return model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, len(prompt) :].tolist()


@pytest.mark.parametrize(("kind", "rope"), [*(("llama", rope) for rope in (*ROPES, "longrope")), ("phi3", "longrope")])
def test_positions_that_depend_on_the_length_are_decoded_as_by_the_library_or_refused(kind, rope):
    longest = 32 if rope == "longrope" else 128
    options = {"rope_type": rope, "rope_theta": 1e4, **(LONG if rope == "longrope" else ROPES[rope])}
    own = {"original_max_position_embeddings": 32} if kind == "phi3" else {}
    model = small(kind, rope_parameters=options, **own)
    prompts = [list(range(3, 3 + size)) for size in (4, 12, 20)]
    tokens = longest - 20
    written = decode(model, prompts, Sampling(tokens, temperature=0.0), [], 0)
    assert [ids for ids, _, _ in written] == [alone(model, prompt, tokens) for prompt in prompts]
    assert beside(model, prompts, written) < 1e-4
    with pytest.raises(UserError, match=f"do not fit the model's {longest} positions .*episode.tokens"):
        decode(model, prompts, Sampling(tokens + 1, temperature=0.0), [], 0)
