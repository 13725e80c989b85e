"""What a generator takes and gives. It is a function `generate(conversations, sampling) -> replies`, nothing more.

Each row of a call has its own random numbers, keyed by the call's seed and the row's place. So a reply depends on its
prompt, its seed and its place. It does not depend on the other rows of its batch, on how batches were cut to fit
memory, or on what was generated before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from motif.rounds.prompts import Conversation
from motif.system.errors import UserError, number, whole


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Args:
        tokens: the most new tokens of a reply.
        temperature: 0 takes the likeliest token (greedy).
        top_p, top_k: 1 and 0 leave the distribution as it is.
        seed, first: the random numbers of row i of a call are keyed by (`seed`, `first` + i).

    Raises:
        UserError: a value that cannot be.
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
    """What a policy wrote.

    Attributes:
        text: without the token that ended it.
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
