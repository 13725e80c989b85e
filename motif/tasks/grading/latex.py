"""One way of writing an answer instead of many: `clean` rewrites what means the same in every context.

These are delimiters, spaces, `\\dfrac`, `\\left`, fonts, thousands, Unicode signs. A rewrite is a line of `REWRITES`;
they are applied from top to bottom. Nothing here finds, computes or compares answers. Some rewrites take time
quadratic in the length of the text, so the grader gives no more than `grader.LONGEST` characters.
"""

import re
import unicodedata
from collections.abc import Callable

NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", NAMES.split(), strict=True))  # letters that may be variables
SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑", "-"),
        **dict.fromkeys("×✕", "\\times "),
        **dict.fromkeys("·⋅∙", "\\cdot "),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", ""),
        **{sign: f" {sign}" for sign in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"},  # a mixed number; NFKC writes the fraction out
        "÷": "/", "π": "\\pi ", "∞": "\\infty ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "¢": " cents",
        "±": "\\pm ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "°": "^\\circ ", "∅": "\\emptyset ",
        "√": "\\sqrt ", "∛": "\\sqrt[3]", "∖": "\\setminus ", "…": "\\ldots ", "⋯": "\\ldots ", "′": "'", "″": "''",
        "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ϵ": "\\epsilon ", "ϕ": "\\phi ", "∠": "\\angle ",
        "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "≡": "\\equiv ", "∑": "\\sum ",
        **{letter: f"\\{name} " for letter, name in GREEK.items()},
    }
)  # fmt: skip
HIGH, LOW = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni"), str.maketrans("₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789n")
DOTS = r"(?:\.\.\.+|\\(?:[lc]?dots[cbo]?)(?![A-Za-z]))"
GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
BOUNDED = r"(?<![A-Za-z\\]){0}\s*(?:[<>]|\\[lg]e(?![a-z]))|(?:[<>]|\\[lg]e)\s*{0}(?![A-Za-z])"  # not all integers
REWRITES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    # currency, delimiters of formulas and of brackets
    (r"(?<!\\)\\\$|\\(?:pounds|euro|texteuro)(?![a-z])|[€£¥]", "$"),
    (r"\$\s*(?=[-+]?[\d.])|(?<=\d)\s*\$", ""),
    (r"\$", " "),
    (r"(?<!\\)\\[()\[\]]", " "),
    (r"\\(?:left|right|mleft|mright)\s*\.|\\(?:left|right|[mb]left|mright|[bB]igg?[lrm]?)(?![A-Za-z])\s*", ""),
    # styles and spaces; thousands first, for they are written with spaces
    (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it)(?![A-Za-z])", " "),
    (r"\s*(?:\{,\}|,\s*\\!)\s*(?=\d)|(?<=\d)(?:\\[,!]|\\thinspace)\s*(?=\d{3})", ""),
    (r"(?<!\\)\\!\s*", ""),
    (r"(?<!\\)\\[,;:> ]|\\(?:q?quad|thinspace|thickspace|medspace|hfill)(?![A-Za-z])|(?<!\\)~", " "),
    # names of commands
    (r"\\(?:[dtc]frac|sfrac|nicefrac)(?![A-Za-z])", r"\\frac"),
    (r"\\(?:text(?:normal|bf|it|rm|sf|tt|up)?|math(?:rm|it|bf|sf|tt|normal)|mbox|hbox|operatorname\*?|boldsymbol|bm|pmb|emph)"
     r"(?=\s*\{)", r"\\text"),
    (r"\\(?:leq?slant|leq|le)(?![A-Za-z])", r"\\le "),
    (r"\\(?:geq?slant|geq|ge)(?![A-Za-z])", r"\\ge "),
    (r"\\(?:neq|ne)(?![A-Za-z])", r"\\ne "),
    (r"\\lt(?![A-Za-z])", "<"),
    (r"\\gt(?![A-Za-z])", ">"),
    (r"<=|=<", r"\\le "),
    (r">=|=>", r"\\ge "),
    (r"\\(?:varnothing|O(?![A-Za-z]))", r"\\emptyset"),
    (r"\\lbrace(?![A-Za-z])", r"\\{"),
    (r"\\rbrace(?![A-Za-z])", r"\\}"),
    (r"\\(?:langle|lparen|lgroup)(?![A-Za-z])", "("),
    (r"\\(?:rangle|rparen|rgroup)(?![A-Za-z])", ")"),
    (r"\\lbrack(?![A-Za-z])", "["),
    (r"\\rbrack(?![A-Za-z])", "]"),
    (r"\\[lr]vert(?![A-Za-z])|\\vert(?![A-Za-z])", "|"),
    (r"\\(?:colon)(?![A-Za-z])", ":"),
    (r"\\div(?![A-Za-z])", "/"),
    (r"\\ast(?![A-Za-z])", r"\\cdot "),
    (r"\\(?:thinspace|notag|phantom\{[^{}]*\}|label\{[^{}]*\})", " "),
    # degrees, binomials, marks at the start, repeating decimals, ordinals, domains of a variable
    (r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?![A-Za-z])|\\textdegree", "°"),
    (r"\^\s*\{\s*((?:\\prime\s*)+)\}|\^\s*(\\prime(?![A-Za-z]))", lambda match: "'" * match[0].count("prime")),
    (r"\\var(epsilon|phi|theta|rho|kappa|sigma|pi)(?![A-Za-z])", r"\\\1"),
    (r"\\backslash(?![A-Za-z])", r"\\setminus "),
    (r"\(\s*\\?mod\s*(\d+)\s*\)|(?<![A-Za-z\\])mod\s+(\d+)", r"\\pmod{\1\2}"),
    (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
    (r"\{([^{}]+)\\choose(?![A-Za-z])([^{}]+)\}", r"\\binom{\1}{\2}"),
    (r"\\overrightarrow(?![A-Za-z])", r"\\vec"),
    (r"(?<=\\angle)(\s*\{?\s*)([A-Z])([A-Z])([A-Z])(?![A-Za-z])",
     lambda match: match[1] + min(match[2] + match[3] + match[4], match[4] + match[3] + match[2])),
    (r"\\(?:land|wedge)(?![A-Za-z])", r"\\text{ and }"),
    (r"\\(?:lor|vee)(?![A-Za-z])", r"\\text{ or }"),
    (r"\|\s*\\begin\s*\{(matrix|array)\}(?:\s*\{[clr ]*\})?((?:(?!\\begin).)*)\\end\s*\{\1\}\s*\|",
     r"\\begin{vmatrix}\2\\end{vmatrix}"),
    (r"\\binom\s*(\d)\s*(\d)", r"\\binom{\1}{\2}"),
    (r"^\s*\\(?:approx|sim|therefore|implies|Rightarrow)(?![A-Za-z])", ""),
    (rf"(\d*\.\d*?)(?:(\d)\2{{2,}}|(\d{{2,4}}?)\3{{1,}}){DOTS}", r"\1\\overline{\2\3}"),
    (r"(?<=\.)(\d*)\\dot\s*\{\s*(\d)\s*\}(\d*)\\dot\s*\{\s*(\d)\s*\}", r"\1\\overline{\2\3\4}"),
    (r"(?<=\.)(\d*)\\(overline|bar|dot)\s*(\d)", r"\1\\\2{\3}"),
    (rf"(\.\d{{6,}}){DOTS}", r"\1"),
    (DOTS, r"\\ldots "),
    (r"(?<=\d)\s*\^?\s*\{?\s*\\text\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?|(?<=\d)(?:st|nd|rd|th)(?![A-Za-z])", ""),
    (r"^\s*\\text\s*\{([^{}A-Za-z]*\d[^{}]*)\}\s*$", r"\1"),
    (r"^(.+?),?\s*(?:\\text\s*\{[^{}]*\}\s*)?([a-z])\s*\\in\s*\\mathbb\s*\{?[ZN]\}?(?:\^\+)?\s*$",
     lambda match: match[0] if re.search(BOUNDED.format(match[2]), match[1]) else match[1]),
    (r"\\text\s*\{\s*\}|\\(?:,|text)\s*$", ""),
    # names without a backslash, plain operators
    (r"(?<![A-Za-z\\])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
    (r"\+\s*\\infty", r"\\infty"),
    (r"(?<![A-Za-z\\])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![A-Za-z\\])(pi|sqrt)(?![A-Za-z])", r"\\\1 "),
    (r"(?<![A-Za-z\\])(alpha|beta|gamma|delta|theta|lambda|sigma|omega|phi|rho|tau)(?=\s*[)*/^+])", r"\\\1 "),
    (r"\^\s*\(([^()]*)\)", r"^{\1}"),
    (r"\*\*", "^"),
    (r"(?<=[\w)}])\s*\*\s*(?=[\w(\\])", r"\\cdot "),
    # arguments without braces
    (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d|[a-z])\s*(?=\{)", r"\\frac{\1}"),
    (r"\\frac\s*([a-z])\s*([a-z]|\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d)\s*([a-z])", r"\\frac{\1}{\2}"),
    (rf"\\frac\s*{GROUP}\s*([A-Za-z\d])", r"\\frac{\1}{\2}"),
    (rf"\\frac\s*{GROUP}\s*(\\pi)(?![a-z])", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\\pi)\s*(?:(\d)|\{(\d+)\})", r"\\frac{\1}{\2\3}"),
    (r"\\sqrt\s*(\d|[a-z]|\\pi(?![a-z]))", r"\\sqrt{\1}"),
    (r"(\\(?:sin|cos|tan|cot|sec|csc|log|ln)\s*\^\s*)(\d)\s*(?=\d)", r"\1{\2}"),
    (r"_\s*([\w])", r"_{\1}"),
    (r"_\s*\{\s*\\text\s*\{\s*([\w]+)\s*\}\s*\}", r"_{\1}"),
    (r"[ \t\r\n\f\v]+", " "),
]  # fmt: skip
TEXT = re.compile(rf"\\text\s*{GROUP}")
COMPILED = [(re.compile(pattern), replacement) for pattern, replacement in REWRITES]


def clean(text: str) -> str:
    r"""`text` in one way of writing. `\text{}` stays, since it says that its content is words; degrees become `°`."""
    text = re.sub(r"\s+", " ", text).strip().removeprefix("**").removesuffix("**")
    if not text.isascii():
        text = re.sub(r"√\s*(\d+|\([^()]*\))", r"\\sqrt{\1}", text)
        text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+", lambda match: f"^{{{match[0].translate(HIGH)}}}", text)
        text = re.sub("[₀₁₂₃₄₅₆₇₈₉ₙ]+", lambda match: f"_{{{match[0].translate(LOW)}}}", text)
        text = re.sub(r"\^\{(.)\}", r"^\1", text).translate(SIGNS)
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/")
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    if "\\begin" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z]{2}|[()\[\]])", r"\\", text)  # a serializer has doubled the backslash
    for pattern, replacement in COMPILED:
        text = pattern.sub(replacement, text)
    return trimmed(text)


