"""What may stand after a quantity or instead of one: units, and answers that are words.

A unit is set aside where a number or formula is left; two different units of one kind (cm and m, dollars and cents) are
a difference. Words are compared as words: in math mode `east` would be e·a·s·t, the same as `seat`.
"""

import re

from motif.tasks.grading.latex import unwrapped

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
SPELLED = {
    spelling: (kind, name) for kind, units in UNITS.items() for name, all in units.items() for spelling in all.split()
}
OTHERS = set("unit square cubic cube sq cu per each times squared cubed people percent cc C F K N J W V".split())  # noqa: SIM905
MATHS = set(
    "sin cos tan cot sec csc log ln exp lim max min gcd lcm mod det arcsin arccos arctan sinh cosh tanh pi sqrt frac "  # noqa: SIM905
    "infty theta alpha beta gamma delta lambda omega phi and or if for where when not in no arg deg to is".split()
)
POWER = r"(?:\s*\^\s*(?:\{\s*-?\d\s*\}|-?\d))?"
IN_TEXT = re.compile(
    rf"\s*(?:\\text\s*\{{(?P<word>[^{{}}]*)\}}(?P<power>{POWER})(?:\s*/\s*\\text\s*\{{[^{{}}]*\}}{POWER})?)\s*$"
)
BARE = re.compile(
    rf"(?<=[\d.)}}])(?P<gap>\s*)(?P<word>[A-Za-z][A-Za-z'-]*{POWER}(?:(?:\s*/\s*|\s+)[A-Za-z][A-Za-z'-]*{POWER})*)\s*$"
)
CLOCK = re.compile(r"\d\s*[ap]\.?m$", re.IGNORECASE)
LINK = re.compile(r"\b(?:and|or|if|for|where|when|mod|otherwise|is|to)\b")


def unit_name(text: str) -> tuple[str, str] | None:
    """(kind, unit) of a known unit's spelling, with its power in the kind; None for anything else."""
    words = re.sub(r"[.\s]+", " ", text).strip()
    power = re.search(r"\^\s*\{?\s*(-?\d)", words)
    dimension = power[1] if power else "2" if re.search(r"\b(?:squared?|sq)\b", words) else (
        "3" if re.search(r"\b(?:cubed?|cubic|cu)\b", words) else ""
    )  # fmt: skip
    rest = [word for word in re.sub(r"\^.*$", "", words).split() if word not in OTHERS]
    if len(rest) != 1:
        return None
    for word in (rest[0], rest[0].lower(), rest[0].lower().removesuffix("s"), rest[0].lower().removesuffix("es")):
        if word in SPELLED:
            kind, name = SPELLED[word]
            return kind + dimension, name
    return None


def known(word: str) -> bool:
    return word in OTHERS or unit_name(word) is not None


def without_unit(text: str) -> tuple[str, str]:
    """`text` without the unit that ends it, and that unit, '' where there is none.

    In `\\text{}` anything after a quantity is its unit. Bare, a word of three letters or more after a plain number
    is one, or a known abbreviation. A single letter is a variable (`5m`) unless space sets it off (`5 m`).
    """
    if CLOCK.search(unwrapped(text)):
        return text, ""
    if text.endswith("°"):
        return text[:-1].rstrip(), "°"
    if match := re.fullmatch(r"(.*[\d)}])\s*°\s*([CF])", text):
        return match[1], "°" + match[2]
    if match := IN_TEXT.search(text):
        left = text[: match.start()].rstrip()
        joined = LINK.search(match["word"]) or not left or left[-1] in "=+-*/^_(<>,:" or left.endswith(("\\", "\\cup"))
        if not joined and re.search(r"\d|\\pi|\\sqrt|\\frac|[a-z)]$", left):
            inner, unit = without_unit(left)
            return (inner, unit + " " + match["word"]) if unit else (left, match["word"] + (match["power"] or ""))
    if match := BARE.search(text):
        words = [re.sub(r"\^.*$", "", word) for word in re.split(r"[\s/]+", match["word"]) if word]
        left = text[: match.start()].rstrip()
        number = re.fullmatch(r"[-+]?[\d.,]+(?:\s*\\frac\{\d+\}\{\d+\}|/\d+)?|\\frac\{\d+\}\{\d+\}", left)
        single = len(words[0]) == 1
        if set(map(str.lower, words)) & MATHS and not all(known(word) for word in words):
            return text, ""
        if single and not (match["gap"] and known(words[0]) and number):
            return text, ""
        if all(known(word) for word in words) or (number and all(len(word) > 2 or i for i, word in enumerate(words))):
            return left, match["word"]
    return text, ""


def clash(one: str, other: str) -> bool:
    """Whether both are known units of one kind, and not the same."""
    first, second = unit_name(one), unit_name(other)
    return bool(first and second) and first != second and first[0] == second[0]  # type: ignore[index]


def words(text: str) -> str | None:
    """The words that `text` consists of, in one way of writing; None where it is mathematics.

    In `\\text{}` two letters are a word, bare four, or two words, none of them of mathematics.
    """
    plain = unwrapped(text)
    if re.search(r"[\\^_=<>{}+*|]", plain) or not re.search(r"[A-Za-z]", plain):
        return None
    found = re.findall(r"[A-Za-z]+", plain)
    if set(map(str.lower, found)) & (MATHS - {"and", "or", "no", "not", "is", "to", "in", "for", "if"}):
        return None
    marked = "\\text" in text
    longest = max(map(len, found))
    if longest < (2 if marked else 4) and plain.lower() not in ("yes", "no") and not CLOCK.search(plain):
        return None
    plain = re.sub(r"(?<=[a-zA-Z])\.(?=[a-zA-Z]\b)", "", plain)  # p.m.
    bare = re.sub(r"^(?:the|a|an)\s+", "", re.sub(r"[^a-z0-9:/.,-]+", " ", plain.lower()).strip())
    return re.sub(r"[.,\s-]+", " ", bare).strip()


CHOICE = re.compile(r"[(\[]?\s*([A-Z])\s*(?:[)\]]|(?=[.:]?$|[.:]\s))[.:]?(?:\s+(?P<more>[^-+*/^=<>\s].*))?")


def choice(text: str) -> tuple[str, bool] | None:
    """The letter of a multiple choice (`A`, `(A)`, `A. 12`) and whether more is said; None for anything else."""
    match = CHOICE.fullmatch(unwrapped(text))
    return (match[1], bool(match["more"])) if match else None
