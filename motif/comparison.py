"""Whether two answers are the same by their structure: tuples, intervals, sets, lists, matrices, equations, words.

What has parts is compared part by part, ordered or not as mathematics has it; parts without structure are numbers
(`motif.exact`) or for `leaf` to say, the algebra. Answers are True, False and None: not to be told without algebra.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motif.exact import number, same_number
from motif.notation import encloses, trimmed
from motif.units import choice, clash, unwrapped, without_unit, words

Leaf = Callable[[str, str], bool | None]  # (prediction, gold), both cleaned
SYMBOL = r"(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|lambda|phi|omega|mu|ell))(?:_\{\w+\}|')?(?:\([a-z]\))?"
ELEMENT = re.compile(rf"({SYMBOL}|\([^()]*\))\s*\\in(?![A-Za-z])\s*(?P<set>.+)")
MATRIX = re.compile(r"\\begin\s*\{([pbBvV]?matrix|array)\}(?:\s*\{[clr| ]*\})?(.*)\\end\s*\{\1\}", re.DOTALL)
CASES = re.compile(r"\\begin\s*\{cases\}([^&]*)\\end\s*\{cases\}", re.DOTALL)
RELATION = re.compile(r"\\le(?![A-Za-z])|\\ge(?![A-Za-z])|<|>")
SEPARATOR = re.compile(r",\s*(?:and|or)\b|,|;|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
UNION = re.compile(r"\\cup(?![A-Za-z])|(?<![A-Za-z])U(?![A-Za-z])")
EQUAL = re.compile(r"(?<![<>!\\])=|\\equiv(?![a-z])")
MODULO = re.compile(r"\s*\(?\\(?:pmod|bmod|mod)(?![a-z])\s*(?:\{[^{}]*\}|\d+)\)?$")
BASE = re.compile(r"\(?([0-9A-F]+)\)?_\{(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\}")
MOST = 64  # parts


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
        ends = [_relation(part) for part in parts] if re.search(r"\band\b", plain) and len(parts) == 2 else []
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


def same(prediction: str, gold: str, leaf: Leaf, depth: int = 0) -> bool | None:
    """Whether two cleaned answers are the same; None where only algebra could tell and `leaf` did not."""
    if re.sub(r"\s+", "", prediction) == re.sub(r"\s+", "", gold) and not re.search(r"\d \d", prediction + gold):
        return bool(prediction)
    if not prediction or not gold or depth > 6:
        return False
    one, other = number(prediction), number(gold)
    if one and other and (same_number(one, other) or not re.search(r"[a-z]{5}", prediction)):
        return same_number(one, other)
    if (one_base := BASE.fullmatch(prediction)) or BASE.fullmatch(gold):
        return _bases(one_base, BASE.fullmatch(gold), prediction)
    letters = choice(prediction), choice(gold)
    if letters[0] and letters[1] and (depth == 0 or not (letters[0][1] or letters[1][1])):
        return letters[0][0] == letters[1][0]
    (p, unit), (g, gold_unit) = without_unit(prediction), without_unit(gold)
    if (unit or gold_unit) and p and g:
        if unit and gold_unit and clash(unit, gold_unit):
            return False
        bare_variable = re.fullmatch(r"[A-Za-z]", gold_unit) and not unit and "\\text" not in gold
        if (p, g) != (prediction, gold) and not bare_variable:
            return same(p, g, leaf, depth + 1)
    if other and re.fullmatch(r"[-+]?[\d.,]+[mgshL]", prediction):  # metres rather than a variable: the gold has none
        return same(prediction[:-1], gold, leaf, depth + 1)
    if bool(MODULO.search(prediction)) != bool(MODULO.search(gold)):
        return same(MODULO.sub("", prediction), MODULO.sub("", gold), leaf, depth + 1)
    says = words(prediction), words(gold)
    if all(says):
        return says[0] == says[1]
    if any(says) and "=" not in prediction + gold:
        return _mixed(prediction, gold, says, leaf, depth)
    return _shapes(shape(prediction), shape(gold), leaf, depth)


def _bases(one: re.Match[str] | None, other: re.Match[str] | None, prediction: str) -> bool:
    """Digits and base must agree; a prediction may leave out a base that the gold names, and base ten is no base."""
    if one and other:
        return one.groups() == other.groups()
    return prediction == other[1] if other else False


def _mixed(prediction: str, gold: str, says: Sequence[str | None], leaf: Leaf, depth: int) -> bool | None:
    """One is words: lists of words (`a and b`) are lists; otherwise different, unless it is a name in a formula."""
    shapes = shape(prediction), shape(gold)
    if {shapes[0].kind, shapes[1].kind} & {"list", "set", "union"}:
        return _shapes(*shapes, leaf, depth)
    bare = [re.sub(r"\s+", "", unwrapped(text)).lower() for text in (prediction, gold)]
    return bare[0] == bare[1]


def _shapes(p: Shape, g: Shape, leaf: Leaf, depth: int) -> bool | None:
    def inner(one: str, other: str) -> bool | None:
        return same(trimmed(one), trimmed(other), leaf, depth + 1)

    if len(p.parts) > MOST or len(g.parts) > MOST:
        return False
    if "equation" in (p.kind, g.kind):
        return _equations(p, g, leaf, inner)
    kinds = {p.kind, g.kind}
    if kinds == {"whole"}:
        return leaf(p.parts[0], g.parts[0])
    if kinds <= {"set", "list"}:
        return unordered(p.parts, g.parts, inner)
    if kinds == {"tuple"}:
        if p.around != g.around and (p.interval or g.interval) and len(p.parts) == len(g.parts) == 2:
            return False
        return ordered(p.parts, g.parts, inner)
    if kinds == {"tuple", "list"}:
        return False if p.interval or g.interval else ordered(p.parts, g.parts, inner)
    if kinds == {"matrix"}:
        return p.around == g.around and ordered(p.parts, g.parts, inner)
    if kinds == {"union"}:
        return unordered(p.parts, g.parts, inner) or leaf(whole(p), whole(g))
    if kinds <= {"set", "list", "whole"}:
        many, single = (p, g) if p.kind != "whole" else (g, p)
        if many.parts and (one := unordered(p.parts, g.parts, inner)) is not False:
            return one
        return leaf(whole(p), whole(g)) if re.search(r"\\(?:mathbb|pm|begin|emptyset)", single.parts[0]) else False
    if kinds <= {"union", "tuple", "whole", "set"} and kinds != {"set", "tuple"}:
        formula = next((s.parts[0] for s in (p, g) if s.kind == "whole"), "")
        if "union" not in kinds and RELATION.search(formula):
            return leaf(whole(p), whole(g))
        sets = [
            s for s in (p, g) if s.kind == "union" or s.interval or re.search(r"\\(?:mathbb|setminus|ne)", whole(s))
        ]
        return leaf(whole(p), whole(g)) if len(sets) == 2 else False
    return leaf(whole(p), whole(g)) if "matrix" in kinds and "whole" in kinds else False


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


def _names(text: str) -> bool:
    """Whether `text` is what an answer may be called: symbols without numbers, a function's value, words."""
    if re.fullmatch(r"\(?[A-Za-z\\_{}', ]+\)?", text) or re.fullmatch(
        rf"{SYMBOL}|\\text\s*\{{[^{{}}]*\}}|[A-Za-z']+\(.*\)", text
    ):
        return True
    return not re.search(r"\d", re.sub(r"_\{\w+\}|\^\{-1\}", "", text)) and bool(re.search(r"[A-Za-z]", text))


