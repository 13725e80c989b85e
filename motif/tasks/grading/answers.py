r"""Where the answer stands in a text: in a box, in a tag, or after 'the answer is'.

`final_answer` reads a policy's reply and takes nothing but a box or a tag. `stated_answer` reads what somebody hands
over as an answer, which may be a whole sentence. Nothing here rewrites or compares an answer. Every function takes
time linear in the length of its text.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from motif.tasks.grading.words import CHANGING

BRACES = re.compile(
    r"(?P<box>\\{1,2}(?:boxed|fbox)(?![A-Za-z])\s*(?:(?P<brace>\{)|(?P<bare>[+-]?(?:\d[\d.,/]*|[A-Za-z](?![A-Za-z])))?))"
    r"|\\[\\{}]|(?P<open>\{)|(?P<close>\})"
)
LAST_BOXES = 8  # that are cut out of a text: a list of answers in more boxes is read from its last ones


class Box(NamedTuple):
    """A complete box: the positions of its first character and after its last one, and what is inside."""

    start: int
    end: int
    content: str


def boxes(text: str) -> list[Box]:
    r"""The last complete boxes of a text, `\boxed{…}`, `\fbox{…}` or `\boxed 5`, in the order in which they begin.

    `\{` and `\}` are characters of an answer, not braces. Contents have no space at their ends.
    """
    if "boxed" not in text and "fbox" not in text:
        return []
    complete: list[tuple[int, int, str | slice]] = []
    open_braces: list[tuple[int, int] | None] = []  # a box's start and its content's, or None for a plain brace
    for match in BRACES.finditer(text):
        if match.lastgroup == "open":
            open_braces.append(None)
        elif match.lastgroup == "close":
            if open_braces and (box := open_braces.pop()):
                complete.append((box[0], match.end(), slice(box[1], match.start())))
        elif match["brace"]:
            open_braces.append((match.start(), match.end()))
        elif match["bare"]:
            complete.append((match.start(), match.end(), match["bare"].rstrip(".,/")))
    complete.sort(key=lambda box: box[0])
    return [  # contents are copied for the last boxes only: copies of thousands of nested ones take quadratic time
        Box(start, end, text[content].strip() if isinstance(content, slice) else content)
        for start, end, content in complete[-LAST_BOXES:]
    ]


THOUGHTS = re.compile(r"(?s:.*)</think(?:ing)?>|<think(?:ing)?>(?s:.*)")


def without_thoughts(reply: str) -> str:
    """What a reply says after its thoughts: after the last `</think>`, and before a `<think>` that was left open."""
    return THOUGHTS.sub("", reply) if "<think" in reply or "</think" in reply else reply


def final_answer(reply: str, tag: str | None = "answer") -> str | None:
    r"""The answer that a reply marks as its final one.

    Args:
        reply: what the policy wrote.
        tag: the tag to read where the reply has no complete box; None reads boxes only.

    Returns:
        The content of the last complete `\boxed{}` or `\fbox{}`, without space at its ends. Where there is no complete
        box, the text of the last complete `<tag>…</tag>`, unless a box was left open in it. None where there is neither
        or the content is empty. Never a part of an unclosed box, and nothing of a `<think>…</think>`, which may be
        left open.
    """
    reply = without_thoughts(reply)
    if found := boxes(reply):
        return found[-1].content or None
    if tag is None:
        return None
    end = reply.rfind(f"</{tag}>")
    start = reply.rfind(f"<{tag}>", 0, max(end, 0))
    text = reply[start + len(tag) + 2 : end].strip() if start >= 0 else ""
    return None if "\\boxed" in text or "\\fbox" in text else text or None


GAP = r"(?:[\s$,;.\\()\[\]~]|\\q?quad)*"
BETWEEN_ANSWERS = re.compile(rf"{GAP}(?:\\(?:text|mbox|mathrm|textrm)\s*\{{\s*)?(?P<link>,|;|and|or)(?:\s*\}})?{GAP}")
ANSWER_IS = re.compile(r"(?:answer|solution|result|correct option)s?(?:\s+(?:is|are)\b:?|\s*[:=])\s*|####\s*", re.I)
SECOND_THOUGHTS = re.compile(r"\d|\b(?:no|not|wait|actually|but|or|alternatively|instead|wrong)\b", re.IGNORECASE)
NUMBER = re.compile(r"-?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?%?")
SENTENCE_END = re.compile(r"\.(?=\s+[A-Z])|\n|\.?\s*I hope", re.MULTILINE)
FORMULA = re.compile(
    r"\$\$([^$]+)\$\$|(?<![\\$])\$((?:\\\$|[^$])+)\$"
    r"|\\\(((?:[^\\]|\\(?!\))){1,300})\\\)|(?<!\\)\\\[((?:[^\\]|\\(?!\])){1,300})\\\]"
)
PROSE = re.compile(r"[A-Za-z]{2,}[,:]?\s+[A-Za-z]|^(?:so|thus|hence|therefore)\b", re.IGNORECASE)
LONGEST_STATED = 100  # characters of a statement in a reply that is read as an answer
LONGEST_STATEMENT = 8000  # characters; a longer text without a box is not searched


def stated_answer(text: str) -> str:
    """The answer that a text is or states.

    A text with boxes states the last one, or the last ones where only 'and', 'or' or commas stand between them. A text
    with 'the answer is …', 'Answer: …' or '#### …' states what follows. A sentence around formulas states the formula,
    if it is the only one, or the formulas, if they are listed. Any other text is the answer itself.

    Returns:
        The answer, '' where the text states none, as in a box that was left open.
    """
    text = without_thoughts(text).strip()
    if found := boxes(text):
        return _joined(text, found)
    if "\\boxed" in text or "\\fbox" in text:
        return ""
    if len(text) > LONGEST_STATEMENT:
        return text
    if statements := list(ANSWER_IS.finditer(text)):
        rest = text[statements[-1].end() :]
        first = SENTENCE_END.split(rest)[0]
        first = rest if SECOND_THOUGHTS.search(rest[len(first) :]) else first
        return first.strip().strip("*").removesuffix(".").strip()
    return _formulas(text) or text


def plain_answer(reply: str) -> str | None:
    """What the last line of a reply states after its thoughts: 72 in `#### 72`, `The answer is 72.` or `Answer: 72`;
    None where that line states nothing."""
    lines = without_thoughts(reply).strip().splitlines()
    return _last_stated(lines[-1]) if lines else None


def _last_stated(text: str) -> str | None:
    """What the last 'the answer is …', `Answer: …` or `#### …` of a text states, if it is short."""
    if not (statements := list(ANSWER_IS.finditer(text))):
        return None
    stated = SENTENCE_END.split(text[statements[-1].end() :])[0].strip().strip("*").removesuffix(".").strip()
    return stated if len(stated) < LONGEST_STATED and stated else None


def flexible_answer(reply: str) -> str | None:
    """The last plausible answer of a reply that need not mark one. It finds more than `final_answer`, less surely.

    Returns:
        The final answer; else what the last 'the answer is …', `Answer: …` or `#### …` states; else the last number.
        None where a reply has none of these after its thoughts.
    """
    if (marked := final_answer(reply)) is not None:
        return marked
    text = without_thoughts(reply)
    if stated := _last_stated(text):
        return stated
    numbers = NUMBER.findall(text)
    return numbers[-1] if numbers else None


def _joined(text: str, found: list[Box]) -> str:
    """The content of the last box, and of those before it that are listed with it."""
    start, _, answer = found[-1]
    for box in reversed(found[:-1]):
        between = BETWEEN_ANSWERS.fullmatch(text[box.end : start]) if box.end <= start else None
        if not between:
            break
        link = " or " if between["link"] == "or" else ", "
        start, answer = box.start, f"{box.content}{link}{answer}"
    return answer


def _formulas(text: str) -> str:
    """The formula of a sentence, or its listed formulas, with the unit that follows; '' where words say more."""
    formulas = list(FORMULA.finditer(text))
    words = FORMULA.sub(" ", text)
    if not formulas or not PROSE.search(words) or re.search(r"\d", words):
        return ""
    said = set(re.findall(r"[a-z]+", words.lower()))
    if said & CHANGING - ({"and", "or"} if len(formulas) > 1 else set()):
        return ""
    between = [text[one.end() : next_one.start()] for one, next_one in pairwise(formulas)]
    if not all(BETWEEN_ANSWERS.fullmatch(part) for part in between):
        return ""
    begins = not re.search(r"[A-Za-z]", text[: formulas[0].start()])
    unit = text[formulas[-1].end() :] if begins else ""
    return ", ".join(next(filter(None, formula.groups())) for formula in formulas) + unit
