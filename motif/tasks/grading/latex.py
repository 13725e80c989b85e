"""How answers are written: where one stands in a text, and one way of writing it instead of many.

`final_answer` finds it, `read` takes an answer out of a whole sentence that states it, `clean` rewrites what means the
same in every context: delimiters, spaces, `\\dfrac`, `\\left`, fonts, thousands. Nothing here computes or compares, and
every function is linear in its text.
"""

import re
import unicodedata
from itertools import pairwise
from typing import Any

TOKEN = re.compile(
    r"(?P<box>\\{1,2}(?:boxed|fbox)(?![A-Za-z])\s*(?:(?P<brace>\{)|(?P<bare>[+-]?(?:\d[\d.,/]*|[A-Za-z](?![A-Za-z])))?))"
    r"|\\[\\{}]|(?P<open>\{)|(?P<close>\})"
)


def boxes(text: str) -> list[tuple[int, int, str]]:
    """Every complete box, in the order in which they begin, as (first place, place after it, content).

    `\\{` and `\\}` are signs, not braces. `\\boxed 5` is a box too.
    """
    found: list[tuple[int, int, Any]] = []
    waiting: list[tuple[int, int] | None] = []
    for match in TOKEN.finditer(text):
        if match["brace"]:
            waiting.append((match.start(), match.end()))
        elif match["bare"]:
            found.append((match.start(), match.end(), match["bare"].rstrip(".,/")))
        elif match["open"]:
            waiting.append(None)
        elif match["close"] and waiting and (box := waiting.pop()):
            found.append((box[0], match.end(), (box[1], match.start())))  # cut out at the end: nests stay linear
    found.sort()
    return [(a, b, c if isinstance(c, str) else text[slice(*c)].strip()) for a, b, c in found[-8:]]


def final_answer(reply: str, tag: str | None = "answer") -> str | None:
    """The content of the last complete `\\boxed{}` or `\\fbox{}`, space stripped; None where that is empty.

    Where there is no complete box, the text of the last complete `<tag>…</tag>`, unless a box was left open in it;
    with `tag=None` boxes only. Never part of an unclosed box.
    """
    if found := boxes(reply):
        return found[-1][2] or None
    if tag is None:
        return None
    end = reply.rfind(f"</{tag}>")
    start = reply.rfind(f"<{tag}>", 0, max(end, 0))
    text = reply[start + len(tag) + 2 : end].strip() if start >= 0 else ""
    return None if "\\boxed" in text or "\\fbox" in text else text or None


JOINT = re.compile(r"[\s$,;.\\()\[\]]*(?:\\text\s*\{\s*)?(?:,|;|and|or)(?:\s*\})?[\s$\\()\[\]]*")
STATED = re.compile(r"(?:answer|solution|result)s?(?:\s+(?:is|are)\b:?|\s*[:=])\s*|####\s*", re.IGNORECASE)
SENTENCE_ENDS = re.compile(r"\.(?=\s+[A-Z])|\n|\.?\s*I hope", re.MULTILINE)
SPAN = re.compile(
    r"\$\$([^$]+)\$\$|(?<![\\$])\$((?:\\\$|[^$])+)\$"
    r"|\\\(((?:[^\\]|\\(?!\))){1,300})\\\)|(?<!\\)\\\[((?:[^\\]|\\(?!\])){1,300})\\\]"
)
STATEMENT = 8000  # signs: a longer text without a box states nothing
PROSE = re.compile(r"[A-Za-z]{2,}[,:]?\s+[A-Za-z]|^(?:so|thus|hence|therefore)\b", re.IGNORECASE)


