"""Replies to conversations. A generator is a function `generate(conversations, sampling) -> replies`, nothing more.

Each row of a call draws from random numbers of its own, by its key. A key is made of what is drawn for, the question,
the reply and the round. So a reply depends on its prompt and its key, never on which rows shared a batch with it, how
batches were cut to fit memory, in which process it was generated, or which other episodes had ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from motif.rounds.prompts import Conversation
from motif.system.errors import UserError, number, whole


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Args:
        tokens: new ones a reply, at most.
        temperature: 0 takes the likeliest token (greedy).
        top_p: 1 leaves the distribution whole.
        top_k: 0 leaves the distribution whole.
        keys: of the random numbers of each row of a call (`draw_key`), each below 2**63. Without them a row's key is
            its place.
    """

    tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    keys: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        whole("tokens of a round", self.tokens)
        number("temperature", self.temperature, at_least=0)
        number("top_p", self.top_p, above=0, at_most=1)
        whole("top_k", self.top_k, at_least=0)

    def keyed(self, keys: Sequence[int]) -> "Sampling":
        return replace(self, keys=tuple(keys))

    def key(self, row: int) -> int:
        """Of the random numbers of a row of a call."""
        return self.keys[row] if self.keys else row


def draw_key(*parts: object) -> int:
    """A key of random numbers, below 2**48, that these parts decide: a purpose, a seed, a question's id, places.

    Rows with one prompt may have the keys that follow it, one each.
    """
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=6).digest(), "big")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a policy wrote: its `text`, the engine's own `token_ids` (at least one, the end token included) and those
    of the prompt, `logprobs` of the reply's tokens at the sampling temperature where the engine knows them, and
    whether it `finished` or was cut off at the token limit."""

    text: str
    token_ids: list[int]
    prompt_ids: list[int]
    finished: bool
    logprobs: list[float] | None = None


Generate = Callable[[Sequence[Conversation], Sampling], list[Reply]]


class EngineLost(UserError):
    """What generates is gone and did not come back in time; the message says how to have it again."""
