"""Batched decoding with a causal language model of transformers.

It adds this to `model.generate`: equal prompts and equal beginnings of prompts are computed once and shared; rows that
have ended leave the batch; the key-value cache is written in place and grows by doubling; prompts are sorted by length
and batches are cut to a memory budget; each row has its own random numbers. It knows token ids and no text.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from motif.generation.cpu_weights import laid_out
from motif.generation.kv_cache import FIRST_ROOM, Captured, Stepper, capturable
from motif.generation.prefill import prefill
from motif.policies.policy import context
from motif.rounds.replies import Sampling
from motif.system import UserError, console
from motif.system.memory import OutOfMemory, unless_it_runs_out

Written = tuple[list[int], list[float], bool]  # token ids, their log-probabilities, whether it came to an end
Work = Sequence[tuple[list[int], list[int]]]  # prompts (token ids), each with the rows that have it
Watch = Callable[[int, int], None]  # called with (row, token) as tokens come

DROP_AT = {Stepper: 0.85, Captured: 0.5}  # ended rows leave once the others are at most this share of the batch
BLOCK = 256  # words whose chances are summed before the one that is drawn is searched for
ROW_BYTES = 40  # a row and word of the vocabulary: logits, log-probabilities, probabilities and their sums


@dataclass
class Allowance:
    """How many tokens of key-value cache a micro-batch may hold. It shrinks where memory runs out, for later calls."""

    tokens: int = sys.maxsize


@torch.inference_mode()
def decode(
    model: Any,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    end_ids: Sequence[int],
    pad_id: int,
    cache_gib: float | None = None,
    capture: bool = True,
    watch: Watch | None = None,
    allowance: Allowance | None = None,
) -> list[Written]:
    """One reply for each row of `prompts` (token ids), in their order.

    Rows with equal prompts share one prefill; under greedy sampling they share one reply. Where memory runs out, a
    micro-batch is halved and begun again, `watch` included.

    Args:
        end_ids: the tokens that end a reply.
        pad_id: the token that fills shorter prompts.
        cache_gib: the most GiB of key-value cache; None takes what `cache_tokens` says.
        capture: false takes plain steps on a GPU too.
        watch: called with each token as it comes.
        allowance: keeps a smaller size for later calls.

    Raises:
        UserError: a prompt and its reply are longer than the model's positions.
        OutOfMemory: memory does not hold a single row.
    """
    shared: dict[tuple[int, ...], list[int]] = {}
    for row, prompt in enumerate(prompts):
        shared.setdefault(tuple(prompt), []).append(row)
    limit, setting = min(context(model), default=(sys.maxsize, ""))
    if (longest := max(map(len, shared), default=0)) + sampling.tokens > limit:
        raise UserError(
            f"a prompt of {longest} tokens and a reply of {sampling.tokens} do not fit the model's {limit} positions "
            f"({setting}); lower the tokens of a round (episode.tokens) or carry less over"
        )
    copies = {rows[0]: rows for rows in shared.values()} if sampling.temperature == 0 else {}
    work = [(list(prompt), rows[:1] if copies else rows) for prompt, rows in shared.items()]
    work.sort(key=lambda item: len(item[0]))
    written: list[Written | None] = [None] * len(prompts)
    stepper = Captured if capture and capturable(model) else Stepper
    was_training = model.training
    model.eval()
    try:
        allowance = allowance or Allowance()
        room, row_tokens = cache_tokens(model, cache_gib)
        left = micro_batches(work, sampling.tokens, min(room, allowance.tokens), row_tokens)
        with laid_out(model):
            while left:
                batch = left[0]
                replies = unless_it_runs_out(_decode_batch, model, batch, sampling, end_ids, pad_id, stepper, watch)
                if replies is None:
                    left = _halved(left, sampling.tokens, row_tokens, allowance, token_bytes(model))
                    continue
                for row, reply in replies:
                    for same in copies.get(row, [row]):
                        written[same] = reply
                left = left[1:]
    finally:
        model.train(was_training)
    return written  # type: ignore[return-value]


def _halved(left: Sequence[Work], new_tokens: int, row_tokens: int, allowance: Allowance, size: int) -> list[Work]:
    """The micro-batches that are `left`, cut again to half the size of the first, for which memory ran out.

    A token of cache takes `size` bytes.
    """
    rows, longest = sum(len(rows) for _, rows in left[0]), len(left[0][-1][0])
    if rows == 1:
        raise OutOfMemory(
            f"memory ran out while a single reply was generated (a prompt of {longest} tokens, up to {new_tokens} new "
            f"ones); lower episode.tokens, to {max(1, new_tokens // 2)} say, or take a smaller model"
        )
    allowance.tokens = rows // 2 * (longest + new_tokens + row_tokens)
    console.say(
        f"memory ran out while {rows} replies were generated together; they are begun again in halves, which changes "
        f"rounding only (generation.cache_gib={allowance.tokens * size / 2**30:.2g} begins with halves)",
        style="yellow",
    )
    return micro_batches([item for batch in left for item in batch], new_tokens, allowance.tokens, row_tokens)


def micro_batches(work: Work, new_tokens: int, room: int, row_tokens: int = 0) -> list[Work]:
    """Cut `work`, sorted by length of prompt, so that rows × (longest prompt + `new_tokens` + `row_tokens`) ≤ `room`.

    The rows of one prompt may go to several batches. A single row that does not fit gets a batch of its own.
    """
    batches: list[Work] = []
    batch: list[tuple[list[int], list[int]]] = []
    held = 0
    for prompt, rows in work:
        most = max(1, room // (len(prompt) + new_tokens + row_tokens))
        while rows:
            free = most - held
            if free <= 0:
                batches.append(batch)
                batch, held, free = [], 0, most
            batch.append((prompt, rows[:free]))
            held += len(rows[:free])
            rows = rows[free:]
    return [*batches, batch] if batch else batches


def cache_tokens(model: Any, cache_gib: float | None) -> tuple[int, int]:
    """How many tokens of key-value cache fit into memory, and how many of them take as much as the logits of a row.

    Without `cache_gib` memory is 0.8 of what is free on a GPU, or 1 GiB on a CPU.
    """
    a_token = token_bytes(model)
    if cache_gib is not None:
        budget = cache_gib * 2**30
    elif model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        spare = torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
        budget = 0.8 * (free + spare)
    else:
        budget = 2**30
    return int(budget // a_token), model.config.get_text_config().vocab_size * ROW_BYTES // a_token


def token_bytes(model: Any) -> int:
    """Bytes of the key-value cache of one token, doubled, because old and new cache are there while it grows."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * 2 * config.num_hidden_layers * heads * size * torch.finfo(model.dtype).bits // 8


