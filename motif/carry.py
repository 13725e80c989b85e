"""What one round hands to the next. A carry-over is a small class: `carry(reply, answer, tokenizer) -> Carried`."""

from dataclasses import dataclass
from typing import Any

from motif.checks import one_of, whole
from motif.generation import Reply
from motif.untrusted import encodable


@dataclass(frozen=True, slots=True)
class Carried:
    """The text for the next round (None: nothing) and whether a limit cut it."""

    text: str | None
    cut: bool = False


@dataclass(frozen=True)
class Summary:
    """The text of the answer tag, at most `tokens` tokens of it (INFTYTHINK, arXiv 2503.06692; MOTIF).

    A reply without a complete answer tag carries nothing (`missing=none`), or its last `tokens` tokens
    (`missing=tail`). `missing=whole` hands on its whole text, however long, as the published code did.
    """

    tokens: int = 512
    missing: str = "none"

    def __post_init__(self) -> None:
        whole("episode.carry.tokens", self.tokens)
        one_of("episode.carry.missing", self.missing, ("none", "tail", "whole"))

    def carry(self, reply: Reply, answer: str | None, tokenizer: Any) -> Carried:
        if answer:
            ids = tokenizer(encodable(answer), add_special_tokens=False)["input_ids"]
            if len(ids) <= self.tokens:
                return Carried(answer)
            return Carried(tokenizer.decode(ids[: self.tokens]), cut=True)
        if self.missing == "none":
            return Carried(None)
        if self.missing == "whole":
            return Carried(reply.text)
        return Carried(tokenizer.decode(reply.token_ids[-self.tokens :]), cut=len(reply.token_ids) > self.tokens)
