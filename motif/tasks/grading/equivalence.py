r"""Whether two answers are the same, by rules and by structure.

`Comparison.same` asks the RULES from top to bottom, and the first that applies decides: numbers, bases, choices, units,
words. Where none applies, both are read as structures, and BY_KINDS says for two kinds of structures how they are
compared: part by part, in order or in any order. Formulas are compared by the function that the caller gives, and this
module does no algebra itself.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from motif.tasks.grading.latex import trimmed
from motif.tasks.grading.numbers import number
from motif.tasks.grading.rules import RULES, without_space
from motif.tasks.grading.structure import DOTS, RELATION, SYMBOL, Kind, Structure, structure
from motif.tasks.grading.verdicts import Compare, Verdict, ordered, paired, unordered

OF_SETS = re.compile(r"\\(?:cup|cap|setminus|mathbb|emptyset|ne|le|ge)(?![A-Za-z])|<|>")
NAME = re.compile(  # of a value: a letter with arguments, letters of points, words
    rf"{SYMBOL}(?:\(.*\))?|[A-Za-z](?:_\{{\w+\}})?'*\(.*\)|m?\\(?:angle|triangle|Delta|overline|vec|hat|bar)\s*\{{?\s*[A-Za-z]+\s*\}}?|"
    r"[A-Z]{2,}|\\det\s*(?:[A-Z]|\([A-Z]\))|\[[A-Z]{3,}\]|\|[A-Z]{2}\||[a-z]\^\{-1\}\([a-z]\)|\\frac\{d[a-z]?\}\{d[a-z]\}|"
    r"(?:\\text\s*\{[^{}]*\}|max|min|sum|age|(?=[A-Za-z]+[aeiou])[A-Za-z]{4,}|[A-Z][a-z]{2,})"
    r"(?:[ _](?:\\text\s*\{[^{}]*\}|[A-Za-z]+))*|\(" + SYMBOL + r"(?:,\s*" + SYMBOL + r")+\)"
)
MOST_PARTS = 64
DEEPEST = 6  # parts within parts, and units or words that were set aside


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares answers.

    Attributes:
        formulas: says whether two formulas are the same, or UNDECIDED where that takes algebra which is not done here.
        depth: how deep in the answer the compared parts stand, 0 for whole answers.
    """

    formulas: Compare
    depth: int = 0

    def same(self, prediction: str, gold: str) -> Verdict:
        """Whether two cleaned answers (`latex.clean`) are the same.

        Not symmetric: a prediction may leave out what the question asks for, as the base of `17_{8}`, and not add it.
        """
        if without_space(prediction) == without_space(gold) and not re.search(r"\d \d", prediction + gold):
            return Verdict.of(bool(prediction))
        if not prediction or not gold or self.depth > DEEPEST:
            return Verdict.WRONG
        for rule in RULES:
            if (verdict := rule(prediction, gold, self)) is not None:
                return verdict
        return self.structures(structure(prediction), structure(gold))

    def structures(self, p: Structure, g: Structure) -> Verdict:
        """Whether two structures are the same; kinds that BY_KINDS does not name together never are."""
        compare = COMPARISONS.get(frozenset((p.kind, g.kind)))
        if compare is None or max(len(p.parts), len(g.parts)) > MOST_PARTS:
            return Verdict.WRONG
        return compare(p, g, self)

    def rest(self, prediction: str, gold: str) -> Verdict:
        """Compares what is left of two answers once something was set aside."""
        return Comparison(self.formulas, self.depth + 1).same(prediction, gold)

    def part(self, prediction: str, gold: str) -> Verdict:
        """Compares a part of one answer with a part of the other."""
        return self.rest(trimmed(prediction), trimmed(gold))


# Structures: how two of given kinds are compared. `p` is the prediction's, `g` the gold's.


