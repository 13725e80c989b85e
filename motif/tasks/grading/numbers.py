r"""Numbers that need no algebra: integers, decimals, fractions, mixed numbers, powers of ten, percentages, bases.

They are read from cleaned LaTeX (`latex.clean`) into exact fractions. A text with a root, a variable or an operation
is no number here, and neither is a text with so many digits that work with them would take long.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!/)|\d+)"
DECIMAL = rf"(?:{DIGITS}(?:\.\d*)?|\.\d+)"
PLAIN = re.compile(rf"([-+]?) ?({DECIMAL})(?:[eE]([-+]?\d{{1,3}}))?")
POWER_OF_TEN = re.compile(
    rf"([-+]?) ?(?:({DECIMAL}) ?(?:\\times|\\cdot|x) ?)?10 ?\^ ?(?:\{{ ?([-+]?\d{{1,3}}) ?\}}|(\d))"
)
SLASH = re.compile(rf"([-+]?) ?(?:(\d+) )?([-+]?{DECIMAL}) ?/ ?([-+]?{DECIMAL})")
FRAC = re.compile(rf"([-+]?) ?(?:(\d+) ?)?\\frac ?\{{ ?([-+]? ?{DECIMAL}) ?\}} ?\{{ ?([-+]? ?{DECIMAL}) ?\}}")
REPEATING = re.compile(r"([-+]?)(\d*)\.(\d*)(?:\\(?:overline|bar|dot|overbar) ?\{ ?(?=\d+ ?\})|\((?=\d+\)))(\d+) ?[})]")
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALE = re.compile(rf"\s*(?:\\text ?\{{ ?)?({'|'.join(SCALES)})s? ?\}}?$")
PERCENT = re.compile(r"\s*(?:\\?%|(?:\\text ?\{ ?)?(?:\\?%|percent|per cent|pct)(?: ?\})?)$")
BASE = re.compile(r"\(?([0-9A-F]+)\)?_\{(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\}")
INTEGER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?", re.ASCII)
LONGEST = 400  # characters of a number


@dataclass(frozen=True, slots=True)
class Number:
    """`value`; `rounded` where it was written with a decimal point, `percent` with a percent sign."""

    value: Fraction
    rounded: bool = False
    percent: bool = False


def integer(text: str) -> str | None:
    """The whole number that `text` is (`025`, `1,080`, `7.0`, `$7$`), of any length.

    Returns:
        Its digits without zeros in front, after a `-` where it is negative; None where `text` is no whole number.
    """
    text = text.strip().strip("$").strip()
    if not text[-1:].isdigit() or not text.isascii():
        text = text.removesuffix(".")
    match = INTEGER.fullmatch(text)
    if not match:
        return None
    digits = match[2].replace(",", "").lstrip("0")
    return (match[1].replace("+", "") + digits) if digits else "0"


def number(text: str) -> Number | None:
    """`text` as a number, None where it has none of the forms of this module."""
    if len(text) > LONGEST:
        return None
    text = text.strip()
    if scale := SCALE.search(text):
        count = number(text[: scale.start()])
        return count and Number(count.value * SCALES[scale[1]], count.rounded)
    percent = PERCENT.search(text)
    if percent:
        text = text[: percent.start()]
    while text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1].strip()
    for read in (_plain, _power_of_ten, _fraction, _repeating):
        if parsed := read(text):
            return Number(*parsed, percent=bool(percent))
    return None


Parsed = tuple[Fraction, bool]  # the value, and whether it was written with a decimal point


def _plain(text: str) -> Parsed | None:
    """`-1,234.5` or `1.2e3`."""
    if not (match := PLAIN.fullmatch(text)):
        return None
    sign, digits, exponent = match.groups()
    return _signed(sign, _decimal(digits) * Fraction(10) ** int(exponent or 0)), "." in digits


def _power_of_ten(text: str) -> Parsed | None:
    r"""`1.2\times 10^{3}` or `10^6`."""
    if not (match := POWER_OF_TEN.fullmatch(text)):
        return None
    sign, factor, in_braces, digit = match.groups()
    return _signed(sign, _decimal(factor or "1") * Fraction(10) ** int(in_braces or digit)), "." in (factor or "")


def _fraction(text: str) -> Parsed | None:
    r"""`1/2`, `1 1/2`, `\frac{1}{2}` or `1\frac{1}{2}`."""
    if not (match := SLASH.fullmatch(text) or FRAC.fullmatch(text)):
        return None
    sign, before, above, below = match.groups()
    if _decimal(below) == 0 or (before and "-" in above + below):
        return None
    return _signed(sign, int(before or 0) + _decimal(above) / _decimal(below)), False


def _repeating(text: str) -> Parsed | None:
    r"""`0.1\overline{6}`."""
    if not (match := REPEATING.fullmatch(text)):
        return None
    sign, before, start, period = match.groups()
    places = 10 ** len(start)
    value = int(before or 0) + Fraction(int(start or 0), places)
    return _signed(sign, value + Fraction(int(period), (10 ** len(period) - 1) * places)), False


def repeating_as_fractions(text: str) -> str:
    """`text` with every repeating decimal as a fraction."""

    def fraction(match: re.Match[str]) -> str:
        value = _repeating(match[0])
        return f"\\frac{{{value[0].numerator}}}{{{value[0].denominator}}}" if value else match[0]

    return REPEATING.sub(fraction, text)


def _decimal(text: str) -> Fraction:
    return Fraction(re.sub(r"[, ]", "", text).removesuffix("."))


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def digits_and_base(text: str) -> tuple[str, str] | None:
    """The digits and the base of a number that names its base, such as `17_{8}`; None for any other text."""
    match = BASE.fullmatch(text)
    return (match[1], match[2]) if match else None


def same_number(one: Number, other: Number) -> bool:
    r"""Whether two numbers are equal, exactly or up to rounding.

    Where one of them is written with a decimal point, 6 decimals must agree, and the difference is at most a
    ten-thousandth of the larger one, a millionth where both are below 0.0001. `50\%` is 50 and 0.5: the sign may be
    left out or worked out. It may not be left out of `1\%` or less, such as `0.5\%`, for 0.5 is a share too.
    """
    if one.percent != other.percent:
        bare = [Number(n.value, n.rounded) for n in (one, other)]
        share = [Number(n.value / 100, True) if n.percent else Number(n.value, n.rounded) for n in (one, other)]
        return same_number(*share) or (abs(one.value) > 1 and same_number(*bare))
    if one.value == other.value:
        return True
    if not (one.rounded or other.rounded):
        return False
    size = max(abs(one.value), abs(other.value))
    near = abs(one.value - other.value) * (10_000 if size * 10_000 > 1 else 1_000_000) <= size
    return near and round(one.value, 6) == round(other.value, 6)
