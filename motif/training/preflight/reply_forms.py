"""Probes: replies whose place in the order of rewards is known beforehand, put through a run's own grader and reward.

They become trees as a policy's replies do (`episode.grow`), are graded by what grades the run, and paid by the rows
that its algorithm makes of them. What must hold of their rewards is said in `rules`. No model speaks here.
"""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from motif.rounds import Conversation, Episode, Prompts, Reply, Sampling, Tree, grow
from motif.system.errors import UserError, shown
from motif.system.safe_text import encodable
from motif.tasks.grading.numbers import integer
from motif.tasks.questions import Question
from motif.training.algorithms import Algorithm
from motif.training.rewards import Reward

Marks = Callable[[Sequence[Tree]], None]

ROWS = 200  # golds of a data set that are graded
RIGHT = 0.99  # share of them that has to be graded right
ROUNDS = 6  # of a probe's episode at most
WORK = """First write down what is given and what is asked for, each in words of its own.
Then look for the one relation that ties the quantities to each other.
Nothing is said about the remainder, so it has to follow from the rest.
Call the unknown by a letter and put it where the text speaks of it.
Both sides can be made simpler before anything is worked out.
Take the common part out, and what is left is shorter than before.
The sign has to be watched here, for it changes on the way over.
Working it out gives a value that has the right size and the right unit.
Put back into the relation it fits, which is a good sign but no proof.
Another way to see it is to go backwards from the end to the beginning.
Going backwards leads to the same place, so the value can be trusted.
What was asked for is not the unknown itself but what follows from it.
One more step gives that, and there is nothing else left to be done.
So the result stands, and it only has to be written where it belongs."""
LENGTHS = {"long": len(WORK), "short": 24}  # signs of reasoning
LAYOUTS = {
    "tags on lines": "<{reasoning}>\n{work}\n</{reasoning}>\n<{answer}>\n{said}\n</{answer}>",
    "tags on lines, line end": "<{reasoning}>\n{work}\n</{reasoning}>\n<{answer}>\n{said}\n</{answer}>\n",
    "tags inline": "<{reasoning}>{work}</{reasoning}><{answer}>{said}</{answer}>",
}
FORMS = [(length, layout) for length in LENGTHS for layout in LAYOUTS]
EMPTY = "an empty reply"


@dataclass(frozen=True)
class Check:
    """A check by its name; where it failed, what is `wrong` (with the key that it hangs on) and what to do. One that is
    not `severe` is a remark."""

    name: str
    wrong: str = ""
    remedy: str = ""
    severe: bool = True


@dataclass(frozen=True)
class Probe:
    """An episode's replies: in all rounds before the last, in the last, and there in every second future (None: as the
    others)."""

    name: str
    before: str
    last: str
    finished: bool = True
    every_second: str | None = None


@dataclass(frozen=True)
class Paid:
    """What a probe got: each term's value before its weight, and their weighted sum; means over the trained rows."""

    probe: Probe
    terms: Mapping[str, float]
    total: float


def right(length: str, layout: str) -> str:
    return f"right answer, perfect form, {length}, {layout}"


def wrong(length: str, layout: str) -> str:
    return f"wrong answer, perfect form, {length}, {layout}"


def one_line(layout: str) -> str:
    return f"right answer, perfect form, long, without line breaks in the reasoning, {layout}"


def plain(length: str, answer: str = "right") -> str:
    return f"{answer} answer, no tags, {length}"


def cut_off(length: str) -> str:
    return f"cut off, {length}"


STUFFED, BOXES, REPEATED = "a box with every answer", "every answer boxed, the right one first", "tags repeated"
ONLY_FORM, HALF = "perfect form, no answer", "right answer in half of the futures"


def written(prompts: Prompts, layout: str, work: str, said: str, final: bool = True) -> str:
    """A reply that works and says something, in one of `LAYOUTS`; a plain one has no layouts."""
    if prompts.format == "plain":
        return prompts.reply(work, said, final)
    return LAYOUTS[layout].format(reasoning=prompts.reasoning, answer=prompts.answer, work=work, said=said)


def probes(prompts: Prompts, gold: str, others: Sequence[str]) -> list[Probe]:
    """Every probe of a question with this `gold`, where `others` are wrong answers to it (one at least)."""

    def perfect(name: str, work: str, layout: str, said: str) -> Probe:
        before = written(prompts, layout, work, "what is known so far", final=False)
        return Probe(name, before, written(prompts, layout, work, said))

    box, no_box = f"\\boxed{{{gold}}}", f"\\boxed{{{others[0]}}}"
    found = [Probe(EMPTY, "", "")]
    for length, signs in LENGTHS.items():
        work = WORK[:signs]
        for layout in LAYOUTS:
            found.append(perfect(right(length, layout), work, layout, box))
            found.append(perfect(wrong(length, layout), work, layout, no_box))
        size = len(found[-1].before)  # of a whole reply, so that length is no difference
        text = f"{WORK}\n{WORK}"[:size]
        found += [
            Probe(plain(length, which), text, f"{text} {said}") for which, said in (("right", box), ("wrong", no_box))
        ]
        start = f"<{prompts.reasoning}>\n{WORK}\n{WORK}"[:size]
        found.append(Probe(cut_off(length), start, start, finished=False))
    found += [perfect(one_line(layout), WORK.replace("\n", " "), layout, box) for layout in LAYOUTS]
    work, layout = WORK[: LENGTHS["short"]], "tags on lines"
    answers = [gold, *others]
    found.append(perfect(STUFFED, work, layout, f"\\boxed{{{', '.join(answers)}}}"))
    found.append(perfect(BOXES, work, layout, "\n".join(f"\\boxed{{{answer}}}" for answer in answers)))
    whole = perfect(REPEATED, work, layout, box)
    found.append(Probe(REPEATED, "\n".join([whole.before] * 4), "\n".join([whole.last] * 4)))
    found.append(perfect(ONLY_FORM, work, layout, "I do not know."))
    halves = perfect(HALF, work, layout, box), perfect(HALF, work, layout, no_box)
    return [*found, Probe(HALF, halves[0].before, halves[0].last, every_second=halves[1].last)]


