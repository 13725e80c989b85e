"""Replies behind one prompt, in one row: in an update the prompt of a group is computed once, not with each reply.

A row holds the prompt without its last token, and then for each reply that last token and the reply. A mask lets a
reply see the prompt and itself alone, and positions begin again with each reply. So log-probabilities and gradients are
those of separate rows, apart from rounding. It knows token ids and the two attentions that take such a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FAMILIES = ("llama", "qwen2", "qwen3")  # each position sees all before it, and knows its place by position_ids alone
LEAST = 64  # tokens of the shortest prompt that is worth it; a mask of its own is not free


@dataclass(frozen=True)
class Packed:
    """Rows of a batch, packed by prompt.

    Attributes:
        ids, positions, labels: (prompts, places); a label is the next token of a reply, -100 elsewhere.
        sees: (prompts, 1, places, places), true where a place attends to another.
        spans: for each row of the batch, by what packed row, from and to which place its reply is labelled.
    """

    ids: Any
    positions: Any
    labels: Any
    sees: Any
    spans: Sequence[tuple[int, int, int]]


def fits(model: Any) -> bool:
    """Whether `model` computes packed rows as it computes separate ones."""
    config = getattr(model, "module", model).config.get_text_config()  # of DistributedDataParallel
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    return config.model_type in FAMILIES and layers == {"full_attention"} and config._attn_implementation == "sdpa"


def pack(ids: Any, mask: Any, kept: int) -> Packed | None:
    """The rows of a batch by prompt; None where that saves less than half of the tokens.

    Args:
        ids, mask: (rows, tokens), prompts padded on the left and replies on the right.
        kept: the width of the replies.
    """
    import torch

    width = ids.shape[1] - kept
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, (tokens, real) in enumerate(zip(ids[:, :width], mask[:, :width], strict=True)):
        groups.setdefault(tuple(tokens[real.bool()].tolist()), []).append(row)
    lengths = mask[:, width:].sum(1).tolist()
    places = [len(prompt) - 1 + sum(max(1, lengths[row]) for row in rows) for prompt, rows in groups.items()]
    if min(map(len, groups)) < LEAST or 2 * len(groups) * max(places) > int(mask.sum()):
        return None
    shape = len(groups), max(places)
    packed, positions = ids.new_zeros(shape), ids.new_zeros(shape)
    labels, segment = ids.new_full(shape, -100), ids.new_full(shape, -1)
    spans = {}
    for place, (prompt, rows) in enumerate(groups.items()):
        before = len(prompt) - 1
        packed[place, :before] = ids.new_tensor(prompt[:-1])
        positions[place, :before] = torch.arange(before)
        segment[place, :before] = 0
        start = before
        for number, row in enumerate(rows, start=1):
            end = start + max(1, lengths[row])
            reply = ids[row, width : width + end - start]
            packed[place, start], packed[place, start + 1 : end] = prompt[-1], reply[:-1]
            labels[place, start : start + lengths[row]] = reply[: lengths[row]]
            positions[place, start:end] = torch.arange(before, before + end - start)
            segment[place, start:end] = number
            spans[row] = place, start, start + lengths[row]
            start = end
    one, other = segment[:, :, None], segment[:, None, :]
    earlier = torch.ones(shape[1], shape[1], dtype=torch.bool, device=ids.device).tril()
    sees = ((other == 0) | (one == other)) & (one >= 0) & earlier | torch.eye(
        shape[1], dtype=torch.bool, device=ids.device
    )
    return Packed(packed, positions, labels, sees[:, None], [spans[row] for row in range(len(ids))])


def unpacked(values: Any, packed: Packed, kept: int) -> Any:
    """`values` at the places of each row's reply, (rows, `kept`), 0 where it has ended."""
    import torch

    rows = [values[place, start:end] for place, start, end in packed.spans]
    return torch.stack([torch.nn.functional.pad(row, (0, kept - len(row))) for row in rows])
