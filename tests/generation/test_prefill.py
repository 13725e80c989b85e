"""What prompts begin with alike is read once, and replies stay as they are."""

import pytest

from motif.generation import decoding, prefill
from motif.generation.packed import beginnings
from motif.rounds import Sampling
from tests.support.toys import random_qwen

STEM, OTHER = list(range(5, 75)), list(range(40, 110))
PROMPTS = [[*STEM, 3, 4], [*STEM, 9], [*OTHER, 7, 7, 7, 8], [*STEM, 3, 4], [*OTHER, 8], [*STEM, 60, 61, 62, 63, 64]]


@pytest.fixture(scope="module")
def model():
    return random_qwen().model


def test_prompts_are_put_to_their_beginnings():
    begun, places = beginnings(PROMPTS)
    assert begun == [STEM, OTHER] and places == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("prompts", [[STEM, OTHER], [STEM[:20]] * 3, [[*STEM, 1]]])
def test_nothing_is_shared_where_little_would_be_saved(prompts):
    assert beginnings(prompts) == ([], [])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_are_those_of_prompts_read_one_by_one(model, monkeypatch, temperature):
    def replies():
        size = model.config.vocab_size
        prompts = [[token % size for token in prompt] for prompt in PROMPTS]
        sampling = Sampling(12, temperature, keys=tuple(range(len(prompts))))
        return decoding.decode(model, prompts, sampling, [1], 0)

    read, plain = [], model.forward
    monkeypatch.setattr(model, "forward", lambda *a, **k: (read.append(k["input_ids"].numel()), plain(*a, **k))[1])
    shared, tokens = replies(), sum(read)
    monkeypatch.setattr(prefill, "beginnings", lambda prompts: ([], []))
    read.clear()
    alone = replies()
    assert tokens < 0.7 * sum(read)
    for (ids, scores, end), (expected, values, ended) in zip(shared, alone, strict=True):
        assert ids == expected and scores == pytest.approx(values, abs=1e-4) and end == ended
