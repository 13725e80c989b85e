"""What prompts begin with alike is computed once: replies behind one beginning, in one row of an update.

A row holds what prompts begin with, and then for each reply the rest of its prompt and the reply. A mask lets these see
the beginning and themselves alone, and positions begin again with each reply. So log-probabilities and gradients are
those of separate rows, apart from rounding. It knows token ids and the attention that takes such a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 48  # tokens that prompts have alike for these to be computed once; a mask and a copy are not free


@dataclass(frozen=True)
class Packed:
    """Rows of a batch, packed by what their prompts begin with.

    Attributes:
        ids, positions, labels: (beginnings, places); a label is the next token of a reply, -100 elsewhere.
        sees: (beginnings, 1, places, places), true where a place attends to another.
        spans: for each row of the batch, by what packed row, from and to which place its reply is labelled.
    """

    ids: Any
    positions: Any
    labels: Any
    sees: Any
    spans: Sequence[tuple[int, int, int]]


def beginnings(prompts: Sequence[list[int]]) -> tuple[list[list[int]], list[int]]:
    """What prompts begin with alike, such as the question of a group in later rounds, and by prompt which of them.

    None where to read these once saves less than a third of the tokens.
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    begun: list[list[int]] = []
    places = [0] * len(prompts)
    for place in order:
        prompt = prompts[place][:-1]  # something of each is left to read
        common = shared(begun[-1], prompt) if begun else 0
        if common >= max(LEAST, len(prompt) // 2):
            begun[-1] = prompt[:common]
        else:
            begun.append(prompt)
        places[place] = len(begun) - 1
    whole, read = sum(map(len, prompts)), sum(map(len, begun))
    read += sum(len(prompt) - len(begun[place]) for prompt, place in zip(prompts, places, strict=True))
    return (begun, places) if 3 * read <= 2 * whole else ([], [])


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two rows have alike from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def pack(ids: Any, mask: Any, kept: int) -> Packed | None:
    """The rows of a batch by what their prompts begin with; None where that saves less than a third of the tokens.

    Args:
        ids, mask: (rows, tokens), prompts padded on the left and replies on the right.
        kept: the width of the replies.
    """
    import torch

    width = ids.shape[1] - kept
    prompts = [tokens[real.bool()].tolist() for tokens, real in zip(ids[:, :width], mask[:, :width], strict=True)]
    begun, groups = beginnings(prompts)
    if not begun:
        return None
    lengths = mask[:, width:].sum(1).tolist()
    taken = [len(beginning) for beginning in begun]
    for prompt, group, length in zip(prompts, groups, lengths, strict=True):
        taken[group] += len(prompt) - len(begun[group]) + max(0, length - 1)
    if 3 * len(begun) * max(taken) > 2 * ids.numel():
        return None
    shape = len(begun), max(taken)
    packed, positions = ids.new_zeros(shape), ids.new_zeros(shape)
    labels, segment = ids.new_full(shape, -100), ids.new_full(shape, -1)
    ends = []
    for place, beginning in enumerate(begun):
        packed[place, : len(beginning)] = ids.new_tensor(beginning)
        positions[place, : len(beginning)] = torch.arange(len(beginning))
        segment[place, : len(beginning)] = 0
        ends.append(len(beginning))
    spans = []
    for row, (prompt, place) in enumerate(zip(prompts, groups, strict=True)):
        before, start, length = len(begun[place]), ends[place], lengths[row]
        reply = ids[row, width : width + length]
        said = torch.cat([ids.new_tensor(prompt[before:]), reply[:-1]])
        first, end = start + len(prompt) - before - 1, start + len(said)
        packed[place, start:end] = said
        labels[place, first : first + length] = reply
        positions[place, start:end] = torch.arange(before, before + len(said))
        segment[place, start:end] = row + 1
        spans.append((place, first, first + length))
        ends[place] = end
    one, other = segment[:, :, None], segment[:, None, :]
    earlier = torch.ones(shape[1], shape[1], dtype=torch.bool, device=ids.device).tril()
    sees = ((other == 0) | (one == other)) & (one >= 0) & earlier | torch.eye(
        shape[1], dtype=torch.bool, device=ids.device
    )
    return Packed(packed, positions, labels, sees[:, None], spans)


def unpacked(values: Any, packed: Packed, kept: int) -> Any:
    """`values` at the places of each row's reply, (rows, `kept`), 0 where it has ended."""
    import torch

    rows = [values[place, start:end] for place, start, end in packed.spans]
    return torch.stack([torch.nn.functional.pad(row, (0, kept - len(row))) for row in rows])
