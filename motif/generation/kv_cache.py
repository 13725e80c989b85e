"""The key-value cache of decoding, and single steps of a model over it: plain, or captured as a CUDA graph.

A step of a 3B model is about a thousand small kernels. A GPU needs less time to run them than Python needs to launch
them. A captured step is launched as one. It needs memory that stays in its place: the cache has spare room, the place
to write to is a tensor, and a mask hides the room that is not filled yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer

from motif.generation import private

FIRST_ROOM = 64  # new tokens that a cache has room for before it first grows
GROUPED = "motif_grouped"  # our attention of a single query, in the library's table


class Room(DynamicLayer):
    """A cache layer with spare room: new keys and values are written in place, and rows can leave.

    Where `place` is a tensor, they are written there, and `update` returns all of the room, filled or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        self.place: torch.Tensor | None = None

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.place is not None:
            self.keys.index_copy_(2, self.place, key_states)  # type: ignore[union-attr]
            self.values.index_copy_(2, self.place, value_states)  # type: ignore[union-attr]
            return self.keys, self.values
        end = self.length + key_states.shape[-2]
        if self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        else:
            if end > self.room:
                self.resize(grown(self.length))
            self.keys[:, :, self.length : end] = key_states
            self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def resize(self, room: int, rows: torch.Tensor | None = None) -> None:
        """Move to new memory with `room` positions; with `rows`, take only these, which may repeat."""
        for name in ("keys", "values"):
            old = getattr(self, name)[:, :, : self.length]
            new = old.new_zeros(old.shape[0] if rows is None else len(rows), old.shape[1], room, old.shape[3])
            new[:, :, : self.length] = old if rows is None else old.index_select(0, rows)
            setattr(self, name, new)

    @property
    def room(self) -> int:
        """The number of positions that there is memory for."""
        return self.keys.shape[-2]  # type: ignore[union-attr]

    def get_seq_length(self, *args: Any) -> int:
        return self.length


def grown(length: int) -> int:
    """The new room of a cache that is full at `length`."""
    return max(2 * length, length + FIRST_ROOM)


class Stepper:
    """Steps of `model`, a token a row, over the cache of a prefill.

    Args:
        rooms: the cache, a layer each.
        mask: (rows, positions), which positions are text and not padding.
        padded: whether any position is padding.
    """

    def __init__(self, model: Any, rooms: list[Room], mask: torch.Tensor, padded: bool) -> None:
        self.model, self.rooms, self.mask, self.padded = model, rooms, mask, padded
        self.cache = Cache(layers=list(rooms))
        self.grouped = model.device.type == "cpu" and private.attention(model) == "sdpa" and attends_to_all(model)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits (rows, vocabulary) of the next token after `tokens` (rows,) at `positions` (rows, 1)."""
        mask = self.mask[:, : self.rooms[0].length + 1] if self.padded else None
        if self.grouped and mask is not None:
            mask = mask[:, None, None].bool()
        with grouped_attention(self.model) if self.grouped else nullcontext():
            return self.logits_of(tokens[:, None], mask, positions)

    def logits_of(self, ids: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        """The model's logits (rows, vocabulary) after `ids` (rows, 1), with the cache."""
        cached: dict[str, Any] = {"past_key_values": self.cache, "use_cache": True}
        return self.model(input_ids=ids, attention_mask=mask, position_ids=positions, **cached).logits[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only."""
        self.mask = self.mask[rows]
        for layer in self.rooms:
            layer.resize(layer.room, rows)


class Captured(Stepper):
    """The same, with each step as one CUDA graph. It is captured again when rows leave or the cache grows."""

    graph: Any = None

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        length = self.rooms[0].length
        if length + 1 > self.rooms[0].room:
            for layer in self.rooms:
                layer.resize(grown(length))
            self.graph = None
        if self.graph is None:
            self._capture(tokens, positions, length)
        else:
            self.tokens.copy_(tokens[:, None])
            self.positions.copy_(positions)
            self.place.fill_(length)
            self.seen[:, :, :, length] = True
            self.graph.replay()
        for layer in self.rooms:
            layer.length = length + 1
        return self.logits

    def keep(self, rows: torch.Tensor) -> None:
        super().keep(rows)
        self.graph = None

    def _capture(self, tokens: torch.Tensor, positions: torch.Tensor, length: int) -> None:
        """Take the step in plain form, which warms up what the graph will call, then capture and run it."""
        room, rows = self.rooms[0].room, len(tokens)
        self.tokens, self.positions = tokens[:, None].clone(), positions.clone()
        self.place = torch.tensor([length], device=tokens.device)
        self.seen = torch.zeros(rows, 1, 1, -(-room // 8) * 8, dtype=torch.bool, device=tokens.device)[..., :room]
        self.seen[:, 0, 0, : length + 1] = self.mask[:, : length + 1].bool()
        for layer in self.rooms:
            layer.place = self.place
        with grouped_attention(self.model):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.logits_of(self.tokens, self.seen, self.positions)
            torch.cuda.current_stream().wait_stream(stream)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.logits = self.logits_of(self.tokens, self.seen, self.positions)
        self.graph.replay()


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Within the block, a single query attends without copies of keys and values for each of its heads."""
    before = private.attention(model)
    AttentionInterface.register(GROUPED, grouped)
    private.set_attention(model, GROUPED)
    try:
        yield
    finally:
        private.set_attention(model, before)


def grouped(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **options: Any
) -> tuple[torch.Tensor, None]:
    """Attention of one query a row. Heads that share keys are handled as if they were positions of one head."""
    rows, heads, _, size = query.shape
    packed = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    out = torch.nn.functional.scaled_dot_product_attention(
        packed, key, value, attn_mask=mask, scale=options.get("scaling")
    )
    return out.reshape(rows, 1, heads, -1), None


def capturable(model: Any) -> bool:
    """Whether steps of `model` can be captured: it is on a GPU, not quantised, and its attention layers are plain."""
    return (
        model.device.type == "cuda"
        and not getattr(model, "is_quantized", False)
        and private.attention(model) in ("sdpa", "eager")
        and attends_to_all(model)
    )


def attends_to_all(model: Any) -> bool:
    """Whether each layer of `model` attends to all positions before a query, with no window, by a function of the
    library's table."""
    if not getattr(model, "_supports_attention_backend", False):
        return False
    config = model.config.get_text_config()
    window = getattr(config, "use_sliding_window", getattr(config, "sliding_window", None))
    return not window and {*(getattr(config, "layer_types", None) or ())} <= {"full_attention"}
