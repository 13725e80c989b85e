"""Checks of values that a person typed. Each fails with one line: what is wrong, what is right, what it got.

A `UserError` is a mistake that its reader can mend: programs print its message and no traceback. Any other error is a
fault of ours and keeps its traceback.
"""

import difflib
import math
from collections.abc import Iterable

from motif.system.safe_text import masked


class UserError(ValueError):
    """A mistake that its reader can mend. The message says what is wrong and what is right, and has no secret."""

    def __init__(self, message: object = "") -> None:
        super().__init__(masked(str(message)))


def whole(name: str, value: object, at_least: int = 1, at_most: int | None = None) -> int:
    """`value`, if it is a whole number within the bounds, else a `UserError`."""
    low = isinstance(value, int) and value < at_least
    high = isinstance(value, int) and at_most is not None and value > at_most
    if isinstance(value, bool) or not isinstance(value, int) or low or high:
        bounds = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise UserError(f"{name} must be a whole number {bounds}, got {shown(value)}")
    return value


def number(
    name: str, value: object, at_least: float = -math.inf, at_most: float = math.inf, above: float = -math.inf
) -> float:
    """`value` as a float, if it is a finite number within the bounds, else a `UserError`."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not at_least <= value <= at_most or value <= above:  # type: ignore[operator]
        words = [f"above {above:g}"] if above > -math.inf else []
        words += [f"at least {at_least:g}"] if at_least > -math.inf else []
        words += [f"at most {at_most:g}"] if at_most < math.inf else []
        raise UserError(f"{name} must be a number{' ' if words else ''}{' and '.join(words)}, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def one_of(name: str, value: object, options: Iterable[object]) -> object:
    """`value`, if it is among `options`, else a `UserError` that lists them."""
    options = list(options)
    if value not in options:
        known = ", ".join(map(str, options))
        raise UserError(f"{name} must be one of {known}, got {shown(value)}{hint(value, options)}")
    return value


def text(name: str, value: object) -> str:
    """`value`, if it is text that is not blank, else a `UserError`."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name} must be text, got {shown(value)}")
    return value


def of_kind(name: str, value: object, kind: type) -> object:
    """`value`, if it is a `kind`, else a `UserError`: a group of settings belongs there."""
    if not isinstance(value, kind):
        raise UserError(f"{name} must be a group of settings ({kind.__name__}), got {shown(value)}")
    return value


def listed(name: str, value: object) -> list[object]:
    """`value`, if it is a list, else a `UserError` that says how one is typed."""
    if not isinstance(value, list):
        raise UserError(f"{name} must be a list, in brackets: {name}=[{value}], got {shown(value)}")
    return value


def hint(word: object, options: Iterable[object]) -> str:
    """', did you mean …?' with the option that is close to `word`; nothing where none is."""
    close = difflib.get_close_matches(str(word), [str(option) for option in options], n=1, cutoff=0.65)
    return f", did you mean {close[0]}?" if close else ""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, cut at 200 characters; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def shown(value: object) -> str:
    """The repr of `value` as a message shows it, cut at 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
