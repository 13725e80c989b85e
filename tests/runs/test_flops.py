"""The formula, by hand and against what torch counts of the same computation."""

import pytest

from motif.runs.flops import Cost
from tests.support.toys import random_qwen


def counted(work):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def policy():
    """Eager attention, which the counter sees whatever the device and version of torch."""
    policy = random_qwen()
    policy.model.config._attn_implementation = "eager"
    return policy


def rows(tokens, n=2):
    import torch

    return torch.randint(3, 20, (n, tokens), generator=torch.Generator().manual_seed(0))


def with_adapters(policy, **options):
    from copy import deepcopy

    from peft import LoraConfig, get_peft_model

    model = deepcopy(policy.model)
    return get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **options))


def test_n_is_every_linear_layer_and_the_tied_head_without_the_embedding(policy):
    cost = Cost.of(policy.model)
    a_block = 64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128
    assert cost.blocks == 2 * a_block and cost.head == 64 * len(policy.tokenizer)
    assert (cost.layers, cost.width) == (2, 64)
    assert (cost.trained_blocks, cost.trained_head) == (cost.blocks, cost.head)


def test_all_weights_cost_six_a_token_and_adapters_four_and_their_own_two(policy):
    full = Cost(blocks=1000, head=100, trained_blocks=1000, trained_head=100, layers=0, width=0)
    assert full.update(0, 1) == 6 * 1100 and full.generation(0, [1]) == 2 * 1100
    assert full.generation(5, [1, 1]) == 2 * 1000 * 5 + 2 * 2 * 1100
    adapters = Cost(blocks=1010, head=100, trained_blocks=10, trained_head=0, layers=0, width=0)
    assert adapters.update(0, 1) == 4 * 1110 + 2 * 10
    again = Cost(1000, 100, 1000, 100, 0, 0, recomputed=True, scored=1)
    assert again.update(0, 1) == 6 * 1100 + 2 * 1000 + 2 * 1100


def test_attention_is_four_layers_width_for_each_token_attended_to_and_thrice_that_in_training():
    cost = Cost(0, 0, 0, 0, layers=3, width=7)
    assert cost.generation(2, [2]) == 4 * 3 * 7 * (1 + 2 + 3 + 4)
    assert cost.update(2, 2) == 3 * cost.generation(2, [2])


def test_reading_and_writing_cost_what_torch_counts(policy):
    import torch

    cost, tokens = Cost.of(policy.model), 24

    def write():
        with torch.no_grad():
            read = policy.model(input_ids=rows(tokens, 1), use_cache=True, logits_to_keep=1)
            for _ in range(8):
                past = read.past_key_values
                read = policy.model(input_ids=rows(1, 1), past_key_values=past, use_cache=True)

    assert cost.generation(tokens, [8]) == pytest.approx(counted(write), rel=0.15)


@pytest.mark.parametrize(
    ("adapters", "recomputed"),
    [
        (False, False),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((False, True), (True, False), (True, True))),
    ],
    ids=["all weights", "recomputed", "adapters", "adapters, recomputed"],
)
def test_an_update_of_half_a_billion_weights_costs_what_torch_counts(adapters, recomputed):
    """On tensors without data, in the shape of Qwen2.5-0.5B."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    prompt, reply, tokens = 300, 1024, 1324
    with torch.device("meta"):
        shape = {"vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24}
        heads = {"num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": True}
        model = Qwen2ForCausalLM(Qwen2Config(**shape, **heads, attn_implementation="eager")).train()
        if adapters:
            model = get_peft_model(model, LoraConfig(r=64, target_modules="all-linear", task_type="CAUSAL_LM"))
        if recomputed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        mask = {"full_attention": torch.zeros(1, 1, tokens, tokens)}
        ids = torch.zeros(1, tokens, dtype=torch.long)

        def update():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=reply).logits
            logits.sum().backward()

        found = counted(update)
    cost = Cost.of(model, recomputed)
    assert 4.9e8 < cost.blocks + cost.head < 5.4e8 and (cost.trained_blocks < cost.blocks) == adapters
    print(f"estimated / counted: {cost.update(prompt, reply) / found:.3f}")
    assert cost.update(prompt, reply) == pytest.approx(found, rel=0.1)


def test_adapters_count_as_weights_and_a_trained_head_as_trained(policy):
    plain, adapted = Cost.of(policy.model), Cost.of(with_adapters(policy))
    assert adapted.blocks == plain.blocks + adapted.trained_blocks and adapted.head == plain.head
    assert adapted.trained_head == 0


def test_weights_in_four_bits_count_as_what_they_stand_for(policy):
    import torch

    class Packed(torch.nn.Linear):
        """Two weights a byte, as bitsandbytes keeps them."""

        def __init__(self):
            super().__init__(64, 32)
            self.weight = torch.nn.Parameter(torch.zeros(64 * 32 // 2, 1, dtype=torch.uint8), requires_grad=False)

    from copy import deepcopy

    model = deepcopy(policy.model)
    model.packed = Packed()
    assert Cost.of(model).blocks == Cost.of(policy.model).blocks + 64 * 32
