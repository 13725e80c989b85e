"""Replies to conversations. A generator is a function `generate(conversations, sampling) -> replies`, nothing more.

Each row of a call draws from random numbers of its own, keyed by the call's seed and the row's place. So a reply
depends on its prompt, its seed and its place, never on which other rows shared a batch with it, how batches were cut
to fit memory, or what was generated before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from motif.rounds.prompts import Conversation
from motif.system.errors import UserError, number, whole


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: at most `tokens` new ones a reply; `temperature` 0 takes the likeliest token (greedy).

    `top_k` 0 and `top_p` 1 leave the distribution whole. Row i of a call draws from random numbers keyed by
    (`seed`, `first` + i).
    """

    tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    first: int = 0

    def __post_init__(self) -> None:
        whole("tokens of a round", self.tokens)
        number("temperature", self.temperature, at_least=0)
        number("top_p", self.top_p, above=0, at_most=1)
        whole("top_k", self.top_k, at_least=0)

    def seeded(self, seed: int) -> "Sampling":
        return replace(self, seed=seed)


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
