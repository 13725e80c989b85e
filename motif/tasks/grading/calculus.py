r"""Integrals between limits, sums, products and limits, which a reading of a formula comes to and sympy works out."""

from typing import TYPE_CHECKING, Any

import sympy
from sympy import Integer

from motif.tasks.grading.tokens import Unreadable, symbol

if TYPE_CHECKING:
    from motif.tasks.grading.formulas import Reading


def integral(reading: "Reading") -> Any:
    reading.take("_")
    low = reading.argument()
    reading.take("^")
    high = reading.argument()
    ends = [place for place in range(reading.place, len(reading.tokens) - 1) if reading.tokens[place] == "d"]
    if not ends:
        raise Unreadable("integral")
    after, end = reading.tokens[ends[0] + 1 :], ends[0]
    reading.tokens = reading.tokens[:end]
    body = reading.sum() if reading.place < end else Integer(1)
    if reading.place < end:
        raise Unreadable(reading.next)
    reading.tokens, reading.place = [*reading.tokens, *after], end
    variable = symbol(reading.take())
    return sympy.Integral(body, (variable, low, high)).doit()


def series(reading: "Reading") -> Any:
    """A sum or product over an index."""
    apply = sympy.Sum if reading.tokens[reading.place - 1] == "\\sum" else sympy.Product
    reading.take("_")
    reading.take("{")
    name = reading.take()
    reading.take("=")
    low = reading.inside("}")
    reading.take("^")
    high = reading.argument()
    reading.bound.append(name)
    body = reading.chain()
    reading.bound.remove(name)
    return apply(body, (symbol(name), low, high)).doit()


def limit(reading: "Reading") -> Any:
    reading.take("_")
    reading.take("{")
    variable = symbol(reading.take())
    reading.take("\\to", "\\rightarrow")
    value = reading.sum()
    reading.take("}")
    return sympy.limit(reading.chain(), variable, value)
