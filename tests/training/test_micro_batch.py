import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from motif.system.errors import UserError
from motif.training.micro_batch import micro_batch

SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 32_000}


def model():
    return Qwen2ForCausalLM(Qwen2Config(**SHAPE, num_attention_heads=2, num_key_value_heads=1))


def test_on_a_cpu_all_rows_of_a_step_are_one_batch():
    assert micro_batch(model(), 24, 100, 100) == 24


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_batch_divides_the_rows_and_shrinks_with_their_length_and_nothing_is_left_behind():
    trained = model().cuda()
    sizes = [micro_batch(trained, 4096, 16, tokens) for tokens in (256, 2048)]
    assert 4096 % sizes[0] == 0 and sizes[1] < sizes[0]
    assert all(weight.grad is None for weight in trained.parameters()) and trained.training
    with pytest.raises(UserError, match="does not fit the GPU's memory"):
        micro_batch(trained, 2, 16, 4_000_000)
