"""The words of each round's prompt, and the parts of a reply. All wording of the suite is here.

A round's prompt holds the question and the text that the round before carried over. It holds nothing else of the past.
There are three wordings: `full` for models that read prose, `terse` (2/3: round 2 of 3) and `countdown` (1: one round
follows) for models whose vocabulary is a task's symbols. There are three formats of replies: `tags`, with a boxed
result, `plain`, whose last line is `#### 72`, and `bare`, where rounds go on with one turn and no words ask for them.
Before the question stand worked rounds of other questions, if there are any.
This module knows no model: how a conversation becomes tokens is in `motif.policies.policy`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import cycle

from motif.system.errors import UserError, of_kind, one_of, whole
from motif.tasks.grading.answers import final_answer, plain_answer, without_thoughts
from motif.tasks.questions import Question

Conversation = list[dict[str, str]]
SO_FAR = "so far"  # role of a last message with which a reply goes on, after all that the template writes
WORDINGS = ("full", "terse", "countdown")
FORMATS = ("tags", "plain", "bare")
CANDIDATES = 200  # training questions of which the shortest become examples
FEWEST = 3  # steps of an example, where questions have so many
NOTE = "Progress:"  # begins what a plain reply carries over
PROGRESS_LINE = re.compile(f"^{NOTE}", re.MULTILINE)

SUMMARY = "all that reaches the next one is what you write inside <{answer}></{answer}>"
SINGLE = (
    "You solve problems by reasoning step by step. Write your reasoning inside <{reasoning}></{reasoning}>, "
    "then your final answer inside <{answer}></{answer}>, with the result itself in \\boxed{{}}."
)
ROUNDS = "You solve a problem over {rounds} rounds. A round has little room, and {told}. "
MULTI = ROUNDS + (
    "In every round, reason inside <{reasoning}></{reasoning}>, then fill <{answer}></{answer}>: in rounds 1 to "
    "{before} with the progress made so far, complete enough to go on from it without your reasoning; in round "
    "{rounds} with the final answer, the result itself in \\boxed{{}}."
)
UNTAGGED = ROUNDS + (
    "Reason inside <{reasoning}></{reasoning}>. In round {rounds} write the final answer inside <{answer}></{answer}>, "
    "the result itself in \\boxed{{}}."
)
LAST_LINE = "the final answer on the last line, as in '#### 72'."
PLAIN_SUMMARY = f"all that reaches the next one is what you write after '{NOTE}'"
PLAIN_SINGLE = "You solve problems by reasoning step by step. Write " + LAST_LINE
PLAIN_MULTI = ROUNDS + (
    "Reason step by step. In rounds 1 to {before} end with a line that begins with 'Progress:' and says what is done "
    "so far, complete enough to go on from it without your reasoning. In round {rounds} write " + LAST_LINE
)
PLAIN_UNTAGGED = ROUNDS + "Reason step by step. In round {rounds} write " + LAST_LINE
STEPS = "Please reason step by step, and put your final answer within \\boxed{}."  # Delethink's and DeepSeek's
BOXED = "Put the result of the problem in \\boxed{{}}."
EARLY = " As soon as you have the final answer, write it so, in whatever round: that ends the work."
PROBLEM = "Problem:\n{question}"
PROGRESS = "Progress handed over from round {previous}:\n<{progress}>\n{carried}\n</{progress}>"
NO_PROGRESS = "No progress was handed over from round {previous}: start from the problem."
SEEN = "What you see of your work so far:\n<{progress}>\n{carried}\n</{progress}>"
GO_ON = "This is round {round} of {rounds}. Work on, then write your progress inside <{answer}></{answer}>."
WORK_ON = "This is round {round} of {rounds}. Work on."
FINISH = (
    "This is round {round} of {rounds}, the last one. Finish, and write the final answer inside "
    "<{answer}></{answer}>, with the result in \\boxed{{}}."
)
PLAIN_GO_ON = WORK_ON[:-1] + f", then write your progress on a line that begins with '{NOTE}'."
PLAIN_FINISH = "This is round {round} of {rounds}, the last one. Finish, and write " + LAST_LINE
WORDS = {  # by format: system text of one round, of several, of several without summaries, end of a prompt, last end
    "tags": (SINGLE, MULTI, UNTAGGED, GO_ON, FINISH),
    "plain": (PLAIN_SINGLE, PLAIN_MULTI, PLAIN_UNTAGGED, PLAIN_GO_ON, PLAIN_FINISH),
}


class Drawn(str):
    """Text with the tokens that were drawn for it. A prompt takes over these tokens and makes none of the text."""

    ids: tuple[int, ...]

    def __new__(cls, text: str, ids: Iterable[int] = ()) -> "Drawn":
        made = super().__new__(cls, text)
        made.ids = tuple(ids)
        return made


@dataclass(frozen=True)
class Prompts:
    """The conversation of each round, and the parts of a reply.

    Args:
        wording: `full`, `terse` or `countdown`.
        reasoning, answer, progress: names of the tags around the reasoning of a reply, around its answer (its progress
            in every round but the last), and around carried text in a prompt.
        system: true sends a system message, false puts its text before the user's message, `none` leaves it out,
            `boxed` sends one that asks for a box and for no tag.
        format: `tags`, or `plain` for replies without tags and boxes. A plain reply ends with a line such as `#### 72`
            or `The answer is 72`; before the last round it ends with its progress, after `Progress:`. `bare` asks the
            question as others do, and a later round goes on with the turn of the assistant. What is written in the
            answer tag stands at its beginning, in the progress tag; another carried text is its beginning.
        examples: how many worked rounds of other questions stand before the question, as turns of the talk.
        worked: the questions that these are of; `showing` chooses them.

    Raises:
        UserError: an unknown wording or format, a name that is no tag's, or two equal tags.
    """

    wording: str = "full"
    reasoning: str = "reasoning"
    answer: str = "answer"
    progress: str = "progress"
    system: bool | str = True
    format: str = "tags"
    examples: int = 0
    worked: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        one_of("episode.prompts.format", self.format, FORMATS)
        whole("episode.prompts.examples", self.examples, at_least=0)
        for question in self.worked:
            of_kind("episode.prompts.worked", question, Question)
        if self.format == "bare" and self.examples:
            raise UserError("episode.prompts.examples: prompts of episode.prompts.format=bare show no examples")
        one_of("episode.prompts.system", self.system, (True, False, "none", "boxed"))
        one_of("episode.prompts.wording", self.wording, WORDINGS)
        for field in fields(self)[1:4]:
            tag = getattr(self, field.name)
            if not isinstance(tag, str) or not re.fullmatch(r"[A-Za-z][\w-]*", tag):
                raise UserError(
                    f"episode.prompts.{field.name} must be a tag's name such as {field.default}, got {tag!r}"
                )
        if len({self.reasoning, self.answer, self.progress}) < 3:
            raise UserError("episode.prompts: the tags reasoning, answer and progress must differ")

    def conversation(
        self,
        question: str,
        round: int,
        rounds: int,
        carried: str | None,
        told: str = SUMMARY,
        tagged: bool = True,
        early: bool = False,
    ) -> Conversation:
        """The messages of one round.

        Args:
            question: the question's text.
            round: which round, from 1, of how many `rounds`.
            carried: the text that the round before carried over; None where it carried nothing.
            told: how the prompt describes what is carried.
            tagged: whether the policy writes what is carried into its answer tag.
            early: whether a final answer before the last round ends the episode.
        """
        if self.format == "bare":
            return self.bare(question, carried, tagged)
        single, multi, untagged, go_on, finish = WORDS[self.format]
        told = PLAIN_SUMMARY if tagged and self.format == "plain" else told.format(answer=self.answer)
        words = {**vars(self), "told": told, "round": round, "rounds": rounds}
        words |= {"before": rounds - 1, "previous": round - 1}
        end = "" if rounds == 1 else finish if round == rounds else go_on if tagged else WORK_ON

        def asked(question: str, carried: str | None) -> str:
            if self.wording != "full":
                text = f"{round}/{rounds} {question}" if self.wording == "terse" else f"{rounds - round} {question}"
                return text if carried is None else f"{text}<{self.progress}>{carried}</{self.progress}>"
            handed = "" if round == 1 else NO_PROGRESS if carried is None else PROGRESS if tagged else SEEN
            parts = filter(None, (PROBLEM, handed, end))
            return "\n\n".join(part.format(**words, question=question, carried=carried) for part in parts)

        said = []
        for other in [each for each in self.worked if each.text != question][: self.examples]:
            handed, reply = self.worked_round(other, round, rounds, carried is not None, tagged)
            said += [asked(other.text, handed), reply]
        said.append(asked(question, carried))
        talk = [{"role": role, "content": text} for role, text in zip(cycle(("user", "assistant")), said, strict=False)]
        if self.wording != "full" or self.system == "none":
            return talk
        text = single if rounds == 1 else (multi if tagged else untagged) + EARLY * early
        system = (BOXED if self.system == "boxed" else text).format(**words)
        if self.system:
            return [{"role": "system", "content": system}, *talk]
        return [{"role": "user", "content": f"{system}\n\n{said[0]}"}, *talk[1:]]

    def bare(self, question: str, carried: str | None, tagged: bool) -> Conversation:
        """The question, and how the turn of the assistant begins where something is carried."""
        asked = f"{question}\n\n{STEPS}" if self.system is False else question
        talk = [{"role": "user", "content": asked}]
        if self.system in (True, "boxed"):
            talk.insert(0, {"role": "system", "content": STEPS})
        if carried is not None and tagged:
            history = f"<{self.progress}>\n{carried}\n</{self.progress}>"
            return [*talk, {"role": "assistant", "content": history}]
        return talk if carried is None else [*talk, {"role": SO_FAR, "content": carried}]

    def worked_round(
        self, question: Question, round: int, rounds: int, handed: bool, tagged: bool
    ) -> tuple[str | None, str]:
        """What a worked round of `question` is handed, and its reply. Each round works a part of the steps, all parts
        being about equal; a round that is not `handed` anything begins with the first step."""
        steps = question.solution
        first, end = (-(-place * len(steps) // rounds) for place in (round - 1, round))
        work = "\n".join(step.text for step in steps[first if handed else 0 : end])
        before = "\n".join(step.text for step in steps[:first])
        if tagged:
            before, note = (steps[place - 1].note if place else "" for place in (first, end))
        said = question.gold if round == rounds else note if tagged else None
        return before if handed else None, self.reply(work, said, round == rounds)

    def reply(self, work: str, said: str | None, final: bool) -> str:
        """A reply in perfect form: the work, and the result (`final`) or the progress `said`; None says nothing."""
        if self.format == "plain":
            return "\n".join([work] + ([] if said is None else [f"{'####' if final else NOTE} {said}"]))
        work = f"<{self.reasoning}>\n{work}\n</{self.reasoning}>"
        said = f"\\boxed{{{said}}}" if final else said
        return work if said is None else f"{work}\n<{self.answer}>\n{said}\n</{self.answer}>"

    def showing(self, questions: Sequence[Question]) -> "Prompts":
        """These prompts with worked examples from `questions`, which are training questions.

        Of the first `CANDIDATES` that have a worked solution the shortest are taken, first of those with `FEWEST` steps
        or more. There is one to spare: a question is no example of itself.

        Raises:
            UserError: too few questions have a worked solution.
        """
        if not self.examples:
            return self
        known = [question for question in questions if question.solution][:CANDIDATES]
        if len(known) <= self.examples:
            raise UserError(
                f"episode.prompts.examples={self.examples} needs as many training questions with worked solutions and "
                f"one to spare, and there are {len(known)}: dataset.gold=hashes or boxed reads them"
            )
        size = {each.id: len(each.text) + sum(len(step.text) for step in each.solution) for each in known}
        known.sort(key=lambda each: (len(each.solution) < FEWEST, size[each.id]))
        return replace(self, worked=tuple(known[: self.examples + 1]))

    def answer_of(self, reply: str) -> str | None:
        """The text of the last complete answer tag after the thoughts of `reply`, stripped; None if there is none. In
        plain replies it is what follows the last `Progress:`, else what the last line states."""
        reply = without_thoughts(reply)
        if self.format == "plain":
            noted = PROGRESS_LINE.split(reply)
            return noted[-1].strip() or None if noted[1:] else plain_answer(reply)
        end = reply.rfind(f"</{self.answer}>")
        start = reply.rfind(f"<{self.answer}>", 0, end) if end >= 0 else -1
        return reply[start + len(self.answer) + 2 : end].strip() if start >= 0 else None

    def well_formed(self, reply: str, final: bool = True) -> bool:
        """Whether `reply` is one reasoning block, then one answer block with text in it, and nothing around them. A
        plain reply states its result in the last line; one that is not `final` may end with its progress instead.

        Thoughts before them are no part of the form. A bare reply has a box, or text in the answer tag if not `final`.
        """
        if self.format == "bare":
            return bool(final_answer(reply, tag=None) if final else self.answer_of(reply))
        if self.format == "plain":
            stated = plain_answer(reply) is not None and without_thoughts(reply).count("####") <= 1
            return stated or (not final and self.answer_of(reply) is not None)
        reply = self.said(reply)
        tags = [f"<{self.reasoning}>", f"</{self.reasoning}>", f"<{self.answer}>", f"</{self.answer}>"]
        if any(reply.count(tag) != 1 for tag in tags):
            return False
        blocks = re.fullmatch(r"\s*{}.*{}\s*{}(.*){}\s*".format(*tags), reply, re.DOTALL)
        return blocks is not None and bool(blocks[1].strip())

    def stated(self, reply: str) -> str | None:
        """The result that a plain reply states in its last line; None of a reply with tags, whose result is boxed."""
        return plain_answer(reply) if self.format == "plain" else None

    def said(self, reply: str) -> str:
        """What `reply` says after its thoughts; all of it where the tag of the reasoning is that of thoughts."""
        return reply if self.reasoning in ("think", "thinking") else without_thoughts(reply)

    def harmless(self, text: str, control: Iterable[str] = ()) -> str:
        """`text` without these tags and without the `control` strings of a chat template.

        Carried text must not close its own delimiters or open another speaker's turn. Tags are removed until none is
        left, because the removal of one tag can join the halves of another.
        """
        names = "|".join(map(re.escape, (self.reasoning, self.answer, self.progress)))
        tags = re.compile(rf"<\s*/?\s*(?:{names})\b[^<>]*>", re.IGNORECASE)
        control = [string for string in control if string.strip()]
        while True:
            cleaned = tags.sub("", text)
            for string in control:
                cleaned = cleaned.replace(string, "")
            if cleaned == text:
                return text
            text = cleaned
