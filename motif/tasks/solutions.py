"""A worked solution as steps: where its text may be cut, and what a round that ends there should carry over.

The text is the data's own, without GSM8K's marks of calculations (`<<48/2=24>>`). Nothing is written anew, so a note is
made of these marks where a step has them, and is the step itself where it has none.
"""

import re

from motif.tasks.questions import Step

PICTURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)  # drawn by a program, in MATH
MARK = re.compile(r"<<([^<>]*)>>")
RESULT = re.compile(r"<<([^<>]*)>>\$?[\d.,]*((?: (?!and\b)[A-Za-z'-]+)*)")  # a calculation, and of what it is
SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bMrs\.)\s+(?=[A-Z\\$])")
PAIRS = (("\\[", "\\]"), ("\\(", "\\)"), ("\\begin{", "\\end{"), ("{", "}"))  # of formulas


def steps_of(text: str) -> tuple[Step, ...]:
    """The steps of a worked solution: its lines, and the sentences in them. A formula is not cut."""
    steps, notes, open_part = list[Step](), list[str](), ""
    for part in (part for line in PICTURE.sub("", text).splitlines() for part in SENTENCE.split(line.strip()) if part):
        part = f"{open_part}\n{part}" if open_part else part
        open_part = part if is_open(part) else ""
        if not open_part:
            notes.append(note_of(part))
            steps.append(Step(MARK.sub("", part), "; ".join(notes)))
    return (*steps, Step(MARK.sub("", open_part), "; ".join([*notes, note_of(open_part)]))) if open_part else (*steps,)


def is_open(text: str) -> bool:
    """Whether a formula begins in `text` and does not end there."""
    return (text.replace("\\$", "").count("$") % 2 == 1 and "\\" in text) or any(
        text.count(begin) > text.count(end) for begin, end in PAIRS
    )


def note_of(step: str) -> str:
    """What a step has come to: each calculation with the words after it, such as `48/2=24 clips in May`."""
    return "; ".join(f"{sum}{words}" for sum, words in RESULT.findall(step)) or step.rstrip(".,")
