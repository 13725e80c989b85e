r"""Rules that decide on two answers before their structure is looked at: numbers, bases, choices, units, words.

A rule says what it decides, and None where it does not apply. `RULES` are asked from top to bottom. What is left of an
answer once something was set aside, such as a unit, goes to `comparison.rest`.
"""

import re
from typing import TYPE_CHECKING

from motif.tasks.grading.latex import plain_text
from motif.tasks.grading.numbers import PERCENT, digits_and_base, number, same_number
from motif.tasks.grading.structure import EQUAL, OR, list_items, structure
from motif.tasks.grading.units import clash, without_unit
from motif.tasks.grading.verdicts import Verdict
from motif.tasks.grading.words import choice, words

if TYPE_CHECKING:
    from motif.tasks.grading.equivalence import Comparison

REALS = re.compile(
    r"(?:the set of |[a-z] (?:is|can be) )?(?:all|any|every)(?: the)? ?(?P<sign>positive|negative|"
    r"nonnegative|nonzero)? ?"
    r"reals?(?: numbers?)?(?: [a-z](?![a-z]))?(?:,? *(?:(?P<out>except(?: for)?|but|other than|excluding|besides|"
    r"not equal to|(?:such that|where|with) [a-z] *\\ne(?![a-z]))|"
    r"(?P<size>greater|less|larger|smaller) than(?P<equal> or equal to)?) *(?P<rest>.+))?"
)
SIGNED = {
    "positive": "(0,\\infty)",
    "negative": "(-\\infty,0)",
    "nonnegative": "[0,\\infty)",
    "nonzero": "\\mathbb{R}\\setminus\\{0\\}",
}
# whose order and case matter, as in TTH and the genotype AaBb
LETTERS = re.compile(r"[A-Z]{2,}|(?i:(?:([a-z])\1)+)|(?=[A-Za-z]*([A-Za-z])[A-Za-z]*\2)[A-Za-z]+")
WORD = re.compile(r"(?!(?i:(?:([a-z])\1)+)$)[A-Z]?[a-z]{3,}")  # whose case does not matter
LABEL = re.compile(r"(?:\\text\s*\{\s*([A-Za-z][A-Za-z ]{2,}):?\s*\}\s*:?|([A-Za-z][A-Za-z ]{2,}):)\s*(?P<value>\S.*)")
MODULO = re.compile(r"\s*\(?\\(?:pmod|bmod|mod)(?![a-z])\s*(?:\{([^{}]*)\}|(\d+))\)?$")


