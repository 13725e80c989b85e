"""What grading says of an answer, and what the verdicts on its parts come to."""

from collections.abc import Callable, Sequence
from enum import Enum


class Verdict(Enum):
    """What grading says of an answer.

    UNDECIDED: it takes algebra that nobody was asked for, or more time or memory than an answer may take. Only RIGHT
    is true, so that `if verdict:` never takes a wrong answer for a right one.
    """

    RIGHT = "right"
    WRONG = "wrong"
    UNDECIDED = "undecided"

    def __bool__(self) -> bool:
        return self is Verdict.RIGHT

    @classmethod
    def of(cls, is_right: bool) -> "Verdict":
        """RIGHT or WRONG."""
        return cls.RIGHT if is_right else cls.WRONG


Compare = Callable[[str, str], Verdict]  # prediction and gold, both cleaned


def ordered(p: Sequence[str], g: Sequence[str], same: Compare) -> Verdict:
    """Whether both have the same items in the same order; one that is wrong decides."""
    if len(p) != len(g):
        return Verdict.WRONG
    verdicts = [same(one, other) for one, other in zip(p, g, strict=True)]
    for deciding in (Verdict.WRONG, Verdict.UNDECIDED):
        if deciding in verdicts:
            return deciding
    return Verdict.RIGHT


def paired(p: Sequence[str], g: Sequence[str], same: Compare) -> Verdict:
    """Whether each item has an equal of its own on the other side, in any order."""
    if len(p) != len(g):
        return Verdict.WRONG
    left, undecided = list(p), False
    for other in g:
        verdicts = [same(one, other) for one in left]
        if Verdict.RIGHT in verdicts:
            del left[verdicts.index(Verdict.RIGHT)]
        elif Verdict.UNDECIDED in verdicts:
            undecided = True
        else:
            return Verdict.WRONG
    return Verdict.UNDECIDED if undecided else Verdict.RIGHT


def unordered(p: Sequence[str], g: Sequence[str], same: Compare) -> Verdict:
    """Whether each item has an equal on the other side; an item that comes twice counts once, as in a set."""
    rows = []  # for each item of the gold, what it is to each of the prediction's
    for other in g:
        rows.append([same(one, other) for one in p])
        if all(verdict is Verdict.WRONG for verdict in rows[-1]):
            return Verdict.WRONG
    if not all(Verdict.RIGHT in row for row in rows):
        return Verdict.UNDECIDED
    columns = [[row[place] for row in rows] for place in range(len(p))]
    alone = [column for column in columns if Verdict.RIGHT not in column]
    if any(Verdict.UNDECIDED in column for column in alone):
        return Verdict.UNDECIDED
    return Verdict.of(not alone)
