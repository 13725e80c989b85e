r"""What an answer consists of: tuples, intervals, sets, lists, unions, matrices, equations, or one formula.

It is read from cleaned LaTeX (`latex.clean`) by the outermost brackets and separators. An inequality in one variable
is the interval that it describes. Nothing is compared here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from motif.tasks.grading.latex import is_enclosed, plain_text, trimmed

Kind = Literal["formula", "tuple", "set", "list", "union", "matrix", "equation"]
SYMBOL = (
    r"(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|delta|epsilon|lambda|phi|omega|mu|sigma|rho|tau|ell|Delta))"
    r"(?:_\{\w+\})?'*(?:\([a-z]\))?"
)
ELEMENT = re.compile(rf"({SYMBOL}|\([^()]*\))\s*\\in(?![A-Za-z])\s*(?P<set>.+)")
MATRIX = re.compile(r"\\begin\s*\{([pbBvV]?matrix|array)\}(?:\s*\{[clr| ]*\})?(.*)\\end\s*\{\1\}", re.DOTALL)
ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])")
CASES = re.compile(r"\\begin\s*\{cases\}([^&]*)\\end\s*\{cases\}", re.DOTALL)
RELATION = re.compile(r"\\le(?![A-Za-z])|\\ge(?![A-Za-z])|<|>")
ASSIGNMENT = re.compile(rf"\s*({SYMBOL})\s*=[^=]+")
OR, AND = (re.compile(rf"(?<![A-Za-z\\]){word}(?![A-Za-z])") for word in ("or", "and"))
DOTS = "\\ldots"
SEPARATOR = re.compile(r",\s*(?:and|or)\b|,|;|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!\d|,\d)")
UNION = re.compile(r"\\cup(?![A-Za-z])|(?<![A-Za-z])U(?![A-Za-z])")
SUCH_THAT = re.compile(r"\\mid(?![a-z])|:|\|")
EQUAL = re.compile(r"(?<![<>!\\])=|\\(?:equiv|approx)(?![a-z])")


@dataclass(frozen=True, slots=True)
class Structure:
    """An answer's kind and its parts, each as LaTeX.

    `around` holds the brackets of a tuple, such as `[)`, and the shape of a matrix, such as `2x3`, with the name of its
    environment in front where that stands for a determinant or a norm. `variable` is that of an inequality. `link` is
    the `and` or `or` of a list.
    """

    kind: Kind
    parts: tuple[str, ...]
    around: str = ""
    variable: str = ""
    link: str = ""

    @property
    def is_interval(self) -> bool:
        """Whether it can be nothing but an interval; an open one with finite ends may be a point."""
        is_pair = self.kind == "tuple" and len(self.parts) == 2
        return is_pair and (self.around != "()" or any("\\infty" in part for part in self.parts))

    def latex(self) -> str:
        """The structure as LaTeX again."""
        if self.kind == "tuple" and self.variable and self.parts != ("-\\infty", "\\infty"):
            low, high = (" \\le " if closed else " < " for closed in (self.around[0] == "[", self.around[1] == "]"))
            below = "" if self.parts[0] == "-\\infty" else self.parts[0] + low
            return below + self.variable + ("" if self.parts[1] == "\\infty" else high + self.parts[1])
        if self.kind == "tuple":
            return self.around[0] + ",".join(self.parts) + self.around[1]
        if self.kind == "union":
            return " \\cup ".join(structure(part).latex() for part in self.parts)
        if self.kind == "matrix":
            columns = int(self.around.split("x")[-1]) or 1
            rows = [" & ".join(self.parts[start : start + columns]) for start in range(0, len(self.parts), columns)]
            name = "vmatrix" if self.around.startswith("vmatrix") else "pmatrix"
            return f"\\begin{{{name}}}" + " \\\\ ".join(rows) + f"\\end{{{name}}}"
        if self.kind == "set":
            return "\\{" + ",".join(self.parts) + "\\}"
        return ("=" if self.kind == "equation" else ",").join(self.parts)


def structure(text: str) -> Structure:
    """What `text` consists of; one formula where no reader of READERS knows it."""
    text = trimmed(text)
    for read in READERS:
        if found := read(text):
            return found
    return Structure("formula", (text,))


def split(text: str, separator: re.Pattern[str]) -> list[str]:
    """`text` cut where `separator` matches outside all brackets; empty pieces at the ends are dropped."""
    depth, depths = 0, []
    for sign in text:
        depth -= sign in ")]}"
        depths.append(depth)
        depth += sign in "([{"
    pieces, start = [], 0
    for match in separator.finditer(text):
        if depths[match.start()] == 0:
            pieces.append(text[start : match.start()].strip())
            start = match.end()
    pieces.append(text[start:].strip())
    return [piece for place, piece in enumerate(pieces) if piece or 0 < place < len(pieces) - 1]


def list_items(text: str) -> list[str]:
    """The items of a list. A comma without space after it, before three digits, is one of thousands and does not cut
    where the list has other separators."""
    if re.search(r"\d,\d{3}(?!\d)", text) and re.search(r",\s|\band\b|\bor\b|;", text):
        text = THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    return split(text, SEPARATOR)


def _matrix(text: str) -> Structure | None:
    if not (match := MATRIX.fullmatch(text)):
        return None
    rows = [row for row in ROW_END.split(match[2]) if row.strip()]
    cells = tuple(cell.strip() for row in rows for cell in row.split("&"))
    bars = match[1] if match[1] in ("vmatrix", "Vmatrix") else ""
    return Structure("matrix", cells, f"{bars}{len(rows)}x{len(cells) // max(len(rows), 1)}")


def _cases(text: str) -> Structure | None:
    """A list of rows; any other environment is a formula."""
    if match := CASES.fullmatch(text):
        return _collection("list", [row.strip(" ,.") for row in match[1].split("\\\\") if row.strip()])
    return Structure("formula", (text,)) if "\\begin" in text and len(split(text, EQUAL)) == 1 else None


def _element(text: str) -> Structure | None:
    r"""`x \in [1,2]` is the set."""
    match = ELEMENT.fullmatch(text)
    if not match or re.fullmatch(r"[A-Z]", match["set"]):
        return None
    return replace(structure(match["set"]), variable=match[1])


def _union_or_list(text: str) -> Structure | None:
    r"""What stands between `\cup`; else what stands between commas, 'and' and 'or', inequalities among them."""
    text = plain_text(text) if "\\text" in text else text
    if len(parts := split(text, UNION)) > 1:
        return Structure("union", tuple(parts))
    if len(parts := list_items(text)) <= 1:
        return None
    link = "or" if len(split(text, OR)) > 1 else "and" if len(split(text, AND)) > 1 else ""
    if any(RELATION.search(part) for part in parts) and link == "or":
        return Structure("union", tuple(parts))
    found = (_between(parts) if link == "and" else None) or _groups(text, parts)
    return found or replace(_collection("list", parts), link=link)


def _groups(text: str, parts: Sequence[str]) -> Structure | None:
    """The groups of `1,2;3,4` or of `x=1,y=2 or x=3,y=4`; None where the items of a list are in none."""
    groups = [list_items(part) for part in split(text, re.compile(";"))]
    names = [match[1] if (match := ASSIGNMENT.fullmatch(part)) else "" for part in parts]
    if "" not in names and len(set(names)) > 1 and len(set(names)) < len(names):
        groups = []
        for name, part in zip(names, parts, strict=True):
            if not groups or any(one.split("=")[0].strip() == name for one in groups[-1]):
                groups.append([])
            groups[-1].append(part)
    elif len(groups) < 2 or all(len(group) == 1 for group in groups):
        return None
    return Structure("list", tuple(", ".join(group) for group in groups))


def _between(parts: Sequence[str]) -> Structure | None:
    """The interval of `x > 2` and `x < 3`."""
    if len(parts) != 2 or not (one := _inequality(parts[0])) or not (other := _inequality(parts[1])):
        return None
    low, high = (one, other) if one.parts[1] == "\\infty" else (other, one)
    if one.variable == other.variable and low.parts[1] == "\\infty" and high.parts[0] == "-\\infty":
        return Structure("tuple", (low.parts[0], high.parts[1]), low.around[0] + high.around[1], one.variable)
    return None


def _set(text: str) -> Structure | None:
    r"""`\{1,2\}`, or `\{x \mid x > 2\}`, which is the interval."""
    in_braces = text.startswith("\\{") and text.endswith("\\}")
    if not in_braces or not is_enclosed(text[1:].replace("\\}", "}").replace("\\{", "{")):
        return None
    inside = text[2:-2].strip()
    if len(parts := split(inside, SUCH_THAT)) == 2 and (RELATION.search(parts[1]) or "\\ne" in parts[1]):
        found = structure(parts[1])
        name, _, domain = parts[0].partition("\\in")
        real = re.fullmatch(r"\s*(?:\\mathbb\s*\{?\s*R\s*\}?\s*)?", domain)
        return found if real and found.variable in ("", name.strip()) else Structure("formula", (text,))
    return _collection("set", list_items(inside))


def _tuple(text: str) -> Structure | None:
    """`(1,2)` or `[0,1)`; round brackets around one part are left out."""
    if text[:1] not in ("(", "[") or text[-1:] not in (")", "]") or not is_enclosed(text):
        return None
    brackets = text[0] + text[-1]
    parts = split(text[1:-1], re.compile("[,;]"))
    if len(parts) > 1:
        return Structure("tuple", tuple(parts), brackets)
    if brackets == "()":
        return structure(text[1:-1]) if parts else Structure("formula", (text,))
    return None


def _inequality(text: str) -> Structure | None:
    r"""The interval that `a < x \le b` or `x > a` describes."""
    signs, parts = RELATION.findall(text), split(text, RELATION)
    if len(signs) not in (1, 2) or len(parts) != len(signs) + 1:
        return None
    upward = [sign in ("<", "\\le") for sign in signs]
    closed = [sign in ("\\le", "\\ge") for sign in signs]
    if len(set(upward)) != 1:
        return None
    if not upward[0]:
        parts, closed = parts[::-1], closed[::-1]
    if len(parts) == 2 and all(re.fullmatch(SYMBOL, part) for part in parts):
        return None
    if len(parts) == 2 and re.fullmatch(SYMBOL, parts[0]):
        parts, closed = ["-\\infty", *parts], [False, *closed]
    elif len(parts) == 2:
        parts, closed = [*parts, "\\infty"], [*closed, False]
    low, variable, high = parts
    if not re.fullmatch(SYMBOL, variable):
        return None
    return Structure("tuple", (low, high), "(["[closed[0]] + ")]"[closed[1]], variable)


def _equation(text: str) -> Structure | None:
    parts = split(text, EQUAL)
    if len(parts) == 2 and all(part.startswith("(") and is_enclosed(part) for part in parts):
        names, values = (split(part[1:-1], re.compile(",")) for part in parts)
        if not all(re.fullmatch(SYMBOL, name) for name in names):
            names, values = values, names
        if 1 < len(names) == len(values) and all(re.fullmatch(SYMBOL, name) for name in names):
            return Structure("list", tuple(f"{name}={value}" for name, value in zip(names, values, strict=True)))
    return Structure("equation", tuple(parts)) if len(parts) > 1 else None


def _plus_minus(text: str) -> Structure | None:
    r"""`1 \pm 2` is the list of `1 + 2` and `1 - 2`."""
    if text.count("\\pm") != 1:
        return None
    plus = text.replace("\\pm", "+").replace("\\mp", "-")
    return Structure("list", (plus, text.replace("\\pm", "-").replace("\\mp", "+")))


def _empty_set(text: str) -> Structure | None:
    return Structure("set", ()) if text in ("\\emptyset", "\\{\\}") else None


READERS = (  # the first that knows a text says what it is
    _matrix,
    _cases,
    _element,
    _union_or_list,
    _set,
    _tuple,
    _inequality,
    _equation,
    _plus_minus,
    _empty_set,
)


def _collection(kind: Literal["set", "list"], parts: Sequence[str]) -> Structure:
    r"""A set or list of `parts`, where a part with `\pm` is two items."""
    items: list[str] = []
    for part in parts:
        inner = structure(part) if "\\pm" in part else None
        if inner and inner.kind == "equation":
            inner = structure(inner.parts[-1])
        items.extend(inner.parts if inner and inner.kind == "list" else [part])
    return Structure(kind, tuple(items))
