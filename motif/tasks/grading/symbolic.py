r"""Whether two formulas, equations, inequalities or sets of numbers are the same, for sympy.

Expressions are the same where they agree at points to many digits, so many that the smallest number that is written in
them counts. Equations are the same where one is the other times a number, once denominators are gone. Sets are the
same where neither holds more than the other. What cannot be read or worked out is UNDECIDED, never RIGHT.
"""

import random
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import Any

import sympy
from sympy import FiniteSet, Interval, Rational, S
from sympy.core.evalf import PrecisionExhausted
from sympy.functions.elementary.hyperbolic import HyperbolicFunction

from motif.tasks.grading.formulas import read
from motif.tasks.grading.numbers import Number, same_number
from motif.tasks.grading.structure import EQUAL, RELATION, SYMBOL, split, structure
from motif.tasks.grading.tokens import Unreadable
from motif.tasks.grading.verdicts import Verdict

OF_SETS = re.compile(r"\\(?:cup|cap|setminus|backslash|mathbb|emptyset|ne)(?![A-Za-z])")
OPERATION = re.compile(r"\\(cap|setminus|backslash)(?![A-Za-z])|(?<=\})\s*-\s*(?=\\\{)")
UNEQUAL = re.compile(r"\\ne(?![A-Za-z])")
NUMBERS = {"R": S.Reals, "Z": S.Integers, "N": S.Naturals, "Q": S.Rationals}
FREE = "free"  # of a set that no inequality describes
POINTS = ((0, 1),) * 2 + ((1, 4),) * 2 + ((5, 60),) * 2 + ((500, 10**5),) * 2  # the sizes of variables at each point
FEWEST_POINTS = 3  # at which both expressions must be numbers
MOST_DIGITS = 5000


def same_formula(prediction: str, gold: str) -> Verdict:
    """The verdict on two answers without parts that are compared alone."""
    try:
        relations = [bool(RELATION.search(text)) for text in (prediction, gold)]
        if all(relations) and (same := same_relations(prediction, gold)) is not None:
            return same
        if any(relations) or any(OF_SETS.search(text) for text in (prediction, gold)):
            return same_sets(prediction, gold)
        sides = [split(text, EQUAL) for text in (prediction, gold)]
        if [len(side) for side in sides] == [2, 2]:
            return same_equations(*sides)
        if max(len(side) for side in sides) > 1:
            return Verdict.WRONG if min(len(side) for side in sides) == 1 else Verdict.UNDECIDED
        return same_values(prediction, gold)
    except Unreadable:
        return Verdict.UNDECIDED


def same_values(prediction: str, gold: str) -> Verdict:
    """Expressions; one with two readings must agree in both."""
    if re.search(r"(?<![A-Za-z\\])[A-Z]{2,}\^|[A-Z]\^\{?(?:-1|T)\}?\s*[A-Z]", prediction + " " + gold):
        raise Unreadable("matrices, whose order matters")
    p, g = read(prediction, beside=gold), read(gold, beside=prediction)
    for text, (value, *_) in ((prediction, p), (gold, g)):
        if value in (S.Infinity, S.NegativeInfinity) and not re.fullmatch(r"[-+]?\s*\\infty\s*", text):
            raise Unreadable(text)  # one more than infinity
    rounded = bool(re.search(r"\.\d", prediction + gold))
    pairs = zip_longest(p, g, fillvalue=None)
    found = {equal(p[0] if one is None else one, g[0] if other is None else other, rounded) for one, other in pairs}
    return found.pop() if len(found) == 1 else Verdict.UNDECIDED


def equal(one: Any, other: Any, rounded: bool = False) -> Verdict:
    """Whether two expressions are the same; `rounded` numbers need not agree in more digits than are written."""
    if isinstance(one, sympy.MatrixBase) or isinstance(other, sympy.MatrixBase):
        if getattr(one, "shape", 0) != getattr(other, "shape", 1):
            return Verdict.WRONG
        cells = {equal(a, b, rounded) for a, b in zip(one, other, strict=True)}
        return next(v for v in (Verdict.WRONG, Verdict.UNDECIDED, Verdict.RIGHT) if v in cells)
    if one == other:
        return Verdict.of(one is not S.NaN)
    if any(part.has(S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN) for part in (one, other)):
        return Verdict.WRONG
    if one.is_Rational and other.is_Rational and not rounded:
        return Verdict.WRONG
    steps = any(
        part.has(sympy.floor, sympy.ceiling, sympy.Max, sympy.Min) and part.free_symbols for part in (one, other)
    )
    agreed = 0
    for a, b in at_points(one, other):
        if (near := close(a, b, rounded and not (one.free_symbols or other.free_symbols))) is Verdict.WRONG:
            return Verdict.WRONG
        agreed += near is Verdict.RIGHT
    if steps:
        return Verdict.UNDECIDED  # they may differ between the points
    constant = not (one.free_symbols or other.free_symbols)
    return Verdict.RIGHT if agreed >= (1 if constant else FEWEST_POINTS) else Verdict.UNDECIDED


