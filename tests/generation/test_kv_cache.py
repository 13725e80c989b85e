import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.cache_utils import Cache

from motif.generation.kv_cache import Room, Stepper, capturable, grouped_attention, grown


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=50, initializer_range=0.5, **shape, **heads)).eval()


def prefilled(model, ids, mask):
    rooms = [Room() for _ in range(2)]
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=Cache(layers=list(rooms)))
    return rooms


@torch.inference_mode()
def test_a_step_over_a_fixed_room_with_grouped_heads_is_a_plain_step(model):
    ids = torch.randint(0, 50, (3, 7))
    mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [1] * 7, [0, 1, 1, 1, 1, 1, 1]])
    wide = torch.cat([mask, torch.ones(3, 5, dtype=mask.dtype)], 1)
    tokens, positions = torch.tensor([3, 4, 5]), mask.sum(-1, keepdim=True)
    plain = Stepper(model, prefilled(model, ids, mask), wide, padded=True).step(tokens, positions)

    rooms = prefilled(model, ids, mask)
    for room in rooms:
        room.resize(16)
        room.place = torch.tensor([7])
    seen = torch.zeros(3, 1, 1, 16, dtype=torch.bool)
    seen[:, 0, 0, :8] = wide[:, :8].bool()
    with grouped_attention(model):
        fixed = model(
            input_ids=tokens[:, None], attention_mask=seen, position_ids=positions, past_key_values=Cache(layers=rooms)
        ).logits[:, -1]
    assert torch.allclose(plain, fixed, atol=1e-4)
    assert model.config._attn_implementation == "sdpa"


@torch.inference_mode()
def test_rows_leave_and_the_rest_go_on_as_if_alone(model):
    ids, mask = torch.randint(0, 50, (3, 4)), torch.ones(3, 20, dtype=torch.long)
    steps = Stepper(model, prefilled(model, ids, mask[:, :4]), mask, padded=False)
    steps.keep(torch.tensor([0, 2]))
    tokens, positions = torch.tensor([7, 9]), torch.full((2, 1), 4)
    logits = steps.step(tokens, positions)
    alone = model(torch.cat([ids[[0, 2]], tokens[:, None]], 1)).logits[:, -1]
    assert torch.allclose(logits, alone, atol=1e-4) and steps.rooms[0].length == 5


def test_a_cache_grows_by_doubling():
    assert grown(10) == 74 and grown(100) == 200


def test_nothing_is_captured_without_a_gpu(model):
    assert not capturable(model)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_captured_steps_write_what_plain_steps_write(model, temperature):
    from motif.generation.decoding import decode
    from motif.rounds.replies import Sampling

    on_gpu = Qwen2ForCausalLM(model.config).eval().cuda()
    on_gpu.load_state_dict(model.state_dict())
    prompts = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [1, 2, 3], [9] * 40]
    sampling = Sampling(150, temperature=temperature)
    captured, plain = (decode(on_gpu, prompts, sampling, [0, 1], 0, capture=capture) for capture in (True, False))
    assert [ids for ids, _, _ in captured] == [ids for ids, _, _ in plain]
    assert any(finished for _, _, finished in plain) or temperature == 0
    for (_, scores, _), (_, others, _) in zip(captured, plain, strict=True):
        assert scores == pytest.approx(others, abs=1e-3)
