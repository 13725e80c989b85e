"""Whether two answers are the same by their structure: tuples, intervals, sets, lists, matrices, equations, words.

What has parts is compared part by part, ordered or not as mathematics has it; parts without structure are numbers
(`numbers`) or for `leaf` to say, the algebra. Answers are True, False and None: not to be told without algebra.
"""

import re
from collections.abc import Callable, Sequence

from motif.tasks.grading.latex import trimmed, unwrapped
from motif.tasks.grading.numbers import number, same_number
from motif.tasks.grading.structure import RELATION, SYMBOL, Shape, shape, whole
from motif.tasks.grading.units import choice, clash, without_unit, words

Leaf = Callable[[str, str], bool | None]  # (prediction, gold), both cleaned
BASE = re.compile(r"\(?([0-9A-F]+)\)?_\{(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\}")
MODULO = re.compile(r"\s*\(?\\(?:pmod|bmod|mod)(?![a-z])\s*(?:\{[^{}]*\}|\d+)\)?$")
MOST = 64  # parts


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
        if any(re.fullmatch(r"[A-Za-z ]+", one.parts[0]) and number(other.parts[0]) for one, other in ((p, g), (g, p))):
            return False  # letters are no number, and that needs no algebra
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
