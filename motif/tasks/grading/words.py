r"""Answers that are words: `\text{even}`, `Evelyn`, `3 PM`, and the letter of a multiple choice.

Words are compared as words: in mathematics `east` would be e·a·s·t, the same as `seat`. Nothing is compared here.
"""

import re

from motif.tasks.grading.latex import plain_text

LINKS = frozenset("and or if for no not is to in".split())
MATHEMATICS = LINKS | frozenset(
    "sin cos tan cot sec csc log ln exp lim max min gcd lcm mod det arcsin arccos arctan sinh cosh tanh pi sqrt frac "
    "asin acos atan abs cis sech csch coth arcsinh arccosh arctanh "
    "infty theta alpha beta gamma delta lambda omega phi where when arg deg".split()
)
CHANGING = frozenset(  # words that make another number or another claim of the number beside them
    "dozen hundred thousand million billion trillion score pair couple half halves double triple twice thrice "
    "quarter third fourth fifth sixth eighth tenth hundredth thousandth squared cubed factorial plus minus "
    "negative over under above below less more fewer least most between except without root inverse reciprocal "
    "opposite percent pct zero one two three four five six seven eight nine ten eleven twelve twenty either "
    "neither nor or alternatively alternative maybe perhaps possibly probably wrong incorrect false not no but "
    "unless otherwise instead else also lakh crore beyond after before until ago earlier later short higher lower "
    "greater smaller than off remaining approximately roughly and if about".split()
)
CLOCK = re.compile(r"\d\s*[ap]\.?m$", re.IGNORECASE)
CHOICE = re.compile(r"[(\[]?\s*([A-Z])\s*(?:[)\]]|(?=[.:]?$|[.:]\s|\s-\s))[.:]?\s*(?P<dash>-\s)?(?:\s*(?P<more>\S.*))?")
OPTIONS = re.compile(  # in the text of an option: another option, or what is said of this one
    r"(?<![A-Za-z\\])\(?[A-Z]\)?(?=\s*(?:[).:,;-]|$|and\b|or\b))|^\(?(?:and|or|nor|but|not|is|are|was|isn|no|wrong|maybe)\b|"
    r"^[-+*/^=<>,;&|?!]|\b(?:not|wrong|incorrect|alternatively|maybe)\b"
)


def words(text: str) -> str | None:
    r"""The words that `text` consists of, in one way of writing; None where it is mathematics.

    In `\text{}` two letters are a word. Bare, one of four letters is needed. No word may be one of mathematics.
    """
    plain = plain_text(text)
    if re.search(r"[\\^_=<>{}+*|]", plain) or not re.search(r"[A-Za-z]", plain):
        return None
    found = re.findall(r"[A-Za-z]+", plain)
    if set(map(str.lower, found)) & (MATHEMATICS - LINKS):
        return None
    shortest = 2 if "\\text" in text else 4
    if max(map(len, found)) < shortest and plain.lower() not in ("yes", "no") and not CLOCK.search(plain):
        return None
    plain = re.sub(r"(?<=[a-zA-Z])\.(?=[a-zA-Z]\b)", "", plain)  # p.m.
    plain = re.sub(r"(?<![A-Za-z0-9])-\s*(?=\d)", "minus ", plain)
    bare = re.sub(r"^(?:the|a|an)\s+", "", re.sub(r"[^a-z0-9:/.,-]+", " ", plain.lower()).strip())
    return re.sub(r"[.,\s-]+", " ", bare).strip()


def choice(text: str) -> tuple[str, bool] | None:
    """The letter of a multiple choice (`A`, `(A)`, `A. 12`) and whether more is said; None for any other text."""
    match = CHOICE.fullmatch(re.sub(r"^(?:option|choice|answer)\s*:?\s*", "", plain_text(text), flags=re.IGNORECASE))
    if match and match["dash"] and not re.search(r"^[-+]?[\d.,]+|[A-Za-z]{3}", match["more"] or ""):
        return None  # A - x is a formula
    return (match[1], bool(match["more"])) if match and not OPTIONS.search(match["more"] or "") else None