def read(text: str) -> str:
    """The answer that `text` is or states; '' where there is none, as in an unclosed box.

    A text with boxes: the last one, or the last ones where only 'and', 'or' or commas stand between them. A sentence
    'the answer is …' (also 'Answer: …', '#### …'): what follows. A sentence around formulas: the formula, if it is the
    only one or they are listed. Anything else: itself.
    """
    text = text.strip()
    if found := boxes(text):
        start, _, answer = found[-1]
        for begin, end, content in reversed(found[:-1]):
            if end > start or not JOINT.fullmatch(text[end:start]):
                break
            start, answer = begin, f"{content}, {answer}"
        return answer
    if "\\boxed" in text or "\\fbox" in text:
        return ""
    if len(text) > STATEMENT:
        return text
    if stated := list(STATED.finditer(text)):
        tail = text[stated[-1].end() :]
        return SENTENCE_ENDS.split(tail)[0].strip().strip("*").removesuffix(".").strip() if tail else ""
    spans = list(SPAN.finditer(text))
    outside = SPAN.sub(" ", text)
    if spans and PROSE.search(outside) and not re.search(r"\d|\bnot\b", outside):
        between = [text[a.end() : b.start()] for a, b in pairwise(spans)]
        if all(JOINT.fullmatch(part) for part in between):
            unit = text[spans[-1].end() :] if not re.search(r"[A-Za-z]", text[: spans[0].start()]) else ""
            return ", ".join(next(filter(None, span.groups())) for span in spans) + unit
    return text


