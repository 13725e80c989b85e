"""Batched decoding with a causal language model of transformers.

What it adds to `model.generate`: equal prompts are computed once and shared; rows that have ended leave the batch;
the key-value cache is written in place and grows by doubling; batches are cut to a memory budget over prompts sorted
by length; and each row has random numbers of its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import Cache, DynamicLayer

from motif.checks import UserError
from motif.generation import Sampling

Written = tuple[list[int], list[float], bool]  # token ids, their log-probabilities, finished

FIRST_ROOM = 64  # new tokens that a cache has room for before it first grows
DROP_AT = 0.85  # ended rows leave once the live ones are no more than this share of the batch


@torch.inference_mode()
def decode(
    model: Any,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    end_ids: Sequence[int],
    pad_id: int,
    cache_gib: float | None = None,
) -> list[Written]:
    """One reply for each row of `prompts` (token ids), in their order.

    Rows with equal prompts share one prefill; under greedy sampling they share one reply. `cache_gib` bounds the
    key-value cache in GiB.
    """
    shared: dict[tuple[int, ...], list[int]] = {}
    for row, prompt in enumerate(prompts):
        shared.setdefault(tuple(prompt), []).append(row)
    if limit := getattr(model.config.get_text_config(), "max_position_embeddings", None):
        longest = max(map(len, shared), default=0)
        if longest + sampling.tokens > limit:
            raise UserError(
                f"a prompt of {longest} tokens and a reply of {sampling.tokens} do not fit the model's {limit} "
                "positions; lower the tokens of a round (episode.tokens) or carry less over"
            )
    greedy = sampling.temperature == 0
    work = [(list(prompt), rows[:1] if greedy else rows) for prompt, rows in shared.items()]
    work.sort(key=lambda item: len(item[0]))
    written: list[Written | None] = [None] * len(prompts)
    was_training = model.training
    model.eval()
    try:
        for batch in micro_batches(work, sampling.tokens, cache_tokens(model, cache_gib)):
            for row, result in _decode_batch(model, batch, sampling, end_ids, pad_id):
                written[row] = result
    finally:
        model.train(was_training)
    if greedy:
        for rows in shared.values():
            for row in rows[1:]:
                written[row] = written[rows[0]]
    return written  # type: ignore[return-value]


def micro_batches(
    work: Sequence[tuple[list[int], list[int]]], new_tokens: int, room: int
) -> list[list[tuple[list[int], list[int]]]]:
    """Cut `work`, (prompt, rows) sorted by prompt length, so that rows × (longest prompt + `new_tokens`) ≤ `room`.

    The rows of one prompt may be split over batches. A single row that does not fit gets a batch of its own.
    """
    batches: list[list[tuple[list[int], list[int]]]] = []
    batch: list[tuple[list[int], list[int]]] = []
    held = 0
    for prompt, rows in work:
        most = max(1, room // (len(prompt) + new_tokens))
        while rows:
            free = most - held
            if free <= 0:
                batches.append(batch)
                batch, held, free = [], 0, most
            batch.append((prompt, rows[:free]))
            held += len(rows[:free])
            rows = rows[free:]
    return [*batches, batch] if batch else batches


def cache_tokens(model: Any, cache_gib: float | None) -> int:
    """How many tokens of key-value cache fit the budget, at the model's own shape and type."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    a_token = 2 * config.num_hidden_layers * heads * size * torch.finfo(model.dtype).bits // 8
    if cache_gib is not None:
        budget = cache_gib * 2**30
    elif model.device.type == "cuda":
        budget = 0.8 * torch.cuda.mem_get_info(model.device)[0]
    else:
        budget = 2**30
    return int(budget // (a_token * 2))  # the cache stands twice while it grows


class Room(DynamicLayer):
    """A cache layer with spare room: new keys and values are written in place, and rows can leave."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        end = self.length + key_states.shape[-2]
        if self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        else:
            if end > self.room:
                self.resize(max(2 * self.length, self.length + FIRST_ROOM))
            self.keys[:, :, self.length : end] = key_states
            self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def resize(self, room: int, rows: torch.Tensor | None = None) -> None:
        """Move to new memory with `room` positions, and only these `rows` (which may repeat) where given."""
        for name in ("keys", "values"):
            old = getattr(self, name)[:, :, : self.length]
            new = old.new_empty(old.shape[0] if rows is None else len(rows), old.shape[1], room, old.shape[3])
            new[:, :, : self.length] = old if rows is None else old.index_select(0, rows)
            setattr(self, name, new)

    @property
    def room(self) -> int:
        """Positions that there is memory for."""
        return self.keys.shape[-2]  # type: ignore[union-attr]

    def get_seq_length(self, *args: Any) -> int:
        return self.length


def _decode_batch(
    model: Any,
    batch: list[tuple[list[int], list[int]]],
    sampling: Sampling,
    end_ids: Sequence[int],
    pad_id: int,
) -> list[tuple[int, Written]]:
    device = model.device
    prompts = [prompt for prompt, _ in batch]
    width = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + prompt for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    padded = not bool(mask.all())
    rooms = [Room() for _ in range(model.config.get_text_config().num_hidden_layers)]
    cache = Cache(layers=list(rooms))
    logits = model(
        input_ids=ids,
        attention_mask=mask if padded else None,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]

    rows = [row for _, rows in batch for row in rows]
    source = torch.tensor([place for place, (_, rows) in enumerate(batch) for _ in rows], device=device)
    for layer in rooms:
        layer.resize(width + min(sampling.tokens, FIRST_ROOM), source)
    logits, next_position = logits[source], positions[source, -1:] + 1
    mask = torch.cat([mask[source], mask.new_ones(len(rows), sampling.tokens)], dim=1)
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
        stopping = torch.isin(chosen, ends)
        lengths[live[stopping & ~ended[live]]] = step + 1
        ended[live] |= stopping
        going = int((~ended[live]).sum())
        if going == 0 or step + 1 == sampling.tokens:
            break
        if going <= DROP_AT * len(live):
            keep = (~ended[live]).nonzero().squeeze(1)
            for layer in rooms:
                layer.resize(layer.room, keep)
            live, chosen, next_position, mask = live[keep], chosen[keep], next_position[keep], mask[keep]
        logits = model(
            input_ids=chosen[:, None],
            attention_mask=mask[:, : width + step + 1] if padded else None,
            position_ids=next_position,
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        next_position = next_position + 1

    finished = ended.tolist()
    results = []
    for place, (length, ids_, scores_) in enumerate(
        zip(lengths.tolist(), tokens.tolist(), scores.tolist(), strict=True)
    ):
        results.append((rows[place], (ids_[:length], scores_[:length], finished[place])))
    return results


def random_numbers(sampling: Sampling, rows: Sequence[int]) -> torch.Tensor:
    """Uniform numbers in [0, 1) of shape (rows, tokens), float64; a row's stream is keyed by (seed, place) alone."""
    places = (sampling.first + row for row in rows)
    streams = (np.random.Generator(np.random.Philox(key=[sampling.seed, place])) for place in places)
    return torch.from_numpy(np.stack([stream.random(sampling.tokens) for stream in streams]))


def pick(logits: torch.Tensor, sampling: Sampling, draws: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """A token for each row of `logits` (rows, vocabulary) and its log-probability at the sampling temperature.

    Sampling inverts the cumulative distribution at `draws`; top-k and top-p cut the distribution but not the
    log-probability, which is that of the policy being trained.
    """
    logprobs = torch.log_softmax(logits.float() / (sampling.temperature or 1.0), dim=-1)
    if draws is None:
        chosen = logprobs.argmax(-1)
    else:
        chances = logprobs.exp()
        if sampling.top_k or sampling.top_p < 1:
            ranked, order = chances.sort(dim=-1, descending=True)
            cut = ranked.cumsum(-1) - ranked >= sampling.top_p
            if sampling.top_k:
                cut[:, sampling.top_k :] = True
            chances = torch.zeros_like(chances).scatter(-1, order, ranked.masked_fill(cut, 0.0))
        reached = chances.cumsum(-1, dtype=torch.float64)
        target = (draws * reached[:, -1])[:, None]
        chosen = torch.searchsorted(reached, target, right=True).squeeze(1).clamp(max=logits.shape[-1] - 1)
    return chosen, logprobs.gather(-1, chosen[:, None]).squeeze(1)