def _formulas(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    one, other = p.parts[0], g.parts[0]
    if any(re.fullmatch(r"[A-Za-z ]+", a) and number(b) for a, b in ((one, other), (other, one))):
        return Verdict.WRONG  # letters are no number, and that needs no algebra
    return comparison.formulas(one, other)


def _by_algebra(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    return comparison.formulas(p.latex(), g.latex())


def _in_order(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    return ordered(p.parts, g.parts, comparison.part)


def _in_any_order(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    if _holds_sets(p) != _holds_sets(g):
        return Verdict.WRONG
    return unordered(p.parts, g.parts, comparison.part)


def _lists(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Items in any order, each as often; but values without names, dots and `and` beside `or` make a difference."""
    names = [_names(p), _names(g)]
    if _holds_sets(p) != _holds_sets(g) or ({p.link, g.link} == {"and", "or"} and bool(names[0]) == bool(names[1])):
        return Verdict.WRONG
    if any(DOTS in part for part in p.parts + g.parts):
        return _in_order(p, g, comparison)
    if all(names) and names[0] != names[1]:
        return Verdict.WRONG
    if "or" in (p.link, g.link) and p.link != g.link and (len(set(names[0])) > 1 or len(set(names[1])) > 1):
        return Verdict.WRONG
    if bool(len(set(names[0])) > 1) != bool(len(set(names[1])) > 1):
        return _in_order(p, g, comparison)
    return paired(p.parts, g.parts, comparison.part)


def _names(s: Structure) -> list[str]:
    """What the parts of a list are about, in order of the alphabet; none where one of them is a value."""
    sides = [re.split(r"=|\\ne(?![a-z])", part) if "," not in part else [part] for part in s.parts]
    return sorted(re.sub(r"[\s{}]", "", side[0]) for side in sides) if all(len(side) > 1 for side in sides) else []


def _holds_sets(s: Structure) -> bool:
    return any(part.startswith("\\{") for part in s.parts)


def _tuples(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Items in order; the brackets of two pairs must agree where one can only be an interval."""
    if p.variable and g.variable and p.variable != g.variable:
        return Verdict.WRONG
    pairs = len(p.parts) == len(g.parts) == 2
    if pairs and p.around != g.around and (p.is_interval or g.is_interval):
        return Verdict.WRONG
    return _in_order(p, g, comparison)


def _tuple_and_list(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """A point may lack its brackets, an interval not."""
    return Verdict.WRONG if p.is_interval or g.is_interval or "or" in (p.link, g.link) else _in_order(p, g, comparison)


def _matrices(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    if p.around == g.around and not p.around.startswith("vmatrix"):
        return _in_order(p, g, comparison)
    return _by_algebra(p, g, comparison) if "vmatrix" in p.around + g.around else Verdict.WRONG


def _unions(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Members in any order; where they do not agree, algebra may still make one of two."""
    return _in_any_order(p, g, comparison) or _by_algebra(p, g, comparison)


def _many_and_formula(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """A set or list of one item agrees with this item, a set with a formula that names it."""
    many, formula = (p, g) if g.kind == "formula" else (g, p)
    if many.kind == "set" and re.search(r"\\(?:mathbb|cap|setminus|emptyset)(?![a-z])", formula.parts[0]):
        return _by_algebra(p, g, comparison)
    bare = not any(re.search(r"(?<![\\A-Za-z])[A-Za-z]", part) for part in many.parts)
    alike = len(many.parts) == 1 or (many.link == "or" and bare) or "\\pm" in formula.parts[0]  # 1.5 or 3/2
    return _in_any_order(p, g, comparison) if alike else Verdict.WRONG


def _tuple_and_formula(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    r"""An interval and an inequality that is more than one variable's, or a set such as `\mathbb{R}`."""
    formula = p if p.kind == "formula" else g
    if RELATION.search(formula.parts[0]):
        return _by_algebra(p, g, comparison)
    return _sets_of_numbers(p, g, comparison)


def _sets_of_numbers(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """For algebra, where both are sets of numbers."""
    pairs = all(s.kind in ("union", "set") or len(s.parts) == 2 or OF_SETS.search(s.latex()) for s in (p, g))
    both = pairs and any(s.kind == "union" or s.is_interval or OF_SETS.search(s.latex()) for s in (p, g))
    return _by_algebra(p, g, comparison) if both else Verdict.WRONG


def _equations(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Of two assignments the names must agree, of one the value counts; other equations are for algebra."""
    p, g = _turned(p), _turned(g)
    p_assigns, g_assigns = (s.kind == "equation" and bool(NAME.fullmatch(s.parts[0])) for s in (p, g))
    if p.kind != "equation":
        return comparison.part(p.latex(), g.parts[-1]) if g_assigns else Verdict.WRONG
    if g.kind != "equation":
        computes = not re.search(r"[A-Za-z]", re.sub(r"\\[a-z]+", "", p.parts[0]))  # as in 2+3=5
        return comparison.part(p.parts[-1], g.latex()) if p_assigns or computes else Verdict.WRONG
    if p_assigns and g_assigns:
        p_links, g_links = ({_name(part) for part in s.parts[1:-1] if NAME.fullmatch(part)} for s in (p, g))
        if p_links != g_links:
            return Verdict.WRONG  # x = y = 2 and x = 2
        if _name(p.parts[0]) == _name(g.parts[0]):
            return comparison.part(p.parts[-1], g.parts[-1])
        with_variables = any(re.search(r"(?<!\\)[a-z]", re.sub(r"\\[a-z]+", "", s.parts[-1])) for s in (p, g))
        if not with_variables:
            return Verdict.WRONG
    return _by_algebra(p, g, comparison)


def _turned(s: Structure) -> Structure:
    """`2 = x` is `x = 2`."""
    turned = (
        s.kind == "equation"
        and len(s.parts) == 2
        and re.fullmatch(SYMBOL, s.parts[1])
        and not NAME.fullmatch(s.parts[0])
    )
    return Structure("equation", s.parts[::-1]) if turned else s


def _name(text: str) -> str:
    """A name in one way of writing: words in small letters."""
    name = re.sub(r"[\s{}]|\\text", "", text)
    if re.fullmatch(r"[a-z]\(x\)", name):
        return "y"  # y = x² is a name of the function
    return name.lower() if re.search(r"[A-Za-z]{3}", name) and not name.isupper() else name


CompareStructures = Callable[[Structure, Structure, Comparison], Verdict]
BY_KINDS: dict[tuple[Kind, Kind], CompareStructures] = {
    ("formula", "formula"): _formulas,
    ("tuple", "tuple"): _tuples,
    ("tuple", "list"): _tuple_and_list,
    ("tuple", "formula"): _tuple_and_formula,
    ("set", "set"): _in_any_order,
    ("list", "list"): _lists,
    ("set", "list"): _in_any_order,
    ("set", "formula"): _many_and_formula,
    ("list", "formula"): _many_and_formula,
    ("union", "union"): _unions,
    ("union", "tuple"): _sets_of_numbers,
    ("union", "set"): _sets_of_numbers,
    ("union", "formula"): _sets_of_numbers,
    ("matrix", "matrix"): _matrices,
    ("matrix", "formula"): _by_algebra,
    ("equation", "equation"): _equations,
    ("equation", "formula"): _equations,
    ("equation", "tuple"): _equations,
    ("equation", "set"): _equations,
    ("equation", "list"): _equations,
    ("equation", "union"): _equations,
    ("equation", "matrix"): _equations,
}
COMPARISONS = {frozenset(kinds): compare for kinds, compare in BY_KINDS.items()}
