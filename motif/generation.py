"""Replies to conversations. A generator is a function `generate(conversations, sampling) -> replies`, nothing more.

Each row of a call draws from random numbers of its own, keyed by the call's seed and the row's place. So a reply
depends on its prompt, its seed and its place, never on which other rows shared a batch with it, how batches were cut
to fit memory, or what was generated before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from motif.checks import number, whole
from motif.prompts import Conversation

if TYPE_CHECKING:
    from motif.models import Policy


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: at most `tokens` new ones a reply; `temperature` 0 takes the likeliest token (greedy).

    `top_k` 0 and `top_p` 1 leave the distribution whole.
    """

    tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

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


@dataclass(frozen=True)
class Transformers:
    """Generation with the training model itself, in this process (`generation=transformers`).

    `cache_gib` bounds the key-value cache of one micro-batch; null takes 0.8 of the free memory of a GPU, or 1 GiB on
    a CPU. Results do not depend on it.
    """

    name: str = "transformers"
    cache_gib: float | None = None

    def __post_init__(self) -> None:
        if self.cache_gib is not None:
            number("generation.cache_gib", self.cache_gib, above=0)

    def generator(self, policy: "Policy") -> Generate:
        from motif.decoding import decode

        def generate(conversations: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            prompts = policy.render(conversations)
            written = decode(policy.model, prompts, sampling, policy.end_ids, policy.pad_id, self.cache_gib)
            texts = policy.tokenizer.batch_decode([policy.without_end(ids) for ids, _, _ in written])
            return [
                Reply(text, ids, prompt, finished, logprobs)
                for text, prompt, (ids, logprobs, finished) in zip(texts, prompts, written, strict=True)
            ]

        return generate
