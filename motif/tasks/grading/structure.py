"""What an answer consists of: tuples, intervals, sets, lists, unions, matrices, equations, or one formula.

Read from cleaned LaTeX (`latex.clean`) by its outermost brackets and separators. An inequality in one variable
is the interval that it describes. Nothing is compared here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from motif.tasks.grading.latex import encloses, trimmed, unwrapped

SYMBOL = r"(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|lambda|phi|omega|mu|ell))(?:_\{\w+\}|')?(?:\([a-z]\))?"
ELEMENT = re.compile(rf"({SYMBOL}|\([^()]*\))\s*\\in(?![A-Za-z])\s*(?P<set>.+)")
MATRIX = re.compile(r"\\begin\s*\{([pbBvV]?matrix|array)\}(?:\s*\{[clr| ]*\})?(.*)\\end\s*\{\1\}", re.DOTALL)
CASES = re.compile(r"\\begin\s*\{cases\}([^&]*)\\end\s*\{cases\}", re.DOTALL)
RELATION = re.compile(r"\\le(?![A-Za-z])|\\ge(?![A-Za-z])|<|>")
SEPARATOR = re.compile(r",\s*(?:and|or)\b|,|;|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
UNION = re.compile(r"\\cup(?![A-Za-z])|(?<![A-Za-z])U(?![A-Za-z])")
EQUAL = re.compile(r"(?<![<>!\\])=|\\equiv(?![a-z])")


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is tuple, set, list, union, matrix, equation or whole; `around` a tuple's brackets or a matrix's kind."""

    kind: str
    parts: tuple[str, ...]
    around: str = ""

    @property
    def interval(self) -> bool:
        """Whether it can be nothing but an interval; an open one with finite ends may be a point."""
        two = self.kind == "tuple" and len(self.parts) == 2
        return two and (self.around != "()" or any("\\infty" in part for part in self.parts))


def split(text: str, at: re.Pattern[str]) -> list[str]:
    """`text` cut where `at` matches outside all brackets; empty pieces at the ends are dropped."""
    depth, depths = 0, []
    for sign in text:
        depth -= sign in ")]}"
        depths.append(depth)
        depth += sign in "([{"
    pieces, start = [], 0
    for match in at.finditer(text):
        if depths[match.start()] == 0:
            pieces.append(text[start : match.start()].strip())
            start = match.end()
    pieces.append(text[start:].strip())
    return [piece for place, piece in enumerate(pieces) if piece or 0 < place < len(pieces) - 1]


def listed(text: str) -> list[str]:
    """The items of a list. Commas without space inside thousands do not cut where others have space."""
    if re.search(r"\d,\d{3}(?!\d)", text) and re.search(r",\s|\band\b|\bor\b|;", text):
        text = re.sub(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!\d|,\d)", lambda match: match[0].replace(",", ""), text)
    return split(text, SEPARATOR)


