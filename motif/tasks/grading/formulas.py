r"""Reads one formula of cleaned LaTeX (`latex.clean`) as a sympy expression, or refuses it.

A sign or command that is not named here makes the whole formula `Unreadable`: nothing is skipped, nothing is guessed.
Letters keep their case, their primes and, in names such as `ABC`, their order. Decimals are exact fractions. `1/2x` and
`\sin\pi/3` have two readings: `read` gives both, and an answer must be right in both.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import sympy
from sympy import Integer, Rational

from motif.tasks.grading import calculus
from motif.tasks.grading.numbers import repeating_as_fractions
from motif.tasks.grading.tokens import (
    BEGINNINGS,
    BRACKETS,
    CALLED,
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    INVERSE,
    MARKS,
    MATRIX,
    TRIGONOMETRY,
    Unreadable,
    is_number,
    symbol,
    tokens,
)


def read(text: str, beside: str = "") -> tuple[Any, ...]:
    """The readings of a formula as sympy expressions: one, or two where the writing is ambiguous.

    A letter such as h that stands without a bracket, here or in the formula `beside`, is a factor in `h(a+b)`.

    Raises:
        Unreadable: where it has none.
    """
    without_commands = re.sub(r"\\[A-Za-z]+", " ", f"{text} {beside}")
    factors = frozenset(re.findall(r"[ghFGH](?!\s*[(_'])", without_commands))
    tight = Reading(text, loose=False, factors=factors)
    expression = tight.whole()
    return (expression, Reading(text, loose=True, factors=factors).whole()) if tight.ambiguous else (expression,)


class Reading:
    r"""One reading of a formula.

    Attributes:
        loose: `1/2x` is half of x and `\sin\pi/3` is of a third of π; else `1/(2x)`, and a third of `\sin\pi`.
        ambiguous: whether that made a difference.
    """

    def __init__(self, text: str, loose: bool, factors: frozenset[str] = frozenset()) -> None:
        self.factors, self.loose, self.ambiguous, self.place, self.bars = factors, loose, False, 0, 0
        self.matrices: list[Any] = []
        self.bound: list[str] = []  # variables of sums
        if re.search(r"@|\d\s+\d", text):
            raise Unreadable(text)
        text = MATRIX.sub(self._matrix, repeating_as_fractions(text)).strip()
        self.trigonometric = any(name in text for name in (*TRIGONOMETRY, "cis"))
        self.tokens = tokens(text)

    def whole(self) -> Any:
        value = self.sum()
        if self.place < len(self.tokens):
            raise Unreadable(self.next)
        return value

    @property
    def next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        if not token or (expected and token not in expected):
            raise Unreadable(token)
        self.place += 1
        return token

    def has(self, *tokens: str) -> str:
        """The next token, which is taken, where it is one of `tokens`; else ''."""
        return self.take() if self.next in tokens else ""

    def inside(self, closing: str) -> Any:
        value = self.sum()
        self.take(closing)
        return value

    def sum(self) -> Any:
        value = self.signed(self.term)
        while sign := self.has("+", "-"):
            value = value + self.signed(self.term) if sign == "+" else value - self.signed(self.term)
        return value

    def signed(self, part: Callable[[], Any]) -> Any:
        return -part() if self.has("+", "-") == "-" else part()

    def term(self) -> Any:
        value = self.chain()
        while sign := self.has("\\cdot", "\\times", "*", "/", ":"):
            if sign in "/:":
                divisor = self.signed(self.power)
                if self.begins():
                    self.ambiguous = True
                    rest = self.chain()
                    divisor = divisor / rest if self.loose else divisor * rest
                value = value / divisor
            else:
                value = value * self.signed(self.chain)
        return value

    def chain(self, argument: bool = False) -> Any:
        """A product without signs; as an argument without brackets it ends before the next function."""
        value = self.mixed_number() or self.power()
        while self.begins() and not (argument and self.next in FUNCTIONS):
            before = self.tokens[self.place - 1]
            if is_number(self.next) and (is_number(before) or before.isalpha()):
                raise Unreadable(before + self.next)  # x2
            value = value * self.power()
        return value

    def begins(self) -> bool:
        token = self.next
        known = token in BEGINNINGS or token.startswith("\\text") or token[:1].isalnum() or token[:1] in (".", "@")
        return bool(token) and (known or (token == "|" and not self.bars))

    def mixed_number(self) -> Any:
        r"""`1\frac{1}{2}` is 3/2."""
        ahead = self.tokens[self.place : self.place + 8]
        if len(ahead) < 8 or ahead[1::3] != ["\\frac", "}", "}"] or not all(part.isdigit() for part in ahead[::3]):
            return None
        self.place += 8
        return Integer(ahead[0]) + Rational(int(ahead[3]), int(ahead[6]))

    def power(self) -> Any:
        name = self.next
        value = self.atom()
        while sign := self.has("^", "!", "!!", "%", "\\%", "°"):
            if sign == "^":
                value = self.raised(value, name)
            elif sign in ("!", "!!"):
                value = sympy.factorial(value) if sign == "!" else sympy.factorial2(value)
            else:
                value = value * (sympy.pi / 180 if self.trigonometric else 1) if sign == "°" else value / 100
        return value

    def raised(self, value: Any, name: str) -> Any:
        exponent = self.exponent()
        if self.next == "^" or (name in ("f", "g", "h", "y", "u") and self.next == "("):
            raise Unreadable("^")  # a double power, the derivative of a function
        return value**exponent

    def exponent(self) -> Any:
        if self.has("{"):
            return self.inside("}")
        sign = -1 if self.has("-", "+") == "-" else 1
        return sign * self.atom()

    def argument(self) -> Any:
        """What stands in braces, or one sign."""
        if self.has("{"):
            return self.inside("}")
        if self.next.isdigit() and len(self.next) > 1:
            raise Unreadable(self.next)  # \frac12
        return self.atom()

    def atom(self) -> Any:
        token = self.take()
        if is_number(token):
            return Rational(token.replace(",", "").removesuffix("."))
        if token in BRACKETS:
            value = self.inside(BRACKETS[token])
            return sympy.floor(value) if token == "\\lfloor" else sympy.ceiling(value) if token == "\\lceil" else value
        if token[0] == "@":
            return self.matrices[int(token[1:])]
        if token in FUNCTIONS:
            return self.function(token)
        if token in self.READERS:
            return self.READERS[token](self)
        if token in MARKS:
            return symbol(f"{token} {self.marked()}")
        if token.isalpha() or token in CONSTANTS or token in GREEK or token.startswith("\\text"):
            return self.named(token)
        raise Unreadable(token)

    def marked(self) -> str:
        """The letters after a mark such as `\\vec`."""
        if self.has("{"):
            end = self.tokens.index("}", self.place) if "}" in self.tokens[self.place :] else self.place
            name, self.place = " ".join(self.tokens[self.place : end]), end + 1
            return name
        name = self.take()
        while self.next.isalpha():
            name += self.take()
        return name

    def named(self, token: str) -> Any:
        """A constant, a variable with its index and its primes, or a function that is not known, with its arguments."""
        name = token
        if self.has("_"):
            name += "_" + (self.marked() if self.next == "{" else self.take())
        while self.has("'"):
            name += "'"
        factor = name in self.factors and re.match(r"\([^()]*[-+]", "".join(self.tokens[self.place :]))
        if self.next == "(" and ((CALLED.fullmatch(name) and not factor) or self.is_call(name)):
            self.take("(")
            return symbol(f"{name}({self.arguments(')')})")
        return CONSTANTS[name] if name in CONSTANTS and name not in self.bound else symbol(name)

    def is_call(self, name: str) -> bool:
        """Whether the bracket after a letter holds another letter, or several things, as in `x(t)` and `P(a,b)`."""
        ahead = self.tokens[self.place : self.place + 3]
        if len(ahead) == 3 and ahead[1].isalpha() and ahead[2] == ")":
            return ahead[1] != name
        rest = self.tokens[self.place :]
        return "," in rest[: rest.index(")")] if ")" in rest else False

    def arguments(self, closing: str) -> list[Any]:
        values = [self.sum()]
        while self.has(","):
            values.append(self.sum())
        self.take(closing)
        return values

    def function(self, token: str) -> Any:
        apply, power, loose_power = FUNCTIONS[token], None, False
        base = None
        while sign := self.has("^", "_"):
            if sign == "_" and token == "\\log":
                base = self.argument()
            elif sign == "^" and power is None:
                power = self.exponent()
            else:
                raise Unreadable(token + sign)
        if power == -1:
            if token not in INVERSE:
                raise Unreadable(token)
            apply, power = INVERSE[token], None
        if self.next in ("(", "{", "["):
            loose_power = self.next == "{"
            values = self.arguments(BRACKETS[self.take()])
            if loose_power and self.next == "^":
                raise Unreadable("^")
        else:
            values = [self.without_brackets(token)]
        value = sympy.log(values[0]) / sympy.log(base) if base is not None else apply(*values)
        return value if power is None else value**power

    def without_brackets(self, token: str) -> Any:
        value = self.chain(argument=True)
        if self.next == "/" and token[1:] in TRIGONOMETRY and value.has(sympy.pi):
            self.ambiguous = True
            if self.loose:
                self.take("/")
                value = value / self.power()
        return value

    # forms that a command begins

    def fraction(self) -> Any:
        above, below = self.argument(), self.argument()
        return above / below

    def root(self) -> Any:
        degree = self.inside("]") if self.has("[") else Integer(2)
        value = self.argument()
        if value.is_negative and degree.is_odd:
            return -((-value) ** (1 / degree))
        return value ** (1 / degree)

    def binomial(self) -> Any:
        above, below = self.argument(), self.argument()
        return sympy.binomial(above, below)

    def absolute(self) -> Any:
        self.bars += 1
        value = self.inside("|")
        self.bars -= 1
        return sympy.Abs(value)

    READERS: ClassVar[dict[str, Callable[["Reading"], Any]]] = {
        "\\frac": fraction, "\\sqrt": root, "\\binom": binomial, "|": absolute, "\\int": calculus.integral,
        "\\sum": calculus.series, "\\prod": calculus.series, "\\lim": calculus.limit,
    }  # fmt: skip

    def _matrix(self, match: re.Match[str]) -> str:
        rows = [row.split("&") for row in re.split(r"\\\\", match[2]) if row.strip()]
        matrix = sympy.Matrix([[Reading(cell, self.loose).whole() for cell in row] for row in rows])
        self.matrices.append(matrix.det() if match[1] == "vmatrix" else matrix)
        return f"@{len(self.matrices) - 1} "
