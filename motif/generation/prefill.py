"""Reading prompts: what they begin with alike once, then the rest of each. It leaves a key-value cache."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache

from motif.generation.kv_cache import Room
from motif.generation.packed import beginnings

PREFILL_TOKENS = 16_384  # tokens of prompts in one forward pass


def prefill(model: Any, prompts: list[list[int]], pad_id: int) -> tuple[list[Room], torch.Tensor, torch.Tensor]:
    """Read `prompts`, left-padded to one width.

    Returns:
        The cache, a layer each; the logits (prompts, vocabulary) after each prompt; and the mask (prompts, width) of
        what is text.
    """
    begun, places = beginnings(prompts)
    rests = [prompt[len(begun[place]) :] for prompt, place in zip(prompts, places, strict=True)] if begun else []
    if rests and len(rests) * max(map(len, rests)) <= PREFILL_TOKENS:
        rooms, _, before = prefill(model, begun, pad_id)  # each beginning once; its cache is copied for its prompts
        ids, after = padded(rests, pad_id, model.device)
        source = torch.tensor(places, device=model.device)
        for room in rooms:
            room.resize(room.length + ids.shape[1], source)
        mask = torch.cat([before[source], after], dim=1)
        return rooms, read(model, ids, mask, rooms), mask
    ids, mask = padded(prompts, pad_id, model.device)
    width = ids.shape[1]
    layers = model.config.get_text_config().num_hidden_layers
    at_once, parts, logits = max(1, PREFILL_TOKENS // width), [], []
    for start in range(0, len(prompts), at_once):
        rooms, part = [Room() for _ in range(layers)], mask[start : start + at_once]
        logits.append(read(model, ids[start : start + at_once], part, rooms))
        parts.append(rooms)
    for room, *others in zip(*parts, strict=True):
        if others:
            room.keys = torch.cat([room.keys, *(other.keys for other in others)])
            room.values = torch.cat([room.values, *(other.values for other in others)])
    return parts[0], torch.cat(logits), mask


def read(model: Any, ids: torch.Tensor, mask: torch.Tensor, rooms: list[Room]) -> torch.Tensor:
    """The logits (rows, vocabulary) after `ids`, which are appended to `rooms`; `mask` spans both."""
    cached: dict[str, Any] = {"past_key_values": Cache(layers=list(rooms)), "use_cache": True, "logits_to_keep": 1}
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    told = None if bool(mask.all()) else mask
    return model(input_ids=ids, attention_mask=told, position_ids=positions, **cached).logits[:, -1]


def padded(rows: Sequence[list[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of ids, padded on the left to one width, and the mask of what is no padding."""
    width = max(map(len, rows))
    ids = [[pad_id] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
