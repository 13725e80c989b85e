r"""The unit that stands after a quantity, and the currency before it.

A unit is set aside where a number or formula is left. Two units that are known and differ are a difference, whether
of one kind (cm and m) or not (cm and cm²). Nothing is converted.
"""

import re
from collections import Counter
from collections.abc import Iterable

from motif.tasks.grading.latex import plain_text
from motif.tasks.grading.numbers import SCALES
from motif.tasks.grading.words import CHANGING, CLOCK, MATHEMATICS

UNITS = {  # the unit's name here: its spellings
    "m": "m meter metre", "cm": "cm centimeter centimetre", "mm": "mm millimeter millimetre", "nm": "nm nanometer",
    "km": "km kilometer kilometre", "in": "inch inche in", "ft": "foot feet ft", "yd": "yard yd", "mi": "mile mi",
    "dollar": "dollar usd buck", "cent": "cent ¢ penny pennie", "euro": "euro eur", "pound": "gbp", "yen": "yen jpy",
    "rupee": "rupee inr rs", "s": "s sec second", "ms": "ms millisecond", "min": "min minute", "h": "h hr hour",
    "day": "day", "week": "week", "month": "month", "year": "year yr", "g": "g gm gram", "kg": "kg kilogram",
    "mg": "mg milligram", "lb": "lb pound", "oz": "oz ounce", "t": "ton tonne", "l": "L liter litre",
    "ml": "mL ml milliliter millilitre", "gal": "gallon gal", "qt": "quart", "pt": "pint", "cup": "cup",
    "deg": "° degree deg", "rad": "radian rad", "'": "' arcminute", "celsius": "°C C celsius",
    "fahrenheit": "°F F fahrenheit", "kelvin": "K kelvin", "N": "N newton", "kN": "kN", "J": "J joule",
    "kJ": "kJ kilojoule", "W": "W watt", "kW": "kW kilowatt", "V": "V volt", "Pa": "Pa pascal", "kPa": "kPa",
    "Hz": "Hz hertz", "kHz": "kHz", "MHz": "MHz", "mol": "mol mole", "eV": "eV", "acre": "acre", "ha": "hectare",
    "bit": "bit", "byte": "byte", "kB": "KB kB kilobyte", "MB": "MB megabyte", "GB": "GB gigabyte", "TB": "TB terabyte",
    "keV": "keV", "MeV": "MeV", "GeV": "GeV", "MW": "MW megawatt", "kWh": "kWh", "Wh": "Wh", "atm": "atm atmosphere",
    "bar": "bar", "MPa": "MPa", "GPa": "GPa", "cal": "cal calorie", "kcal": "kcal kilocalorie", "MJ": "MJ",
    "dm": "dm decimeter decimetre", "micron": "μm micrometer micrometre micron", "rpm": "rpm", "GHz": "GHz",
    "tablespoon": "tbsp tablespoon", "teaspoon": "tsp teaspoon", "decade": "decade", "century": "century centurie",
    "nickel": "nickel", "dime": "dime", "mV": "mV", "kV": "kV", "ohm": "ohm",
}  # fmt: skip
SPELLINGS = {spelling: name for name, spellings in UNITS.items() for spelling in spellings.split()}
SHORT = {"mph": "mi/h", "kmph": "km/h", "kmh": "km/h", "kph": "km/h", "mps": "m/s"}
POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
BESIDE_UNITS = frozenset([*POWERS, *"unit units cube per each times people cc".split()])
CURRENCIES = {
    "dollar": r"\\\$|dollars?\b|\busd\b", "cent": r"¢|(?<!per )\bcents?\b|\bpenn(?:y|ies)\b", "yen": r"¥|\byen\b",
    "euro": r"€|\beuros?\b|\\euro|\beur\b", "rupee": r"₹|\brupees?\b|\brs\b|\binr\b",
    "pound": r"£|\\pounds|\bgbp\b", "percent": r"%|\bper ?cent\b",
    "yuan": r"\b(?:yuan|rmb)\b", "peso": r"\bpesos?\b", "ruble": r"\brou?bles?\b|\brubles?\b", "franc": r"\bfrancs?\b",
}  # fmt: skip
MONEY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in CURRENCIES.items()), re.IGNORECASE)
POWER = r"(?:\s*\^\s*(?:\{\s*-?\d\s*\}|-?\d))?"
IN_TEXT = re.compile(
    rf"\s*(?P<unit>\\text\s*\{{[^{{}}]*\}}{POWER}(?:\s*(?:/|\\cdot)?\s*\\text\s*\{{[^{{}}]*\}}{POWER})*)\s*$"
)
UNIT_TEXT = re.compile(
    rf"\s*(?:[A-Za-z°µ][A-Za-z.'°-]*{POWER}|\((?P<known>[^()]+)\))(?:[\s/*·]+(?:\\cdot\s*)?[A-Za-z°][A-Za-z.'-]*{POWER})*\s*"
)
BARE = re.compile(
    rf"(?:(?<=[\d.)}}])(?P<gap>\s*)|(?<=\\pi)(?P<space>\s+))"
    rf"(?P<words>[A-Za-z][A-Za-z'-]*{POWER}(?:(?:\s*/\s*|\s+)[A-Za-z][A-Za-z'-]*{POWER})*)\s*$"
)
SCALED = re.compile(
    rf"([-+\d.,]+\s*(?:\\text\s*\{{\s*)?(?:{'|'.join(SCALES)}))\s+(?!\w*(?:teen|ty))([a-z]{{3,}})\s*\}}?"
)
PLAIN_NUMBER = re.compile(r"[-+]?[\d.,]+(?:\s*\\frac\{\d+\}\{\d+\}|/\d+)?|\\frac\{\d+\}\{\d+\}")
LINK = re.compile(r"\b(?:for|where|when|mod|is|to|out|k|M)\b")  # no part of a unit


