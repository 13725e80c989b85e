import itertools

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from motif.policies.imitation import imitate, orthogonal


@pytest.mark.parametrize("shape", [(24, 24), (16, 40), (40, 16)])
def test_a_direction_is_about_orthogonal_with_the_singular_vectors_of_the_gradient(shape):
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, lengths, right = torch.linalg.svd(gradient, full_matrices=False)
    found = left.T @ orthogonal(gradient) @ right.T
    assert found.diagonal().min() > 0.5 and found.diagonal().max() < 1.3  # whatever the singular values are
    assert (found - found.diagonal().diag()).abs().max() < 1e-4 and lengths.max() / lengths.min() > 2


def test_a_model_learns_the_replies_and_not_the_prompts():
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=12, num_key_value_heads=2, tie_word_embeddings=True, **sizes))
    rows = [([a, b], [b, a, 11]) for a, b in itertools.product(range(1, 10), repeat=2)]
    said = []
    curve = imitate(model, itertools.repeat(rows), 150, 2e-2, 0, lambda *heard: said.append(heard))
    assert [point["step"] for point in curve] == [step for step, *_ in said] == [*range(10, 151, 10)]
    assert said[-1][2]["loss"] == pytest.approx(curve[-1]["loss"], abs=1e-4) and not model.training
    assert curve[-1]["loss"] < 0.1 < 1 < curve[0]["loss"]
    prompts = torch.tensor([prompt for prompt, _ in rows])
    replies = model.generate(prompts, max_new_tokens=3, do_sample=False, pad_token_id=0)[:, 2:].tolist()
    assert sum(reply == wanted for reply, (_, wanted) in zip(replies, rows, strict=True)) >= 70  # of 81
    logprobs = model(prompts).logits[:, 0].log_softmax(-1)
    assert logprobs.gather(-1, prompts[:, 1:]).mean() < -2  # the second token of a prompt is not learned
