r"""Whether two answers are the same, by rules and by structure.

`Comparison.same` asks the RULES from top to bottom, and the first that applies decides: numbers, bases, choices, units,
words. Where none applies, both are read as structures, and BY_KINDS says for two kinds of structures how they are
compared: part by part, in order or in any order. Formulas are compared by the function that the caller gives, and this
module does no algebra itself.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from motif.tasks.grading.latex import plain_text, trimmed
from motif.tasks.grading.numbers import digits_and_base, number, same_number
from motif.tasks.grading.structure import RELATION, SYMBOL, Kind, Structure, structure
from motif.tasks.grading.units import clash, without_unit
from motif.tasks.grading.verdicts import Compare, Verdict, ordered, unordered
from motif.tasks.grading.words import choice, words

MODULO = re.compile(r"\s*\(?\\(?:pmod|bmod|mod)(?![a-z])\s*(?:\{[^{}]*\}|\d+)\)?$")
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
        if _without_space(prediction) == _without_space(gold) and not re.search(r"\d \d", prediction + gold):
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


def _without_space(text: str) -> str:
    return re.sub(r"\s+", "", text)


# Rules: each says what it decides, and None where it does not apply.


def _numbers(prediction: str, gold: str, _: Comparison) -> Verdict | None:
    """Two numbers. Where they differ, a word such as 'million' may be a unit."""
    one, other = number(prediction), number(gold)
    if not one or not other:
        return None
    same = same_number(one, other)
    return Verdict.of(same) if same or not re.search(r"[a-z]{5}", prediction) else None


def _bases(prediction: str, gold: str, _: Comparison) -> Verdict | None:
    """Digits and base must agree. A prediction may leave out a base that the gold names, but not name one itself."""
    one, other = digits_and_base(prediction), digits_and_base(gold)
    if other and not one:
        return Verdict.of(prediction == other[0])
    return Verdict.of(one == other) if one else None


def _choices(prediction: str, gold: str, comparison: Comparison) -> Verdict | None:
    """Letters of a multiple choice; within an answer, only letters without the text of their option."""
    one, other = choice(prediction), choice(gold)
    if not one or not other or (comparison.depth > 0 and (one[1] or other[1])):
        return None
    return Verdict.of(one[0] == other[0])


def _units(prediction: str, gold: str, comparison: Comparison) -> Verdict | None:
    """A unit may be left out or added; two different units of one kind are a difference."""
    (p, unit), (g, gold_unit) = without_unit(prediction), without_unit(gold)
    if not (unit or gold_unit) or not (p and g):
        return None
    if unit and gold_unit and clash(unit, gold_unit):
        return Verdict.WRONG
    variable = re.fullmatch(r"[A-Za-z]", gold_unit) and not unit and "\\text" not in gold
    return None if variable else comparison.rest(p, g)


def _joined_unit(prediction: str, gold: str, comparison: Comparison) -> Verdict | None:
    """`5m` is metres rather than a variable where the gold is a number and has no variable."""
    if number(gold) and re.fullmatch(r"[-+]?[\d.,]+[mgshL]", prediction):
        return comparison.rest(prediction[:-1], gold)
    return None


def _modulo(prediction: str, gold: str, comparison: Comparison) -> Verdict | None:
    """A modulus that only one of the two names is set aside."""
    if bool(MODULO.search(prediction)) == bool(MODULO.search(gold)):
        return None
    return comparison.rest(MODULO.sub("", prediction), MODULO.sub("", gold))


def _words(prediction: str, gold: str, comparison: Comparison) -> Verdict | None:
    """Words. Where only one is words: a list of words (`a and b`) is a list, and a word may be a name in a formula."""
    one, other = words(prediction), words(gold)
    if one and other:
        return Verdict.of(one == other)
    if not (one or other) or "=" in prediction + gold:
        return None
    p, g = structure(prediction), structure(gold)
    if {p.kind, g.kind} & {"list", "set", "union"}:
        return comparison.structures(p, g)
    bare, gold_bare = (_without_space(plain_text(text)).lower() for text in (prediction, gold))
    return Verdict.of(bare == gold_bare)


RULES = (_numbers, _bases, _choices, _units, _joined_unit, _modulo, _words)

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
    return unordered(p.parts, g.parts, comparison.part)


def _tuples(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Items in order; the brackets of two pairs must agree where one can only be an interval."""
    pairs = len(p.parts) == len(g.parts) == 2
    if pairs and p.around != g.around and (p.is_interval or g.is_interval):
        return Verdict.WRONG
    return _in_order(p, g, comparison)


