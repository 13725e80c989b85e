"""Numbers in words, the same in every table, sentence and screen: percentages, intervals, p values, rounds, seeds.

A share, in [0, 1], is shown in percent; a difference of shares is shown in points.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def percent(share: float) -> str:
    """`25.0%`."""
    return f"{share:.1%}"


def percent_interval(bounds: Sequence[float]) -> str:
    """`10.0% – 40.0%`."""
    low, high = bounds
    return f"{percent(low)} – {percent(high)}"


def with_interval(share: Mapping[str, Any], note: str = "") -> str:
    """`25.0% (10.0% – 40.0%; n = 30)`, of a share with its `value` and `interval`, and of a note where there is one."""
    return f"{percent(share['value'])} ({percent_interval(share['interval'])}" + f"; {note}" * bool(note) + ")"


def points(difference: float) -> str:
    """`+15.0`: a difference of shares in points, with its sign."""
    return f"{100 * difference:+.1f}"


def p_value(p: float) -> str:
    """`p = 0.031`, `p = 0.25`, `p < 0.0001`."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def in_rounds(rounds: int) -> str:
    """`1 round`, `3 rounds`."""
    return plural(rounds, "round")


def plural(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`, of a noun that takes an s."""
    return f"{count} {noun}" + "s" * (count > 1)