def trimmed(text: str) -> str:
    """`text` without space, full stops and stray marks at its ends, and without braces around all of it."""
    before = None
    while text != before:
        before = text
        text = text.strip().strip('`"').removesuffix("\\").strip()
        text = text.rstrip(".,;:").lstrip(":=").strip()
        if text.startswith("{") and text.endswith("}") and is_enclosed(text):
            text = text[1:-1]
    return text


def plain_text(text: str) -> str:
    r"""`text` with every `\text{x}` as plain ` x `, up to three inside each other."""
    for _ in range(3):
        text = TEXT.sub(r" \1 ", text)
    return trimmed(re.sub(r"\s+", " ", text))


def is_enclosed(text: str) -> bool:
    """Whether the bracket that opens `text` is closed by its last character: `(1,2)` is, `(1)(2)` is not."""
    depth = 0
    for position, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return position == len(text) - 1
    return False


STRICT_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"\\text\s*{GROUP}", r"\1"),
        (r"(?<![\d.,{])0+(?=\d)", ""),  # 025
        (r"(\.\d*?)0+(?!\d)", r"\1"),  # 1.50
        (r"\.(?!\d)", ""),  # 5.
        (r"(?<!\d)\.(?=\d)", "0."),  # .5
        (r"(?<!\d)\s+|\s+(?!\d)", ""),
    )
]


def strict_form(text: str) -> str:
    """What two answers must share to be the same by writing alone: no computing, no units, no reordering."""
    text = clean(text)
    if re.fullmatch(r"\([A-Z]\)|\\text\s*\{\s*\([A-Z]\)\s*\}", text):  # the letter of a choice
        text = text.replace("(", "").replace(")", "")
    if re.fullmatch(r"[-+]?0*\d{1,3}(?:,\d{3})+(?:\.\d*)?", text):  # thousands
        text = text.replace(",", "")
    for pattern, replacement in STRICT_REWRITES:
        text = pattern.sub(replacement, text)
    return text.removeprefix("+")