def at_points(*expressions: Any) -> Iterator[tuple[Any, ...]]:
    """The expressions with numbers for their variables, at each of the POINTS; once where they have none."""
    free = sorted(set().union(*(each.free_symbols for each in expressions)), key=str)
    powers = set().union(*(each.atoms(sympy.Pow) for each in expressions))
    towers = any(power.base.free_symbols and power.exp.free_symbols for power in powers)
    for place, (low, high) in enumerate(POINTS[: (6 if towers else 8) if free else 1]):  # n^n takes long at large n
        values = {}
        for symbol in free:
            chance = random.Random(f"{symbol} {place}")
            value = low + Rational(chance.randint(1, 996), 997) * (high - low)
            values[symbol] = chance.choice((-1, 1)) * value * (1 if symbol.is_real else 1 + sympy.I)
        yield tuple(each.subs(values) for each in expressions)


def close(one: Any, other: Any, rounded: bool) -> Verdict:
    """Whether two expressions without variables are the same number; UNDECIDED where one is none."""
    for digits in (30, digits_needed(one, other)):
        if digits > MOST_DIGITS:
            return Verdict.UNDECIDED
        try:  # where 30 digits are lost, as in cosh² - sinh², they say nothing
            values = [each.evalf(digits, maxn=digits + 20, strict=digits == 30) for each in (one, other)]
        except PrecisionExhausted:
            continue
        parts = [part for value in values for part in value.as_real_imag()]
        if not all(part.is_Float or part.is_Rational for part in parts):
            return Verdict.UNDECIDED
        if rounded:
            a, b = ([Number(Fraction(str(Rational(part))), True) for part in half] for half in (parts[:2], parts[2:]))
            return Verdict.of(all(same_number(x, y) for x, y in zip(a, b, strict=True)))
        sizes = [abs(part) for part in parts]
        tiny = Rational(10) ** (15 - digits)
        difference = max(abs(parts[0] - parts[2]), abs(parts[1] - parts[3]))
        if difference > tiny * max(sizes) and max(sizes) > tiny:
            return Verdict.WRONG
    return Verdict.RIGHT


def digits_needed(*expressions: Any) -> int:
    """So many digits that no number written in the expressions is lost beside another one."""
    digits = 60
    for part in {part for each in expressions for part in sympy.preorder_traversal(each)}:
        if part.is_Rational:
            digits += (part.p.bit_length() + part.q.bit_length()) // 3 + 1
        elif part.is_Pow or isinstance(part, sympy.exp | HyperbolicFunction):
            size = abs(part.args[-1].evalf(5))
            digits += min(MOST_DIGITS, int(size) + 1) if size.is_comparable else 0
    return digits


def same_equations(prediction: Sequence[str], gold: Sequence[str]) -> Verdict:
    """Whether one equation, given by its two sides, is the other times a number that is not 0."""
    found = set()
    for p, g in zip_longest(zero_sides(*prediction), zero_sides(*gold)):
        one, other = (part if part is not None else side for part, side in ((p, g), (g, p)))
        found.add(constant_ratio(one, other) is not None)
    return Verdict.of(found.pop()) if len(found) == 1 else Verdict.UNDECIDED


def zero_sides(left: str, right: str) -> list[Any]:
    """What an equation says to be 0, without denominators, in each reading."""
    sides = [read(left), read(right)]
    readings = zip_longest(*sides)
    return [numerator((sides[0][0] if a is None else a) - (sides[1][0] if b is None else b)) for a, b in readings]


def numerator(expression: Any) -> Any:
    if isinstance(expression, sympy.MatrixBase):
        raise Unreadable("an equation of matrices")
    return sympy.numer(sympy.together(expression))


def constant_ratio(one: Any, other: Any) -> Any:
    """The number by which `other` must be multiplied to be `one`, 1 where both are 0; None where there is none."""
    if one == 0 or other == 0:
        return S.One if one == other else None
    first, agreed = None, 0
    for a, b in at_points(one, other):
        if equal(b, S.Zero) is not Verdict.WRONG or equal(a, S.Zero) is not Verdict.WRONG:
            continue
        first = a / b if first is None else first
        near = close(a / b, first, rounded=False)
        if near is Verdict.WRONG:
            return None
        agreed += near is Verdict.RIGHT
    return first if agreed >= (FEWEST_POINTS if one.free_symbols or other.free_symbols else 1) else None