def tree_of(question: Question, probe: Probe, episode: Episode, branching: Sequence[int], tokenizer: Any) -> Tree:
    """The tree that grows of one question where every reply is the probe's."""
    end, round = getattr(tokenizer, "eos_token_id", None), 0

    def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        nonlocal round
        round += 1
        texts = [probe.before if round < episode.rounds else probe.last] * len(talks)
        if probe.every_second is not None and round == episode.rounds:
            texts[1::2] = [probe.every_second] * len(texts[1::2])
        ids = {
            text: tokenizer(encodable(text), add_special_tokens=False)["input_ids"] if text else []
            for text in set(texts)
        }
        ends = [end] if probe.finished and end is not None else []
        return [Reply(text, [*ids[text], *ends] or [0], [], probe.finished) for text in texts]

    return grow([question], episode, branching, generate, tokenizer, episode.sampling)[0]


def said(question: Question, answer: str, episode: Episode, marks: Marks, tokenizer: Any) -> bool:
    """Whether `answer` in a perfect reply of one round is graded right; boxed, and bare where that counts too."""
    plain_too = question.unboxed or episode.prompts.format == "plain"
    texts = [f"\\boxed{{{answer}}}", *([answer] if plain_too else [])]
    texts = [written(episode.prompts, "tags on lines", "so", text) for text in texts]
    trees = [tree_of(question, Probe("", text, text), episode.with_rounds(1), [1], tokenizer) for text in texts]
    marks(trees)
    return all(tree.roots[0].correct for tree in trees)


def sample(questions: Sequence[Question]) -> list[Question]:
    """`ROWS` of them at most, evenly spaced."""
    return (
        [questions[place * len(questions) // ROWS] for place in range(ROWS)] if len(questions) > ROWS else [*questions]
    )


def golds_check(
    name: str, questions: Sequence[Question], episode: Episode, marks: Marks, tokenizer: Any
) -> tuple[Check, list[Question]]:
    """Whether the golds of a data set, given as answers, are right; and the questions where they are."""
    rows = sample(questions)
    if not rows:
        return Check(f"golds of {name}", f"{name} has no questions (dataset)", "see which were left out above"), []
    kept = [question for question in rows if said(question, question.gold, episode, marks, tokenizer)]
    if len(kept) >= RIGHT * len(rows):
        return Check(f"golds of {name}"), kept
    right = {question.id for question in kept}
    one = next(question for question in rows if question.id not in right)
    return Check(
        f"golds of {name}",
        f"{len(rows) - len(kept)} of {len(rows)} golds of {name} are not graded right when a reply boxes them, such as "
        f"{shown(one.gold)} of {one.id}",
        "see dataset.answer and dataset.gold",
    ), kept


def pay(
    questions: Sequence[Question], reward: Reward, algorithm: Algorithm, episode: Episode, marks: Marks, tokenizer: Any
) -> list[Paid] | Check:
    """What each probe is worth, on one of `questions`, the gold of which is right; a `Check` that failed where the
    grader takes every answer for right, or a term raises or gives no number."""
    question = next((each for each in questions if integer(each.gold) is not None), None)
    question = question or min(questions, key=lambda each: len(each.gold))
    tried = dict.fromkeys([each.gold for each in questions[:20]] + ["0", "1", "2", "nothing"])
    others = [each for each in tried if not said(question, each, episode, marks, tokenizer)][:5]
    if not others:
        return Check(
            "wrong answers", f"every answer to {question.id} is graded right ({shown([*tried])})", "see flaws.grading"
        )
    episode = episode.with_rounds(min(episode.rounds, ROUNDS))
    branching = [1, *(min(width, 2) for width in algorithm.branching(episode.rounds)[1:])]
    paid = []
    for probe in probes(episode.prompts, question.gold, others):
        tree = tree_of(question, probe, episode, branching, tokenizer)
        marks([tree])
        try:
            rows = [reward.of(row.path, row.continuations, row.weights) for row in algorithm.rows(tree)]
            values = {name: fmean(row[name] for row in rows) for name in reward.weights}
            total = fmean(reward.total(row) for row in rows)
        except UserError:
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            words = f"the reward fails on a probe ({probe.name}): {type(error).__name__}: {error}"
            return Check("every term gives a number", f"{words} ({frame.filename}:{frame.lineno})", "mend the term")
        for name, value in values.items():
            if not math.isfinite(value):
                words = f"reward term {name} gives {value} to a probe ({probe.name})"
                return Check("every term gives a number", words, "let it give a finite number to every reply")
        paid.append(Paid(probe, values, total))
    return paid
