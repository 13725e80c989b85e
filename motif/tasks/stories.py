"""The stories: word problems in plain English, made from a seed, each with a worked solution.

"Tom has 12 apples. He buys 3 more. He gives half of them to Ann. How many apples does he have now?" A story has one to
six events, or more where `longest` says so, and its solution one line an event: "12 + 3 = 15". All numbers are whole,
from 1 to 99. So one does the arithmetic in the head, and the number of events says how hard a story is.
"""

import random
from dataclasses import dataclass
from typing import ClassVar

from motif.tasks.generated import Generated
from motif.tasks.questions import Step

LARGEST = 99  # number in a story
AMOUNT = 20  # that is added or taken away at most
PEOPLE = {
    **dict.fromkeys(("Tom", "Ben", "Sam", "Leo", "Omar", "Ravi"), ("he", "him")),
    **dict.fromkeys(("Ann", "Mia", "Eva", "Lily", "Nora", "Mei"), ("she", "her")),
}
THINGS = ("apples", "books", "cards", "coins", "cookies", "marbles", "pencils", "shells", "stamps", "stickers")
OPENINGS = ("{name} has {n} {things}.", "{name} starts with {n} {things}.", "At first {name} has {n} {things}.")
QUESTIONS = (
    "How many {things} does {name} have now?",
    "How many {things} does {he} have in the end?",
    "How many {things} are left with {name}?",
)
EVENTS = {  # by the operation
    "+": ("{he} buys {n} more", "{he} finds {n} {things}", "{friend} gives {him} {n}", "{he} wins {n} {things}"),
    "-": ("{he} gives {n} to {friend}", "{he} loses {n}", "{he} sells {n} of them", "{friend} takes {n} {things}"),
    "*": ("{friend} gives {him} as many as {he} has", "{he} doubles the number of {things}"),
    "/": ("{he} gives half of them to {friend}", "{he} loses half of the {things}"),
}


@dataclass(frozen=True)
class Stories(Generated):
    """Stories of `shortest` to `longest` events. Their states are such as `['1 done, 15 now']`.

    Raises:
        UserError: where a setting is invalid.
    """

    name: str = "stories"
    shortest: int = 1
    longest: int = 6
    tokens_per_round: int = 36
    kind: ClassVar[str] = "stories"
    most: ClassVar[int] = 30
    steps_a_round: ClassVar[int] = 2  # that a reply of 36 tokens has room for
    unboxed: ClassVar[bool] = True

    def drawn(self, source: random.Random, length: int) -> tuple[str, list[Step], int]:
        """The text of a story, its solution, and the last number."""
        name, friend = source.sample(sorted(PEOPLE), 2)
        he, him = PEOPLE[name]
        value = source.randint(2, AMOUNT)
        words = {"name": name, "friend": friend, "he": he, "him": him, "things": source.choice(THINGS)}
        told, steps = [source.choice(OPENINGS).format(**words, n=value)], []
        for done in range(1, length + 1):
            sign, n = source.choice(changes(source, value))
            event = source.choice(EVENTS[sign]).format(**words, n=n)
            told.append(f"{event[0].upper()}{event[1:]}.")
            before, value = value, {"+": value + n, "-": value - n, "*": value * n, "/": value // n}[sign]
            steps.append(Step(f"{before} {sign} {n} = {value}", f"{done} done, {value} now"))
        return " ".join([*told, source.choice(QUESTIONS).format(**words)]), steps, value


def changes(source: random.Random, value: int) -> list[tuple[str, int]]:
    """What may happen to `value` things: an operation and its number, twice where it adds or takes away."""
    found = []
    if value < LARGEST - 1:
        found += 2 * [("+", source.randint(2, min(AMOUNT, LARGEST - value)))]
    if value > 2:
        found += 2 * [("-", source.randint(2, max(2, min(AMOUNT, 2 * value // 3))))]
    if 1 < value <= LARGEST // 2:
        found.append(("*", 2))
    return [*found, ("/", 2)] if value % 2 == 0 else found