def unit_key(text: str) -> Counter[str] | None:
    """The known units that `text` spells, with their powers: `square feet per hour` is ft: 2, h: -1.

    Returns:
        None for any text with a word that is no known unit, such as `units` and `apples`.
    """
    key: Counter[str] = Counter()
    plain = re.sub(
        r"\s*\^\s*\{?\s*(-?\d)\s*\}?",
        r"^\1 ",
        re.sub(r"\\cdot|[.*()]|(?<=°)\s+|degrees? (?=[CFcf])", " ", plain_text(text)),
    )
    side, power, last = 1, 1, ""
    for word in re.findall(r"/|[^\s/^]+(?:\^-?\d)?", plain.replace("° ", "°")):
        name, _, exponent = word.partition("^")
        if name in ("/", "per"):
            side = -1
        elif name in POWERS and name in ("squared", "cubed") and last:
            key[last] *= POWERS[name]
        elif name in POWERS:
            power = POWERS[name]
        elif name in SHORT:
            key.update({SHORT[name].split("/")[0]: side, SHORT[name].split("/")[1]: -side})
        elif known := spelled(name):
            key[known] += side * power * int(exponent or 1)
            power, last = 1, known
        else:
            return None
    return key or None


def spelled(word: str) -> str | None:
    """The name of the unit that a word spells."""
    forms = (word, word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("es"))
    return next((SPELLINGS[form] for form in forms if form in SPELLINGS), None)


def clash(one: str, other: str) -> bool:
    """Whether both are known units and not the same; degrees may be those of any scale."""
    first, second = unit_key(one), unit_key(other)
    degrees = {"deg", "celsius", "fahrenheit"}
    if first and second and "deg" in {*first, *second} and {*first, *second} <= degrees:
        return False
    return first is not None and second is not None and first != second


def other_currency(one: str, other: str) -> bool:
    """Whether two answers, as they were written, are amounts of different currencies, or one a percentage."""
    first, second = _currencies(one), _currencies(other)
    return bool(first and second and first != second)


def _currencies(text: str) -> set[str]:
    found = {str(match.lastgroup) for match in MONEY.finditer(text)}
    lone = text.replace("\\$", "").count("$") % 2 == 1 and re.search(r"\$\s*\d", text)
    return found | {"dollar"} if lone else found


def without_unit(text: str) -> tuple[str, str]:
    r"""`text` without the unit that ends it, and that unit, '' where there is none.

    In `\text{}` words after a quantity are its unit, unless one of them changes the number (`dozen`, `or`). Bare, a
    known unit is one, and after a plain number any word of three letters or more. A single letter is a variable (`5m`)
    unless space sets it off (`5 m`).
    """
    if CLOCK.search(plain_text(text)) or re.search(r"\\(?:sin|cos|tan|cot|sec|csc|text ?\{ ?cis)(?![a-z])", text):
        return text, ""
    if (match := SCALED.fullmatch(text)) and not changes([match[2]]):
        return match[1], match[2]
    if text.endswith("°"):
        return text[:-1].rstrip(), "°"
    if match := re.fullmatch(r"(.*[\d)}])\s*°\s*(?:\\text\s*\{\s*)?([CF])(?:\s*\})?", text):
        return match[1], "°" + match[2]
    if match := re.fullmatch(r"(.*\d)\s*'", text):
        return match[1], "'"
    if match := IN_TEXT.search(text):
        left = text[: match.start()].rstrip()
        if _is_quantity(left) and is_unit_text(plain_text(match["unit"])):
            left, inner_unit = without_unit(left)
            return left, f"{inner_unit} {match['unit']}".strip()
    if match := BARE.search(text):
        left = text[: match.start()].rstrip()
        if _is_bare_unit(match["words"], left, bool(match["gap"] or match["space"])):
            return left, match["words"]
    return text, ""


def is_unit_text(text: str) -> bool:
    """Whether the words after a quantity may be its unit."""
    match = UNIT_TEXT.fullmatch(text)
    if not match or (match["known"] and not unit_key(match["known"])):
        return False
    return not changes(re.findall(r"[a-z]+", text.lower())) and not LINK.search(text)


def changes(words: Iterable[str]) -> bool:
    """Whether one of the words makes another number of the one beside it."""
    return any(word in CHANGING or word.removesuffix("s") in CHANGING for word in words)


def _is_quantity(left: str) -> bool:
    r"""Whether `left`, which stands before a `\text{}`, is something that has a unit."""
    if not left or left[-1] in "=+-*/^_(<>,:" or left.endswith(("\\", "\\cup")):
        return False
    return bool(re.search(r"\d|\\pi|\\sqrt|\\frac|[a-z)]$", left))


def _is_bare_unit(after: str, left: str, space: bool) -> bool:
    """Whether the words `after` are the unit of what is `left` before them; `space` says whether they stand apart."""
    words = [re.sub(r"\s*\^.*$", "", word) for word in re.split(r"[\s/]+", after) if word]
    after_number = bool(PLAIN_NUMBER.fullmatch(left))
    if all(word in BESIDE_UNITS or word in SHORT or spelled(word) for word in words):
        return words[0] not in ("squared", "cubed") and (len(words[0]) > 1 or (space and after_number))
    small = [word.lower() for word in words]
    return after_number and len(words[0]) > 2 and not changes(small) and MATHEMATICS.isdisjoint(small)
