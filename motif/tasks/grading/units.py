r"""The unit that stands after a quantity.

A unit is set aside where a number or formula is left. Two different units of one kind (cm and m, dollars and cents)
are a difference. Nothing is converted.
"""

import re

from motif.tasks.grading.latex import plain_text
from motif.tasks.grading.words import CLOCK, MATHEMATICS

UNITS = {  # kind: {the unit's name here: its spellings}
    "length": {"m": "m meter metre", "cm": "cm centimeter centimetre", "mm": "mm millimeter millimetre",
               "km": "km kilometer kilometre", "in": "inch in", "ft": "foot feet ft", "yd": "yard yd", "mi": "mile mi"},
    "money": {"dollar": "dollar usd buck", "cent": "cent ¢", "euro": "euro", "rupee": "rupee"},
    "time": {"s": "s sec second", "min": "min minute", "h": "h hr hour", "day": "day", "week": "week", "month": "month",
             "year": "year yr"},
    "mass": {"g": "g gm gram", "kg": "kg kilogram", "mg": "mg milligram", "lb": "lb pound", "oz": "oz ounce",
             "t": "ton tonne"},
    "volume": {"l": "L liter litre", "ml": "mL ml milliliter millilitre", "gal": "gallon gal", "qt": "quart",
               "cup": "cup"},
    "angle": {"deg": "° degree deg", "rad": "radian rad"},
    "speed": {"mph": "mph", "km/h": "kmph kmh kph"},
}  # fmt: skip
SPELLINGS = {
    spelling: (kind, unit)
    for kind, units in UNITS.items()
    for unit, spellings in units.items()
    for spelling in spellings.split()
}
BESIDE_UNITS = frozenset(
    "unit square cubic cube sq cu per each times squared cubed people percent cc C F K N J W V".split()  # noqa: SIM905
)
POWER = r"(?:\s*\^\s*(?:\{\s*-?\d\s*\}|-?\d))?"
IN_TEXT = re.compile(
    rf"\s*(?:\\text\s*\{{(?P<word>[^{{}}]*)\}}(?P<power>{POWER})(?:\s*/\s*\\text\s*\{{[^{{}}]*\}}{POWER})?)\s*$"
)
BARE = re.compile(
    rf"(?<=[\d.)}}])(?P<gap>\s*)(?P<words>[A-Za-z][A-Za-z'-]*{POWER}(?:(?:\s*/\s*|\s+)[A-Za-z][A-Za-z'-]*{POWER})*)\s*$"
)
PLAIN_NUMBER = re.compile(r"[-+]?[\d.,]+(?:\s*\\frac\{\d+\}\{\d+\}|/\d+)?|\\frac\{\d+\}\{\d+\}")
LINK = re.compile(r"\b(?:and|or|if|for|where|when|mod|otherwise|is|to)\b")


def unit_name(text: str) -> tuple[str, str] | None:
    """The kind of the unit that `text` spells, with its power, and its name: `ft^2` is ('length2', 'ft').

    Returns:
        None for any text that is not one known unit, with or without words such as 'square' and 'per'.
    """
    spelled = re.sub(r"[.\s]+", " ", text).strip()
    unit_words = [word for word in re.sub(r"\^.*$", "", spelled).split() if word not in BESIDE_UNITS]
    if len(unit_words) != 1:
        return None
    word = unit_words[0]
    for spelling in (word, word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("es")):
        if spelling in SPELLINGS:
            kind, name = SPELLINGS[spelling]
            return kind + _power(spelled), name
    return None


def _power(spelled: str) -> str:
    if power := re.search(r"\^\s*\{?\s*(-?\d)", spelled):
        return power[1]
    if re.search(r"\b(?:squared?|sq)\b", spelled):
        return "2"
    return "3" if re.search(r"\b(?:cubed?|cubic|cu)\b", spelled) else ""


def is_unit_word(word: str) -> bool:
    """Whether `word` is a unit, or a word that stands beside units."""
    return word in BESIDE_UNITS or unit_name(word) is not None


def without_unit(text: str) -> tuple[str, str]:
    r"""`text` without the unit that ends it, and that unit, '' where there is none.

    In `\text{}` anything after a quantity is its unit. Bare, a known unit is one, and after a plain number any word of
    three letters or more. A single letter is a variable (`5m`) unless space sets it off (`5 m`).
    """
    if CLOCK.search(plain_text(text)):
        return text, ""
    if text.endswith("°"):
        return text[:-1].rstrip(), "°"
    if match := re.fullmatch(r"(.*[\d)}])\s*°\s*([CF])", text):
        return match[1], "°" + match[2]
    if match := IN_TEXT.search(text):
        left = text[: match.start()].rstrip()
        if _is_quantity(left) and not LINK.search(match["word"]):
            left, inner_unit = without_unit(left)
            return left, f"{inner_unit} {match['word']}" if inner_unit else match["word"] + (match["power"] or "")
    if match := BARE.search(text):
        left = text[: match.start()].rstrip()
        if _is_bare_unit(match["words"], left, bool(match["gap"])):
            return left, match["words"]
    return text, ""


def _is_quantity(left: str) -> bool:
    r"""Whether `left`, which stands before a `\text{}`, is something that has a unit."""
    if not left or left[-1] in "=+-*/^_(<>,:" or left.endswith(("\\", "\\cup")):
        return False
    return bool(re.search(r"\d|\\pi|\\sqrt|\\frac|[a-z)]$", left))


def _is_bare_unit(after: str, left: str, space: bool) -> bool:
    """Whether the words `after` are the unit of what is `left` before them; `space` says whether they stand apart."""
    words = [re.sub(r"\^.*$", "", word) for word in re.split(r"[\s/]+", after) if word]
    after_number = bool(PLAIN_NUMBER.fullmatch(left))
    if all(is_unit_word(word) for word in words):
        return len(words[0]) > 1 or (space and after_number)
    of_mathematics = not MATHEMATICS.isdisjoint(word.lower() for word in words)
    return after_number and len(words[0]) > 2 and not of_mathematics


def clash(one: str, other: str) -> bool:
    """Whether both are known units of one kind, and not the same."""
    first, second = unit_name(one), unit_name(other)
    return first is not None and second is not None and first != second and first[0] == second[0]
