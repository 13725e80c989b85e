"""What a generator takes and gives. It is a function `generate(conversations, sampling) -> replies`, nothing more.

Each row of a call has its own random numbers, by its key. A key is made of the purpose, the seed, the question, the
reply and the round. So a reply depends on its prompt and its key. It does not depend on the other rows of its batch, on
how batches were cut to fit memory, on the process that generates it, or on episodes that ended before.
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
        tokens: the most new tokens of a reply.
        temperature: 0 takes the likeliest token (greedy).
        top_p, top_k: 1 and 0 leave the distribution as it is.
        keys: of the random numbers of each row of a call (`draw_key`). Without them a row's key is its place.

    Raises:
        UserError: a value that cannot be.
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

    The rows of one prompt have this key and those that follow it, one each.
    """
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=6).digest(), "big")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a policy wrote.

    Attributes:
        text: without the token that ended it; after the `<think>` that opened it, where the prompt ends with one.
        token_ids: as the engine drew them, at least one, the end token included.
        prompt_ids: the tokens of the prompt.
        finished: false where the token limit cut it off.
        logprobs: one a token at the sampling temperature; None where the engine does not know them.
    """

    text: str
    token_ids: list[int]
    prompt_ids: list[int]
    finished: bool
    logprobs: list[float] | None = None


Generate = Callable[[Sequence[Conversation], Sampling], list[Reply]]


class EngineLost(UserError):
    """The engine is gone and did not come back in time. The message says how to start it again."""