def relations(text: str) -> list[tuple[Any, bool]]:
    r"""What `a < b` or `a < b \le c` says to be positive, or at least not negative (True)."""
    signs, parts = RELATION.findall(text), split(text, RELATION)
    if len(parts) != len(signs) + 1:
        raise Unreadable(text)
    values = []
    for part in parts:
        value, *others = read(part)
        if others:
            raise Unreadable(part)
        values.append(value)
    upward = [sign in ("<", "\\le") for sign in signs]
    closed = [sign in ("\\le", "\\ge") for sign in signs]
    pairs = zip(values, values[1:], upward, closed, strict=False)
    return [(right - left if up else left - right, with_zero) for left, right, up, with_zero in pairs]


def same_relations(prediction: str, gold: str) -> Verdict | None:
    """The verdict on two inequalities by their form; None where they may be the same in another form."""
    if any(structure(text).kind in ("union", "list") or OF_SETS.search(text) for text in (prediction, gold)):
        return None
    p, g = relations(prediction), relations(gold)
    if len(p) == len(g) == 1 and p[0][1] == g[0][1]:
        ratio = constant_ratio(p[0][0], g[0][0])
        if ratio is not None and ratio.is_real and ratio.evalf(15) > 0:
            return Verdict.RIGHT
    names = [set().union(*(each.free_symbols for each, _ in side)) for side in (p, g)]
    return None if len(names[0] | names[1]) == 1 else Verdict.WRONG


def same_sets(prediction: str, gold: str) -> Verdict:
    """Whether both are the same set of numbers, for the same variable where both name one."""
    (one, p), (other, g) = as_set(prediction), as_set(gold)
    if len((p | g) - {FREE}) > 1:
        return Verdict.WRONG
    if one == other:
        return Verdict.RIGHT
    more = [(a - b).is_empty for a, b in ((one, other), (other, one))]
    return Verdict.WRONG if False in more else Verdict.RIGHT if more == [True, True] else Verdict.UNDECIDED


def as_set(text: str) -> tuple[Any, set[str]]:
    """The set of numbers that an answer is, and the names of the variables that describe it.

    Raises:
        Unreadable: where it is none.
    """
    found = structure(text)
    if found.kind == "union":
        parts = [as_set(part) for part in found.parts]
        return sympy.Union(*(part for part, _ in parts)), set().union(*(names for _, names in parts))
    if found.kind == "tuple" and len(found.parts) == 2:
        low, high = (one_value(part) for part in found.parts)
        return Interval(low, high, found.around[0] == "(", found.around[1] == ")"), {found.variable or FREE}
    if found.kind == "set":
        return FiniteSet(*(one_value(part) for part in found.parts)), {FREE}
    if found.kind == "equation" and re.fullmatch(SYMBOL, found.parts[0]) and len(found.parts) == 2:
        return FiniteSet(one_value(found.parts[1])), {found.parts[0]}
    return _set_of_formula(text)


def _set_of_formula(text: str) -> tuple[Any, set[str]]:
    if match := re.fullmatch(r"\\mathbb\s*\{?\s*([RZNQ])\s*\}?", text):
        return NUMBERS[match[1]], {FREE}
    if len(parts := split(text, OPERATION)) > 1:
        (first, names), *others = (as_set(part) for part in parts)
        signs = {match[1] for match in OPERATION.finditer(text)}
        for other, more in others:
            first, names = (first & other if signs == {"cap"} else first - other), names | more
        if "cap" in signs and len(signs) > 1:
            raise Unreadable(text)
        return first, names
    if len(parts := split(text, UNEQUAL)) == 2:
        left, right = (one_value(part) for part in parts)
        return S.Reals - FiniteSet(right), {str(left)} if left.is_Symbol else {""}
    if not RELATION.search(text):
        raise Unreadable(text)
    found = relations(text)
    free = set().union(*(each.free_symbols for each, _ in found))
    if len(free) != 1:
        raise Unreadable(text)
    variable = free.pop()
    solved = S.Reals
    for each, with_zero in found:
        relation = each >= 0 if with_zero else each > 0
        if relation in (S.true, S.false):
            raise Unreadable(text)
        try:
            solved &= sympy.solve_univariate_inequality(relation, variable, relational=False)
        except NotImplementedError:
            raise Unreadable(text) from None
    return solved, {str(variable)}


def one_value(text: str) -> Any:
    value, *others = read(text)
    if others or isinstance(value, sympy.MatrixBase) or not isinstance(value, sympy.Expr):
        raise Unreadable(text)
    return value
