"""Numbers that need no algebra: integers, decimals, fractions, mixed numbers, powers of ten, percentages.

They are read from cleaned LaTeX (`latex.clean`) into exact fractions. Anything with a root, a variable or an
operation is no number here, and neither is one whose digits or exponents would take long to work with.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!/)|\d+)"
DECIMAL = rf"(?:{DIGITS}(?:\.\d*)?|\.\d+)"
PLAIN = re.compile(rf"([-+]?) ?({DECIMAL})(?:[eE]([-+]?\d{{1,3}}))?")
POWER = re.compile(rf"([-+]?) ?(?:({DECIMAL}) ?(?:\\times|\\cdot|x) ?)?10 ?\^ ?(?:\{{ ?([-+]?\d{{1,3}}) ?\}}|(\d))")
SLASH = re.compile(rf"([-+]?) ?(?:(\d+) )?([-+]?{DECIMAL}) ?/ ?([-+]?{DECIMAL})")
FRAC = re.compile(rf"([-+]?) ?(?:(\d+) ?)?\\frac ?\{{ ?([-+]? ?{DECIMAL}) ?\}} ?\{{ ?([-+]? ?{DECIMAL}) ?\}}")
REPEATING = re.compile(r"([-+]?)(\d*)\.(\d*)\\(?:overline|bar|dot|overbar) ?\{ ?(\d+) ?\}")
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALE = re.compile(rf"\s*(?:\\text ?\{{ ?)?({'|'.join(SCALES)}) ?\}}?$")
AT_MOST = 400  # signs


@dataclass(frozen=True, slots=True)
class Number:
    """`value`; `rounded` where it was written with a decimal point, `percent` with a percent sign."""

    value: Fraction
    rounded: bool = False
    percent: bool = False


def integer(text: str) -> str | None:
    """The whole number that `text` is (`025`, `1,080`, `7.0`, `$7$`), of any length, in one way of writing."""
    text = text.strip().strip("$").strip()
    if not text[-1:].isdigit() or not text.isascii():
        text = text.removesuffix(".")
    match = re.fullmatch(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?", text, re.ASCII)
    if not match:
        return None
    digits = match[2].replace(",", "").lstrip("0")
    return (match[1].replace("+", "") + digits) if digits else "0"


def number(text: str) -> Number | None:
    """`text` as a number, None where it is none of these forms."""
    if len(text) > AT_MOST:
        return None
    text = text.strip()
    if scale := SCALE.search(text):
        count = number(text[: scale.start()])
        return count and Number(count.value * SCALES[scale[1]], count.rounded)
    percent = re.search(r"\s*\\?%$", text)
    if percent:
        text = text[: percent.start()]
    while text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1].strip()
    found = _number(text)
    return Number(*found, percent=bool(percent)) if found else None


def _number(text: str) -> tuple[Fraction, bool] | None:
    if match := PLAIN.fullmatch(text):
        value = _plain(match[2]) * Fraction(10) ** int(match[3] or 0)
        return _signed(match[1], value), "." in match[2]
    if match := POWER.fullmatch(text):
        value = _plain(match[2] or "1") * Fraction(10) ** int(match[3] or match[4])
        return _signed(match[1], value), "." in (match[2] or "")
    if match := SLASH.fullmatch(text) or FRAC.fullmatch(text):
        above, below = _plain(match[3]), _plain(match[4])
        if below == 0 or (match[2] and "-" in match[3] + match[4]):
            return None
        value = int(match[2] or 0) + above / below
        return _signed(match[1], value), False
    if match := REPEATING.fullmatch(text):
        whole, start, again = match[2] or "0", match[3], match[4]
        value = int(whole) + Fraction(int(start or 0), 10 ** len(start))
        value += Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(start))
        return _signed(match[1], value), False
    return None


def _plain(text: str) -> Fraction:
    text = re.sub(r"[, ]", "", text)
    return Fraction(text.removesuffix(".") if text.endswith(".") else text)


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def same_number(one: Number, other: Number) -> bool:
    """Exact equality; where a decimal is written, equality of 6 decimals and, for small numbers, of 4 digits.

    `50\\%` is 50 and 0.5: the sign may be left out or worked out.
    """
    if one.percent != other.percent:
        bare = [Number(n.value, n.rounded) for n in (one, other)]
        share = [Number(n.value / 100, True) if n.percent else Number(n.value, n.rounded) for n in (one, other)]
        return same_number(*bare) or same_number(*share)
    if one.value == other.value:
        return True
    if not (one.rounded or other.rounded):
        return False
    size = max(abs(one.value), abs(other.value))
    near = abs(one.value - other.value) * 10_000 <= size
    return near and round(one.value, 6) == round(other.value, 6)