def _tuple_and_list(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """A point may lack its brackets, an interval not."""
    return Verdict.WRONG if p.is_interval or g.is_interval else _in_order(p, g, comparison)


def _matrices(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    return _in_order(p, g, comparison) if p.around == g.around else Verdict.WRONG


def _unions(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Members in any order; where they do not agree, algebra may still make one of two."""
    return _in_any_order(p, g, comparison) or _by_algebra(p, g, comparison)


def _many_and_formula(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """A set or list agrees with a formula that each of its items equals, or with one that names a set."""
    many, formula = (p, g) if g.kind == "formula" else (g, p)
    verdict = _in_any_order(p, g, comparison) if many.parts else Verdict.WRONG
    if verdict is Verdict.WRONG and re.search(r"\\(?:mathbb|pm|begin|emptyset)", formula.parts[0]):
        return _by_algebra(p, g, comparison)
    return verdict


def _tuple_and_formula(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    r"""An interval and an inequality that is more than one variable's, or a set such as `\mathbb{R}`."""
    formula = p if p.kind == "formula" else g
    if RELATION.search(formula.parts[0]):
        return _by_algebra(p, g, comparison)
    return _sets_of_numbers(p, g, comparison)


def _sets_of_numbers(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """For algebra, where both are sets of numbers."""
    both = all(s.kind == "union" or s.is_interval or re.search(r"\\(?:mathbb|setminus|ne)", s.latex()) for s in (p, g))
    return _by_algebra(p, g, comparison) if both else Verdict.WRONG


def _equations(p: Structure, g: Structure, comparison: Comparison) -> Verdict:
    """Of two assignments the names must agree, of one the value counts; other equations are for algebra."""
    p_assigns, g_assigns = (s.kind == "equation" and _is_name(s.parts[0]) for s in (p, g))
    if p.kind != "equation":
        return comparison.part(p.latex(), g.parts[-1]) if g_assigns else Verdict.WRONG
    if g.kind != "equation":
        computes = not re.search(r"[A-Za-z]", re.sub(r"\\[a-z]+", "", p.parts[0]))  # as in 2+3=5
        return comparison.part(p.parts[-1], g.latex()) if p_assigns or computes else Verdict.WRONG
    if p_assigns and g_assigns:
        if _name(p.parts[0]) == _name(g.parts[0]):
            return comparison.part(p.parts[-1], g.parts[-1])
        with_variables = any(re.search(r"(?<!\\)[a-z]", re.sub(r"\\[a-z]+", "", s.parts[-1])) for s in (p, g))
        if not with_variables and all(re.fullmatch(SYMBOL, s.parts[0]) for s in (p, g)):
            return Verdict.WRONG
    return _by_algebra(p, g, comparison)


def _is_name(text: str) -> bool:
    """Whether `text` is what an answer may be called: symbols without numbers, a function's value, words."""
    if re.fullmatch(r"\(?[A-Za-z\\_{}', ]+\)?", text):
        return True
    if re.fullmatch(rf"{SYMBOL}|\\text\s*\{{[^{{}}]*\}}|[A-Za-z']+\(.*\)", text):
        return True
    return not re.search(r"\d", re.sub(r"_\{\w+\}|\^\{-1\}", "", text)) and bool(re.search(r"[A-Za-z]", text))


def _name(text: str) -> str:
    """A name in one way of writing."""
    name = re.sub(r"[\s{}]|\\text", "", text).lower()
    return "y" if re.fullmatch(r"[a-z]\(x\)", name) else name  # y = x² is a name of the function


CompareStructures = Callable[[Structure, Structure, Comparison], Verdict]
BY_KINDS: dict[tuple[Kind, Kind], CompareStructures] = {
    ("formula", "formula"): _formulas,
    ("tuple", "tuple"): _tuples,
    ("tuple", "list"): _tuple_and_list,
    ("tuple", "formula"): _tuple_and_formula,
    ("set", "set"): _in_any_order,
    ("list", "list"): _in_any_order,
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
