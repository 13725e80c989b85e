r"""The signs and names that a formula may have, and how a text falls into them.

What is not named here makes a formula `Unreadable`. Nothing is computed here.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy
from sympy import Symbol

from motif.tasks.grading import latex

CONSTANTS = {"\\pi": sympy.pi, "\\infty": sympy.oo, "e": sympy.E, "i": sympy.I}
GREEK = frozenset(f"\\{name}" for name in (*latex.GREEK.values(), "ell", "hbar"))
MARKS = frozenset(  # with the letters after them they are one name
    f"\\{name}"
    for name in "vec hat bar overline tilde dot ddot overrightarrow widehat widetilde underline mathbb mathcal "
    "mathfrak d overleftrightarrow angle triangle".split()
)
TRIGONOMETRY = ("sin", "cos", "tan", "cot", "sec", "csc")
INVERSE = {f"\\{name}": getattr(sympy, f"a{name}") for name in (*TRIGONOMETRY, "sinh", "cosh", "tanh")}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"\\{name}": getattr(sympy, name) for name in (*TRIGONOMETRY, "sinh", "cosh", "tanh", "coth", "exp")},
    **{f"\\arc{name[1:]}": inverse for name, inverse in INVERSE.items()},
    **{f"\\a{name[1:]}": inverse for name, inverse in INVERSE.items()},
    "\\ln": sympy.log, "\\log": lambda x: sympy.log(x, 10), "\\lg": lambda x: sympy.log(x, 10), "\\abs": sympy.Abs,
    "\\det": lambda matrix: matrix.det(), "\\max": sympy.Max, "\\sech": sympy.sech, "\\csch": sympy.csch,
    "\\cis": lambda x: sympy.cos(x) + sympy.I * sympy.sin(x), "\\min": sympy.Min, "\\gcd": sympy.gcd,
    "\\lcm": sympy.lcm,
}  # fmt: skip
CALLED = re.compile(r"[fghFGH](?:_.*)?|.*'")  # names whose brackets hold arguments; other letters are factors
TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d*)?|\.\d+)|(?P<text>\\text\s*\{[^{}]*\})"
    r"|(?P<command>\\[A-Za-z]+)|(?P<word>[A-Za-z]+)|(?P<sign>!!|\\?%|@\d+|[-+*/:^_!(){}\[\]|'°,=]))\s*"
)
DERIVATIVE = re.compile(
    r"\\frac\s*\{\s*(d(?:\s*\^\s*\{?\d\}?)?\s*[A-Za-z]?)\s*\}\s*\{\s*(d\s*[A-Za-z](?:\s*\^\s*\{?\d\}?)?)\s*\}"
    r"|(?<![A-Za-z])(d[A-Za-z])\s*/\s*(d[a-z])(?![A-Za-z])"
)
MATRIX = re.compile(r"\\begin\{([bBpvV]?matrix|array)\}(?:\s*\{[clr| ]*\})?((?:(?!\\begin).)*?)\\end\{\1\}", re.DOTALL)
BRACKETS = {"(": ")", "[": "]", "{": "}", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
BEGINNINGS = {
    *BRACKETS, *CONSTANTS, *FUNCTIONS, *GREEK, *MARKS,
    "\\frac", "\\sqrt", "\\binom", "\\int", "\\sum", "\\prod", "\\lim",
}  # fmt: skip


class Unreadable(ValueError):
    """A formula has a sign or a form that is not known here."""


@lru_cache(maxsize=1024)
def symbol(name: str) -> Any:
    """The variable `name`: a real one, but for z and w."""
    return Symbol(name) if name[0] in "zw" else Symbol(name, real=True)


def is_number(token: str) -> bool:
    return token[:1].isdigit() or token[:1] == "."


def tokens(text: str) -> list[str]:
    r"""The tokens of a formula: numbers, letters, names of capitals, commands; functions have a backslash."""
    text = DERIVATIVE.sub(lambda match: f"\\d {{{' over '.join(filter(None, match.groups()))}}}", text)
    found: list[str] = []
    place = 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            raise Unreadable(text[place:])
        token, place = match[0].strip(), match.end()
        name = match["word"] or re.sub(r"\\text\s*\{\s*(\w*)\s*\}", r"\1", match["text"] or "")
        if f"\\{name}" in FUNCTIONS:
            found.append(f"\\{name}")
        elif match["text"]:
            found.append(name if len(name) == 1 else re.sub(r"\s+", " ", token))
        elif match["word"]:
            found.extend(letters(name, found[-1:] in ([], ["("]) and text[place : place + 1] in ("", ")")))
        else:
            found.append(token)
    return found


def letters(word: str, alone: bool) -> list[str]:
    """The variables of a run of letters; a name of capitals, such as ABC, TT or (HT), is one. `sinx` is a function."""
    for name in (*TRIGONOMETRY, "ln", "log"):
        if word.startswith(name) and len(word) == len(name) + 1:
            return [f"\\{name}", word[-1]]
    named = word.isupper() and (len(word) > 2 or alone or word[0] * 2 == word)
    return [word] if named and len(word) > 1 else list(word)
