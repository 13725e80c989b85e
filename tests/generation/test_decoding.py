"""Decoding against the library's own `generate`, on the shipped tiny policy."""

import pytest
import torch

from motif.generation.decoding import drawn, micro_batches, pick, random_numbers
from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from motif.tasks.chain import Chain


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


@pytest.fixture(scope="module")
def talks():
    prompts = Prompts(wording="countdown")
    return [prompts.conversation(question.text, 1, 3, None) for question in Chain(test_size=24).test()]


def test_greedy_replies_are_those_of_the_library_one_prompt_at_a_time(policy, talks):
    replies = Transformers().generator(policy)(talks, Sampling(44, temperature=0.0))
    for talk, reply in zip(talks, replies, strict=True):
        ids = torch.tensor(policy.render([talk]), device=policy.model.device)
        out = policy.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=44, do_sample=False)
        assert reply.token_ids == out[0, ids.shape[1] :].tolist()
        assert reply.prompt_ids == ids[0].tolist()


def test_sampled_replies_do_not_depend_on_the_micro_batches_or_on_the_other_rows(policy, talks):
    sampling = Sampling(44, temperature=1.3)
    together = Transformers().generator(policy)(talks, sampling)
    apart = Transformers(cache_gib=1e-6).generator(policy)(talks, sampling)
    fewer = Transformers().generator(policy)(talks[:5], sampling)
    assert [reply.token_ids for reply in together] == [reply.token_ids for reply in apart]
    assert [reply.token_ids for reply in together[:5]] == [reply.token_ids for reply in fewer]


def test_replies_to_one_prompt_differ_and_come_again_with_the_same_keys(policy, talks):
    generate = Transformers().generator(policy)
    sampling = Sampling(44, temperature=1.5).keyed(range(100, 116))
    replies = generate([talks[5]] * 16, sampling)
    assert len({reply.text for reply in replies}) > 4
    assert replies == generate([talks[5]] * 16, sampling)
    fewer = generate([talks[5]] * 12, sampling.keyed(range(104, 116)))  # whose log-probabilities are rounded otherwise
    assert [reply.token_ids for reply in replies[4:]] == [reply.token_ids for reply in fewer]
    assert replies != generate([talks[5]] * 16, sampling.keyed(range(16)))


def test_a_reply_ends_at_its_end_token_or_is_cut_off(policy, talks):
    for tokens in (3, 44):
        for reply in Transformers().generator(policy)(talks, Sampling(tokens)):
            ends = [place for place, id in enumerate(reply.token_ids) if id in policy.end_ids]
            assert ends == ([len(reply.token_ids) - 1] if reply.finished else [])
            assert reply.finished or len(reply.token_ids) == tokens
            assert policy.tokenizer.eos_token not in reply.text


def test_logprobs_are_those_of_the_model_at_the_sampling_temperature(policy, talks):
    (reply,) = Transformers().generator(policy)(talks[:1], Sampling(20, temperature=0.7))
    ids = torch.tensor([reply.prompt_ids + reply.token_ids], device=policy.model.device)
    with torch.no_grad():
        logprobs = torch.log_softmax(policy.model(ids).logits[0] / 0.7, -1)
    expected = [logprobs[len(reply.prompt_ids) - 1 + place, id].item() for place, id in enumerate(reply.token_ids)]
    assert reply.logprobs == pytest.approx(expected, abs=1e-4)


def test_tokens_are_drawn_with_their_probabilities():
    sampling = Sampling(1)
    chances = torch.tensor([0.5, 0.3, 0.2, 0.0])
    logits = chances.log().expand(20_000, -1)
    chosen, _ = pick(logits, sampling, random_numbers(sampling, range(20_000))[:, 0])
    counts = torch.bincount(chosen, minlength=4) / 20_000
    assert torch.allclose(counts, chances, atol=0.015) and counts[3] == 0


def test_of_many_words_the_one_is_drawn_at_which_the_cumulative_sum_passes():
    words = 1000
    chances = torch.rand(64, words, generator=torch.Generator().manual_seed(0))
    chances[:, 200:600] = chances[:, 900:] = 0.0  # whole blocks of words, and the last ones, have no chance
    draws = torch.linspace(0, 1, 64, dtype=torch.float64).clamp(max=1 - 2**-53)
    places, reached = drawn(chances, draws), chances.double().cumsum(-1)
    rows = torch.arange(64)
    assert (chances[rows, places] > 0).all() and places[0] == 0 and places[-1] == 899
    assert ((reached[rows, places] / reached[:, -1]) > draws - 1e-6).all()
    assert ((reached[rows, places] - chances[rows, places]) / reached[:, -1] < draws + 1e-6).all()


def test_where_no_chance_is_a_number_a_word_is_drawn_all_the_same():
    chances = torch.full((2, 300), torch.nan)
    assert (drawn(chances, torch.tensor([0.0, 0.5], dtype=torch.float64)) < 300).all()


@pytest.mark.parametrize(
    ("settings", "allowed"), [({"top_p": 0.6}, {0, 1}), ({"top_k": 1}, {0}), ({"top_p": 0.4}, {0})]
)
def test_top_p_and_top_k_cut_the_tail(settings, allowed):
    sampling = Sampling(1, **settings)
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(500, -1)
    chosen, _ = pick(logits, sampling, random_numbers(sampling, range(500))[:, 0])
    assert set(chosen.tolist()) == allowed


def test_micro_batches_keep_to_the_room_and_lose_no_row():
    work = [([0] * length, [length * 10 + row for row in range(7)]) for length in (3, 5, 50, 200)]
    batches = micro_batches(work, new_tokens=10, room=120)
    assert sorted(row for batch in batches for _, rows in batch for row in rows) == sorted(
        row for _, rows in work for row in rows
    )
    for batch in batches:
        rows = sum(len(rows) for _, rows in batch)
        assert rows == 1 or rows * (max(len(prompt) for prompt, _ in batch) + 10) <= 120


def test_a_prompt_that_does_not_fit_the_model_is_refused(policy, talks):
    with pytest.raises(UserError, match="do not fit the model's 4096 positions"):
        Transformers().generator(policy)(talks[:1], Sampling(4096))


def test_generation_leaves_the_training_mode_as_it_was(policy, talks):
    policy.model.train()
    Transformers().generator(policy)(talks[:2], Sampling(2))
    assert policy.model.training
    policy.model.eval()
