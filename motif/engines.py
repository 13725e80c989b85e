"""Engines: what makes a generator of a policy. A choice each of the config group `generation`."""

from collections.abc import Sequence
from dataclasses import dataclass

from motif.checks import number
from motif.generation import Generate, Reply, Sampling
from motif.models import Policy
from motif.prompts import Conversation


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

    def generator(self, policy: Policy) -> Generate:
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