def _equations(p: Shape, g: Shape, leaf: Leaf, inner: Leaf) -> bool | None:
    """Of two assignments the names must agree, of one the value counts; other equations are for algebra."""
    named = [s.kind == "equation" and _names(s.parts[0]) for s in (p, g)]
    if p.kind == g.kind:
        if all(named):
            if _key(p.parts[0]) == _key(g.parts[0]):
                return inner(p.parts[-1], g.parts[-1])
            values = [re.search(r"(?<!\\)[a-z]", re.sub(r"\\[a-z]+", "", s.parts[-1])) for s in (p, g)]
            if not any(values) and all(re.fullmatch(SYMBOL, s.parts[0]) for s in (p, g)):
                return False
        return leaf("=".join(p.parts), "=".join(g.parts))
    if g.kind == "equation":
        return inner(whole(p), g.parts[-1]) if named[1] else False
    if named[0] or not re.search(r"[A-Za-z]", re.sub(r"\\[a-z]+", "", p.parts[0])):
        return inner(p.parts[-1], whole(g))
    return False


def _key(name: str) -> str:
    name = re.sub(r"[\s{}]|\\text", "", name).lower()
    return "y" if re.fullmatch(r"[a-z]\(x\)", name) else name  # y = x² is a name of the function


def ordered(p: Sequence[str], g: Sequence[str], inner: Leaf) -> bool | None:
    if len(p) != len(g):
        return False
    found = [inner(one, other) for one, other in zip(p, g, strict=True)]
    return False if False in found else None if None in found else True


def unordered(p: Sequence[str], g: Sequence[str], inner: Leaf) -> bool | None:
    """Each has an equal on the other side; what is said twice counts once, as in a set."""
    unsure, needed = False, set(range(len(p)))
    for other in g:
        found = [inner(one, other) for one in p]
        needed -= {place for place, verdict in enumerate(found) if verdict}
        if True not in found:
            if None not in found:
                return False
            unsure = True
    return (
        None
        if unsure
        else (None if any(inner(p[place], other) is None for place in needed for other in g) else not needed)
    )