def shape(text: str) -> Shape:
    text = trimmed(text)
    if match := MATRIX.fullmatch(text):
        rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])", match[2]) if row.strip()]
        cells = tuple(cell.strip() for row in rows for cell in row.split("&"))
        bars = match[1] if match[1] in ("vmatrix", "Vmatrix") else ""
        return Shape("matrix", cells, f"{bars}{len(rows)}x{len(cells) // max(len(rows), 1)}")
    if match := CASES.fullmatch(text):
        return _flat("list", [row.strip(" ,.") for row in match[1].split("\\\\") if row.strip()])
    if "\\begin" in text:
        return Shape("whole", (text,))
    if match := ELEMENT.fullmatch(text):
        return shape(match["set"])
    plain = unwrapped(text) if "\\text" in text else text
    if len(parts := split(plain, UNION)) > 1:
        return Shape("union", tuple(parts))
    if len(parts := listed(plain)) > 1:
        if any(RELATION.search(part) for part in parts) and re.search(r"\bor\b", plain):
            return Shape("union", tuple(parts))
        ends: list[Any] = (
            [_relation(part) for part in parts] if re.search(r"\band\b", plain) and len(parts) == 2 else []
        )
        if ends and all(ends):
            low, high = sorted(ends, key=lambda end: end.parts[1] == "\\infty", reverse=True)
            if low.parts[1] == "\\infty" and high.parts[0] == "-\\infty":
                return Shape("tuple", (low.parts[0], high.parts[1]), low.around[0] + high.around[1])
        return _flat("list", parts)
    if text.startswith("\\{") and text.endswith("\\}") and encloses(text[1:].replace("\\}", "}").replace("\\{", "{")):
        inner = text[2:-2].strip()
        if len(parts := split(inner, re.compile(r"\\mid(?![a-z])|:|\|"))) == 2 and RELATION.search(parts[1]):
            return shape(parts[1])
        return _flat("set", listed(inner))
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and encloses(text):
        parts = split(text[1:-1], re.compile("[,;]"))
        if len(parts) > 1:
            return Shape("tuple", tuple(parts), text[0] + text[-1])
        if text[0] + text[-1] == "()":
            return shape(text[1:-1]) if parts else Shape("whole", (text,))
    if found := _relation(text):
        return found
    if len(parts := split(text, EQUAL)) > 1:
        return Shape("equation", tuple(parts))
    if "\\pm" in text and text.count("\\pm") == 1:
        return Shape(
            "list", (text.replace("\\pm", "+").replace("\\mp", "-"), text.replace("\\pm", "-").replace("\\mp", "+"))
        )
    if text in ("\\emptyset", "\\{\\}"):
        return Shape("set", ())
    return Shape("whole", (text,))


def _flat(kind: str, parts: Sequence[str]) -> Shape:
    """A set or list; `\\pm` and lists inside are items of it."""
    items: list[str] = []
    for part in parts:
        inner = shape(part) if "\\pm" in part else None
        if inner and inner.kind == "equation":
            inner = shape(inner.parts[-1])
        items.extend(inner.parts if inner and inner.kind == "list" else [part])
    return Shape(kind, tuple(items))


def _relation(text: str) -> Shape | None:
    """The interval that `a < x \\le b` or `x > a` is, None for any other text."""
    signs = [("<" if sign[-1] in "<e" and "g" not in sign else ">", "\\" in sign) for sign in RELATION.findall(text)]
    parts = split(text, RELATION)
    if len(parts) != len(signs) + 1 or len(signs) not in (1, 2) or len({sign for sign, _ in signs}) != 1:
        return None
    if signs[0][0] == ">":
        parts, signs = parts[::-1], signs[::-1]
    closed = [equal for _, equal in signs]
    if len(parts) == 2 and re.fullmatch(SYMBOL, parts[0]):
        return Shape("tuple", ("-\\infty", parts[1]), "(" + ")]"[closed[0]])
    if len(parts) == 2 and re.fullmatch(SYMBOL, parts[1]):
        return Shape("tuple", (parts[0], "\\infty"), "(["[closed[0]] + ")")
    if len(parts) == 3 and re.fullmatch(SYMBOL, parts[1]):
        return Shape("tuple", (parts[0], parts[2]), "(["[closed[0]] + ")]"[closed[1]])
    return None


def whole(s: Shape) -> str:
    """A shape as LaTeX again."""
    if s.kind == "tuple":
        return s.around[0] + ",".join(s.parts) + s.around[1]
    if s.kind == "union":
        return " \\cup ".join(whole(shape(part)) for part in s.parts)
    if s.kind == "matrix":
        columns = int(s.around.split("x")[-1]) or 1
        rows = [" & ".join(s.parts[start : start + columns]) for start in range(0, len(s.parts), columns)]
        return "\\begin{pmatrix}" + " \\\\ ".join(rows) + "\\end{pmatrix}"
    return (
        "\\{" + ",".join(s.parts) + "\\}" if s.kind == "set" else ("=" if s.kind == "equation" else ",").join(s.parts)
    )
