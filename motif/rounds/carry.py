"""What one round carries to the next. A carry-over is a small class with `carry(turn) -> Carried`.

Each carry-over also has these:
  told         how the prompt describes to the policy what is carried
  tagged       whether the policy writes what is carried into its answer tag, so that every round needs one
  most(rooms)  the most tokens that it carries, after rounds with room for `rooms` tokens each
It takes neither tags nor thoughts out of the text: `Episode.node` does that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from motif.rounds.prompts import SUMMARY, Drawn
from motif.rounds.replies import Reply
from motif.system.errors import UserError, one_of, whole
from motif.system.safe_text import encodable


@dataclass(frozen=True, slots=True)
class Carried:
    """The text for the next round (None: nothing), and whether a limit cut it."""

    text: str | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a carry-over may look at.

    `answer` is the text of the reply's answer tag (None: it has none), `before` the replies of the rounds before,
    `room` the number of tokens that the round had room for.
    """

    reply: Reply
    answer: str | None
    before: Sequence[Reply]
    room: int
    tokenizer: Any

    def last(self, tokens: int) -> Carried:
        """The last `tokens` tokens of the reply."""
        ids = self.reply.token_ids
        return Carried(self.tokenizer.decode(ids[-tokens:]), cut=len(ids) > tokens)


@dataclass(frozen=True)
class Summary:
    """The text of the answer tag, at most `tokens` tokens of it (INFTYTHINK, arXiv 2503.06692; MOTIF).

    A reply without a complete answer tag carries nothing (`missing=none`) or its last `tokens` tokens
    (`missing=tail`). With `missing=whole` it carries its whole text, however long, as the published code did.
    """

    tokens: int = 512
    missing: str = "none"
    tagged: ClassVar[bool] = True
    told: ClassVar[str] = SUMMARY

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
    """The last `tokens` tokens of the reply; null means half of the round's room. No summary is asked for."""

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
    """The beginning of round 1 and the end of this round (Markovian Thinker, Delethink, arXiv 2510.06557).

    `head` is the number of tokens from round 1, at most a quarter of the room; Delethink has 100. `tokens` is the
    number of tokens from this round; null means half of the room less the head.
    """

    head: int = 100
    tokens: int | None = None
    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "the next one sees the beginning of round 1 and the last part of what you write"

    def __post_init__(self) -> None:
        whole("episode.carry.head", self.head)
        if self.tokens is not None:
            whole("episode.carry.tokens", self.tokens)

    def carry(self, turn: Turn) -> Carried:
        head, tail = self.parts(turn.room)
        first = [*turn.before, turn.reply][0]
        if not turn.before and len(first.token_ids) <= head + tail:  # they would overlap
            return turn.last(head + tail)
        parts = turn.tokenizer.decode(first.token_ids[:head]), turn.last(tail).text
        return Carried(" … ".join(filter(None, parts)), cut=True)

    def parts(self, room: int) -> tuple[int, int]:
        """The numbers of tokens of the head and of the tail."""
        head = max(1, min(self.head, room // 4))
        return head, self.tokens or max(1, room // 2 - head)

    def most(self, rooms: Sequence[int]) -> int:
        return sum(self.parts(rooms[-1])) + 3  # tokens of the sign between them


@dataclass(frozen=True)
class Continued:
    """The tokens with which the same turn goes on, in prompts of `episode.prompts.format=bare`.

    They are the first `head` of round 1 and the last `tokens` of this round, with nothing between them, as in the code
    of Delethink (arXiv 2510.06557). They are taken over as they were drawn.
    """

    head: int = 100
    tokens: int = 4096
    tagged: ClassVar[bool] = False
    told: ClassVar[str] = HeadTail.told

    def __post_init__(self) -> None:
        whole("episode.carry.head", self.head)
        whole("episode.carry.tokens", self.tokens)

    def check(self, room: int) -> None:
        """A `UserError` where head and tail overlap in a round 1 of `room` tokens."""
        if self.head + self.tokens > room:
            raise UserError(
                f"episode.carry: head={self.head} and tokens={self.tokens} overlap in a round 1 of {room} tokens; "
                "lower them, or raise episode.tokens"
            )

    def carry(self, turn: Turn) -> Carried:
        ids = [*turn.before, turn.reply][0].token_ids[: self.head] + turn.reply.token_ids[-self.tokens :]
        return Carried(Drawn(turn.tokenizer.decode(ids), ids), cut=len(turn.reply.token_ids) > self.tokens)

    def most(self, rooms: Sequence[int]) -> int:
        return self.head + min(self.tokens, rooms[-1])


@dataclass(frozen=True)
class Full:
    """All text written so far: the control whose context grows."""

    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "the next one sees everything that you have written so far"

    def carry(self, turn: Turn) -> Carried:
        return Carried("\n".join(reply.text for reply in (*turn.before, turn.reply)))

    def most(self, rooms: Sequence[int]) -> int:
        return sum(rooms) + len(rooms)


@dataclass(frozen=True)
class Nothing:
    """Nothing: the control that shows whether the carried text matters."""

    tagged: ClassVar[bool] = False
    told: ClassVar[str] = "nothing of it reaches the next one"

    def carry(self, turn: Turn) -> Carried:
        return Carried(None)

    def most(self, rooms: Sequence[int]) -> int:
        return 0