def without_space(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _numbers(prediction: str, gold: str, _: "Comparison") -> Verdict | None:
    """Two numbers. Where they differ, a word such as 'million' may be a unit."""
    one, other = number(prediction), number(gold)
    if not one or not other:
        return None
    same = same_number(one, other)
    return Verdict.of(same) if same or not re.search(r"[a-z]{5}", prediction) else None


def _bases(prediction: str, gold: str, _: "Comparison") -> Verdict | None:
    """Digits and base must agree. A prediction may leave out a base that the gold names, but not name one itself."""
    one, other = digits_and_base(prediction), digits_and_base(gold)
    if other and not one:
        return Verdict.of(prediction == other[0])
    return Verdict.of(one == other) if one else None


def _choices(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """Letters of a multiple choice; within an answer, only letters without the text of their option."""
    one, other = choice(prediction), choice(gold)
    if not one or not other or (comparison.depth > 0 and (one[1] or other[1])):
        return None
    return Verdict.of(one[0] == other[0])


def _units(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """A unit may be left out or added; two different units of one kind are a difference."""
    (p, unit), (g, gold_unit) = without_unit(prediction), without_unit(gold)
    if not (unit or gold_unit) or not (p and g):
        return None
    if unit and gold_unit and clash(unit, gold_unit):
        return Verdict.WRONG
    if unit != gold_unit and ("'" in (unit, gold_unit) or any(PERCENT.search(text) for text in (p, g))):
        return Verdict.WRONG
    variable = re.fullmatch(r"[A-Za-z]", gold_unit) and not unit and "\\text" not in gold
    return None if variable else comparison.rest(p, g)


def _joined_unit(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """`5m` is metres rather than a variable where the gold is a number and has no variable."""
    if number(gold) and re.fullmatch(r"[-+]?[\d.,]+[mgshL]", prediction):
        return comparison.rest(prediction[:-1], gold)
    return None


def _modulo(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """A modulus that only one of the two names is set aside. Residues are the same that differ by their modulus."""
    one, other = MODULO.search(prediction), MODULO.search(gold)
    if not one and not other:
        return None
    if one and other:
        modulus = number(one[1] or one[2])
        if modulus != number(other[1] or other[2]) or not modulus or not modulus.value:
            return Verdict.WRONG
        residues = [
            number(EQUAL.split(text[: found.start()])[-1]) for text, found in ((prediction, one), (gold, other))
        ]
        names = [without_space(text).split("\\equiv")[:-1] for text in (prediction, gold)]
        if residues[0] and residues[1]:
            alike = (residues[0].value - residues[1].value) % modulus.value == 0
            return Verdict.of(alike and (not all(names) or names[0] == names[1]))
    if (one and "=" in gold) or (other and "=" in prediction and "\\equiv" in gold):
        return Verdict.WRONG  # n = 1 is not n ≡ 1
    if re.search(r"\\b?mod(?![a-z])", prediction + gold):
        return Verdict.UNDECIDED  # an operation, as in 5 mod 3
    return comparison.rest(MODULO.sub("", prediction), MODULO.sub("", gold))


def _words(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """Words. Where only one is words: a list of words (`a and b`) is a list, and a word may be a name in a formula."""
    one, other = words(prediction), words(gold)
    letters = [LETTERS.fullmatch(plain_text(text)) for text in (prediction, gold)]
    if all(letters):
        plain = [plain_text(prediction), plain_text(gold)]
        return Verdict.of(
            plain[0] == plain[1] or (all(map(WORD.fullmatch, plain)) and plain[0].lower() == plain[1].lower())
        )
    if one and other:
        return Verdict.of(one == other)
    if not (one or other) or "=" in prediction + gold:
        return None
    p, g = structure(prediction), structure(gold)
    if {p.kind, g.kind} & {"list", "set", "union"}:
        return comparison.structures(p, g)
    bare, gold_bare = (without_space(plain_text(text)).lower() for text in (prediction, gold))
    return Verdict.of(bare == gold_bare)


def _real_numbers(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    """`all real numbers except 2` in words is a set, and so is `x \\ne 2, -2`."""
    unequal = [excluded(prediction), excluded(gold)]
    if all(unequal) and len({name for name, _ in filter(None, unequal)}) > 1:
        return Verdict.WRONG
    one, other = (found[1] if found else real_numbers(t) for found, t in zip(unequal, (prediction, gold), strict=True))
    return comparison.rest(one or prediction, other or gold) if one or other else None


def excluded(text: str) -> tuple[str, str] | None:
    r"""The variable and the set that `x \ne 2, -2` or `x \ne 2 and x \ne -2` describes; None for one value."""
    match = re.fullmatch(r"([a-z])\s*\\ne(?![a-z])\s*([^<>=]+)", plain_text(text))
    if not match or OR.search(match[2]):
        return None
    items = [re.sub(rf"^{match[1]}\s*\\ne(?![a-z])", "", item) for item in list_items(match[2])]
    items = [each for item in items for each in (structure(item).parts if "\\pm" in item else [item])]
    if len(items) == 1 or any("\\ne" in item for item in items):
        return None
    return match[1], f"\\mathbb{{R}}\\setminus\\{{{','.join(items)}\\}}"


def real_numbers(text: str) -> str | None:
    """The set of real numbers that words describe; None for other words."""
    plain = re.sub(r"\s+", " ", plain_text(text)).replace("-negative", "negative").replace("-zero", "zero")
    match = REALS.fullmatch(plain[:1].lower() + plain[1:])
    if not match:
        return None
    if match["out"]:
        items = ",".join(item.split("=")[-1] for item in list_items(match["rest"]))
        return None if match["sign"] else f"\\mathbb{{R}}\\setminus\\{{{items}\\}}"
    if match["size"]:
        low, high = "[]" if match["equal"] else "()"
        above = match["size"] in ("greater", "larger")
        return f"{low}{match['rest']},\\infty)" if above else f"(-\\infty,{match['rest']}{high}"
    return SIGNED.get(match["sign"], "\\mathbb{R}")


def _labels(prediction: str, gold: str, comparison: "Comparison") -> Verdict | None:
    r"""A label before a value, as in `\text{Area: } 5`, may be left out."""
    (label, one), (gold_label, other) = labelled(prediction), labelled(gold)
    if not (label or gold_label):
        return None
    if label and gold_label and label != gold_label:
        return Verdict.WRONG
    return comparison.rest(one, other)


def labelled(text: str) -> tuple[str, str]:
    """The label of an answer, '' where it has none, and what it stands before."""
    match = LABEL.fullmatch(text) if ":" in text else None
    return ((match[1] or match[2]).strip().lower(), match["value"]) if match else ("", text)


RULES = (_numbers, _bases, _choices, _real_numbers, _labels, _units, _joined_unit, _modulo, _words)