SIGNS = str.maketrans(
    dict.fromkeys("−–—‐‑", "-")
    | dict.fromkeys("×✕", "\\times ")
    | dict.fromkeys("·⋅∙", "\\cdot ")
    | {
        "÷": "/",
        "π": "\\pi ",
        "∞": "\\infty ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "¢": " cents",
        "±": "\\pm ",
        "∪": "\\cup ",
    }
    | {"∩": "\\cap ", "∈": "\\in ", "°": "^\\circ ", "∅": "\\emptyset ", "√": "\\sqrt ", "“": "", "”": "", "‘": "'"}
    | {"’": "'", "θ": "\\theta "}
    | {sign: f"^{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    | {sign: f" {sign}" for sign in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
)
GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
REWRITES = [
    (r"(?<!\\)\\\$|\\(?:pounds|euro|texteuro)(?![a-z])|[€£¥]", "$"),
    (r"\$\s*(?=[-+]?[\d.])|(?<=\d)\s*\$", ""),
    (r"\$", " "),
    (r"(?<!\\)\\[()\[\]]", " "),
    (r"\\(?:left|right|mleft|mright)\s*\.|\\(?:left|right|[mb]left|mright|[bB]igg?[lrm]?)(?![A-Za-z])\s*", ""),
    (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it)(?![A-Za-z])", " "),
    (r"\s*(?:\{,\}|,\s*\\!)\s*(?=\d)|(?<=\d)(?:\\[,!]|\\thinspace)\s*(?=\d{3})", ""),
    (r"(?<!\\)\\!\s*", ""),
    (r"(?<!\\)\\[,;:> ]|\\(?:q?quad|thinspace|thickspace|medspace|hfill)(?![A-Za-z])|(?<!\\)~", " "),
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
    (r"\^\s*\{\s*\\(?:circ|prime)\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?![A-Za-z])|\\textdegree", "°"),
    (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
    (r"\\binom\s*(\d)\s*(\d)", r"\\binom{\1}{\2}"),
    (r"^\s*\\(?:approx|sim|therefore|implies|Rightarrow)(?![A-Za-z])", ""),
    (r"(\d*\.\d*?)(\d)\2{2,}(?:\.\.\.|\\[lc]?dots)", r"\1\\overline{\2}"),
    (r"(?<=\d)\s*\^?\s*\{?\s*\\text\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?|(?<=\d)(?:st|nd|rd|th)(?![A-Za-z])", ""),
    (r"^\s*\\text\s*\{([^{}A-Za-z]*\d[^{}]*)\}\s*$", r"\1"),
    (r",?\s*(?:\\text\s*\{[^{}]*\}\s*)?[a-z]\s*\\in\s*\\mathbb\s*\{?[ZN]\}?(?:\^\+)?\s*$", ""),
    (r"\\text\s*\{\s*\}|\\(?:,|text)\s*$", ""),
    (r"(?<![A-Za-z\\])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
    (r"\+\s*\\infty", r"\\infty"),
    (r"(?<![A-Za-z\\])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![A-Za-z\\])sqrt\s*(?=[\d{])", r"\\sqrt "),
    (r"(?<![A-Za-z\\])(pi|sqrt)(?![A-Za-z])", r"\\\1 "),
    (r"\^\s*\(([^()]*)\)", r"^{\1}"),
    (r"\*\*", "^"),
    (r"(?<=[\w)}])\s*\*\s*(?=[\w(\\])", r"\\cdot "),
    (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d|[a-z])\s*(?=\{)", r"\\frac{\1}"),
    (r"\\frac\s*([a-z])\s*([a-z]|\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d)\s*([a-z])", r"\\frac{\1}{\2}"),
    (rf"\\frac\s*{GROUP}\s*([A-Za-z\d])", r"\\frac{\1}{\2}"),
    (rf"\\frac\s*{GROUP}\s*(\\pi)(?![a-z])", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\\pi)\s*(?:(\d)|\{(\d+)\})", r"\\frac{\1}{\2\3}"),
    (r"\\sqrt\s*(\d|[a-z]|\\pi(?![a-z]))", r"\\sqrt{\1}"),
    (r"_\s*([\w])", r"_{\1}"),
    (r"_\s*\{\s*\\text\s*\{\s*([\w]+)\s*\}\s*\}", r"_{\1}"),
    (r"[ \t\r\n\f\v]+", " "),
]  # fmt: skip
COMPILED = [(re.compile(pattern), new) for pattern, new in REWRITES]


def clean(text: str) -> str:
    """`text` in one way of writing. `\\text{}` stays, for what it says about its content; degrees become `°`."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"√\s*\(?(\d+)\)?", r"\\sqrt{\1}", text.strip().removeprefix("**").removesuffix("**")).translate(
        SIGNS
    )
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/")
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    if "\\begin" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z]{2}|[()\[\]])", r"\\", text)  # doubled by a serializer
    for pattern, new in COMPILED:
        text = pattern.sub(new, text)
    return trimmed(text)


def trimmed(text: str) -> str:
    """`text` without space, full stops and stray marks at its ends, and without braces or dots around all of it."""
    while True:
        before = text
        text = (
            text.strip().strip('`"').removesuffix("\\").removesuffix("...").strip().rstrip(".,;:").lstrip(":=").strip()
        )
        if text.startswith("{") and text.endswith("}") and encloses(text):
            text = text[1:-1]
        if text == before:
            return text


def unwrapped(text: str) -> str:
    """`text` with `\\text{x}` as plain ` x `."""
    for _ in range(3):
        text = re.sub(rf"\\text\s*{GROUP}", r" \1 ", text)
    return trimmed(re.sub(r"\s+", " ", text))


def encloses(text: str) -> bool:
    """Whether the bracket that opens `text` is closed by its last sign."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


STRICTLY = [
    (re.compile(rf"\\text\s*{GROUP}"), r"\1"),
    (re.compile(r"(?<![\d.,])0+(?=\d)"), ""),
    (re.compile(r"(\.\d*?)0+(?!\d)"), r"\1"),
    (re.compile(r"\.(?!\d)"), ""),
    (re.compile(r"(?<!\d)\.(?=\d)"), "0."),
    (re.compile(r"(?<!\d)\s+|\s+(?!\d)"), ""),
]


def strict_form(text: str) -> str:
    """What two answers must share to be the same by writing alone: no computing, no units, no reordering."""
    text = clean(text)
    if re.fullmatch(r"\([A-Z]\)|\\text\s*\{\s*\([A-Z]\)\s*\}", text):
        text = text.replace("(", "").replace(")", "")
    if re.fullmatch(r"[-+]?0*\d{1,3}(?:,\d{3})+(?:\.\d*)?", text):
        text = text.replace(",", "")
    for pattern, new in STRICTLY:
        text = pattern.sub(new, text)
    return text.removeprefix("+")
