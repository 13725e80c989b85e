"""What one round hands to the next. A carry-over is a small class: `carry(turn) -> Carried`, and a few facts of it.

`told` is how the policy is told of it in the prompt; `tagged` says whether it is what the policy puts in its answer
tag, so that every round has to have one. `most(rooms)` is the number of tokens that it hands on at most, after rounds
with room for so many each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from motif.rounds.prompts import TAGGED
from motif.rounds.replies import Reply
from motif.system.errors import one_of, whole
from motif.system.safe_text import encodable


@dataclass(frozen=True, slots=True)
class Carried:
    """The text for the next round (None: nothing) and whether a limit cut it."""

    text: str | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a carry-over may look at: a reply and the text of its answer tag, the replies before it, and the tokens that
    its round had room for."""

    reply: Reply
    answer: str | None
    before: Sequence[Reply]
    room: int
    tokenizer: Any

    def last(self, tokens: int) -> Carried:
        """The end of the reply."""
        ids = self.reply.token_ids
        return Carried(self.tokenizer.decode(ids[-tokens:]), cut=len(ids) > tokens)


@dataclass(frozen=True)
class Summary:
    """The text of the answer tag, at most `tokens` tokens of it (INFTYTHINK, arXiv 2503.06692; MOTIF).

    A reply without a complete answer tag carries nothing (`missing=none`), or its last `tokens` tokens
    (`missing=tail`). `missing=whole` hands on its whole text, however long, as the published code did.
    """

    tokens: int = 512
    missing: str = "none"
    tagged: ClassVar[bool] = True
    told: ClassVar[str] = TAGGED.told

    def __post_init__(self) -> None:
        whole("episode.carry.tokens", self.tokens)
        one_of("episode.carry.missing", self.missing, ("none", "tail", "whole"))

    def carry(self, turn: Turn) -> Carried:
        if turn.answer:
            ids = turn.tokenizer(encodable(turn.answer), add_special_tokens=False)["input_ids"]
            if len(ids) <= self.tokens:
                return Carried(turn.answer)
            return Carried(turn.tokenizer.decode(ids[: self.tokens]), cut=True)
        if self.missing == "none":
            return Carried(None)
        if self.missing == "whole":
            return Carried(turn.reply.text)
        return turn.last(self.tokens)

    def most(self, rooms: Sequence[int]) -> int:
        return rooms[-1] if self.missing == "whole" else min(self.tokens, rooms[-1])


@dataclass(frozen=True)
class Tail:
    """The last `tokens` tokens of the reply (null: half of the round's room), whatever they are; no summary is asked
    for."""

    tokens: int | None = None
    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "the next one sees the last part of what you write and goes on from there"

    def __post_init__(self) -> None:
        if self.tokens is not None:
            whole("episode.carry.tokens", self.tokens)

    def carry(self, turn: Turn) -> Carried:
        return turn.last(self.most([turn.room]))

    def most(self, rooms: Sequence[int]) -> int:
        return min(self.tokens or max(1, rooms[-1] // 2), rooms[-1])


@dataclass(frozen=True)
class HeadTail:
    """The first `head` tokens of round 1 (at most a quarter of the room) and the last `tokens` of this one (null: half
    of the room, less the head), as in the Markovian Thinker (Delethink, arXiv 2510.06557), whose head has 100."""

    head: int = 100
    tokens: int | None = None
    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "the next one sees the beginning of round 1 and the last part of what you write"

    def __post_init__(self) -> None:
        whole("episode.carry.head", self.head)
        if self.tokens is not None:
            whole("episode.carry.tokens", self.tokens)

    def carry(self, turn: Turn) -> Carried:
        first, (head, tail) = [*turn.before, turn.reply][0], self.parts(turn.room)
        if not turn.before and len(first.token_ids) <= head + tail:  # they would overlap
            return turn.last(head + tail)
        return Carried(f"{turn.tokenizer.decode(first.token_ids[:head])} … {turn.last(tail).text}", cut=True)

    def parts(self, room: int) -> tuple[int, int]:
        """Tokens of the head and of the tail."""
        head = max(1, min(self.head, room // 4))
        return head, self.tokens or max(1, room // 2 - head)

    def most(self, rooms: Sequence[int]) -> int:
        return sum(self.parts(rooms[-1])) + 3  # for the sign between them


@dataclass(frozen=True)
class Full:
    """Everything that was written so far: the control whose context grows."""

    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "the next one sees everything that you have written so far"

    def carry(self, turn: Turn) -> Carried:
        return Carried("\n".join(reply.text for reply in (*turn.before, turn.reply)))

    def most(self, rooms: Sequence[int]) -> int:
        return sum(rooms) + len(rooms)


@dataclass(frozen=True)
class Nothing:
    """Nothing: the control that shows whether carrying matters."""

    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "nothing of it reaches the next one"

    def carry(self, turn: Turn) -> Carried:
        return Carried(None)

    def most(self, rooms: Sequence[int]) -> int:
        return 0