def _decode_batch(
    model: Any,
    batch: Work,
    sampling: Sampling,
    end_ids: Sequence[int],
    pad_id: int,
    stepper: type[Stepper],
    watch: Watch | None,
) -> list[tuple[int, Written]]:
    """The replies of one micro-batch, each with its row."""
    device = model.device
    rows = [row for _, rows in batch for row in rows]
    source = torch.tensor([place for place, (_, rows) in enumerate(batch) for _ in rows], device=device)
    rooms, logits, mask = prefill(model, [prompt for prompt, _ in batch], pad_id)
    width, padded = mask.shape[1], not bool(mask.all())
    for layer in rooms:
        layer.resize(-(-(width + min(sampling.tokens, FIRST_ROOM)) // 8) * 8, source)
    logits, mask = logits[source], mask[source]
    next_position = mask.sum(-1, keepdim=True)
    mask = torch.cat([mask, mask.new_ones(len(rows), sampling.tokens)], dim=1)
    model_steps = stepper(model, rooms, mask, padded)
    draws = None if sampling.temperature == 0 else random_numbers(sampling, rows).to(device)
    ends = torch.tensor(list(end_ids), device=device)

    tokens = torch.zeros(len(rows), sampling.tokens, dtype=torch.long, device=device)
    scores = torch.zeros(len(rows), sampling.tokens, device=device)
    lengths = torch.full((len(rows),), sampling.tokens, device=device)
    ended = torch.zeros(len(rows), dtype=torch.bool, device=device)
    live = torch.arange(len(rows), device=device)  # places in this batch that are still in the cache
    for step in range(sampling.tokens):
        chosen, score = pick(logits, sampling, None if draws is None else draws[live, step])
        tokens[live, step], scores[live, step] = chosen, score
        if watch:
            for place in live[~ended[live]].tolist():
                watch(rows[place], int(tokens[place, step]))
        stopping = torch.isin(chosen, ends)
        lengths[live[stopping & ~ended[live]]] = step + 1
        ended[live] |= stopping
        going = int((~ended[live]).sum())
        if going == 0 or step + 1 == sampling.tokens:
            break
        if going <= DROP_AT[stepper] * len(live):
            keep = (~ended[live]).nonzero().squeeze(1)
            live, chosen, next_position = live[keep], chosen[keep], next_position[keep]
            model_steps.keep(keep)
        logits = model_steps.step(chosen, next_position)
        next_position = next_position + 1
    made = zip(rows, tokens.tolist(), scores.tolist(), lengths.tolist(), ended.tolist(), strict=True)
    return [(row, (ids[:length], logprobs[:length], end)) for row, ids, logprobs, length, end in made]


def random_numbers(sampling: Sampling, rows: Sequence[int]) -> torch.Tensor:
    """Uniform numbers in [0, 1) of shape (rows, tokens), float64. Only a row's key decides its stream."""
    streams = (np.random.Generator(np.random.Philox(key=sampling.key(row))) for row in rows)
    return torch.from_numpy(np.stack([stream.random(sampling.tokens) for stream in streams]))


def pick(logits: torch.Tensor, sampling: Sampling, draws: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """A token for each row of `logits` (rows, vocabulary), and its log-probability at the sampling temperature.

    Sampling inverts the cumulative distribution at `draws` (rows,); None takes the likeliest token. Top-k, then top-p,
    cut the distribution. They do not change the log-probability, which is that of the policy in training.
    """
    logprobs = torch.log_softmax(logits.float() / (sampling.temperature or 1.0), dim=-1)
    if draws is None:
        chosen = logprobs.argmax(-1)
    else:
        chances = logprobs.exp()
        if sampling.top_k or sampling.top_p < 1:
            ranked, order = chances.sort(dim=-1, descending=True)
            if sampling.top_k:
                ranked[:, sampling.top_k :] = 0.0
            before = (ranked.cumsum(-1) - ranked) / ranked.sum(-1, keepdim=True)
            cut = before >= sampling.top_p
            chances = torch.zeros_like(chances).scatter(-1, order, ranked.masked_fill(cut, 0.0))
        chosen = drawn(chances, draws)
    return chosen, logprobs.gather(-1, chosen[:, None]).squeeze(1)


def drawn(chances: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The place in each row of `chances` (rows, words) where the cumulative sum passes `draws` (rows,) times the sum.

    Sums of blocks are searched first, then the block: that is faster than a cumulative sum of all words.
    """
    blocks = torch.nn.functional.pad(chances, (0, -chances.shape[-1] % BLOCK)).unflatten(-1, (-1, BLOCK))
    reached = blocks.sum(-1).cumsum(-1, dtype=torch.float64)
    target = below(draws[:, None] * reached[:, -1:], reached)
    block = torch.searchsorted(reached, target, right=True).clamp(max=reached.shape[-1] - 1)  # where all are NaN
    before = torch.nn.functional.pad(reached, (1, 0)).gather(-1, block)
    inner = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK)).squeeze(1).cumsum(-1, dtype=torch.float64)
    place = torch.searchsorted(inner, below(target - before, inner), right=True)
    return (block * BLOCK + place).squeeze(-1).clamp(max=chances.shape[-1] - 1)


def below(target: torch.Tensor, reached: torch.Tensor) -> torch.Tensor:
    """`target`, but less than the last of `reached`, which rounding may not give it: no place lies there."""
    last = reached[:, -1:]
    return torch.minimum(target, torch.nextafter(last, torch.zeros_like(last)))
