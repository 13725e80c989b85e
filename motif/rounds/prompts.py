"""The words of each round's prompt, and the parts of a reply. All wording of the suite is here.

A round's prompt holds the question and the text that the round before carried over. It holds nothing else of the past.
There are three wordings: `full` for models that read prose, `terse` (2/3: round 2 of 3) and `countdown` (1: one round
follows) for models whose vocabulary is a task's symbols.
This module knows no model: how a conversation becomes tokens is in `motif.policies.policy`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

from motif.system.errors import UserError, one_of
from motif.tasks.grading.answers import without_thoughts

Conversation = list[dict[str, str]]
WORDINGS = ("full", "terse", "countdown")

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


@dataclass(frozen=True)
class Prompts:
    """The conversation of each round, and the parts of a reply.

    Args:
        wording: `full`, `terse` or `countdown`.
        reasoning, answer, progress: names of the tags around the reasoning of a reply, around its answer (its progress
            in every round but the last), and around carried text in a prompt.
        system: true sends a system message, false puts its text before the user's message, `none` leaves it out,
            `boxed` sends one that asks for a box and for no tag.

    Raises:
        UserError: an unknown wording, a name that is no tag's, or two equal tags.
    """

    wording: str = "full"
    reasoning: str = "reasoning"
    answer: str = "answer"
    progress: str = "progress"
    system: bool | str = True

    def __post_init__(self) -> None:
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
        if self.wording != "full":
            text = f"{round}/{rounds} {question}" if self.wording == "terse" else f"{rounds - round} {question}"
            if carried is not None:
                text += f"<{self.progress}>{carried}</{self.progress}>"
            return [{"role": "user", "content": text}]
        words = {
            **vars(self),
            "round": round,
            "rounds": rounds,
            "before": rounds - 1,
            "previous": round - 1,
            "question": question,
            "carried": carried,
            "told": told.format(answer=self.answer),
        }
        multi = (MULTI if tagged else UNTAGGED) + EARLY * early
        system = (BOXED if self.system == "boxed" else SINGLE if rounds == 1 else multi).format(**words)
        parts = [PROBLEM]
        if round > 1:
            parts.append(NO_PROGRESS if carried is None else PROGRESS if tagged else SEEN)
        if rounds > 1:
            parts.append(FINISH if round == rounds else GO_ON if tagged else WORK_ON)
        user = "\n\n".join(part.format(**words) for part in parts)
        if self.system == "none":
            return [{"role": "user", "content": user}]
        if not self.system:
            return [{"role": "user", "content": f"{system}\n\n{user}"}]
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def answer_of(self, reply: str) -> str | None:
        """The text of the last complete answer tag after the thoughts of `reply`, stripped; None if there is none."""
        reply = without_thoughts(reply)
        end = reply.rfind(f"</{self.answer}>")
        start = reply.rfind(f"<{self.answer}>", 0, end) if end >= 0 else -1
        return reply[start + len(self.answer) + 2 : end].strip() if start >= 0 else None

    def well_formed(self, reply: str) -> bool:
        """Whether `reply` is one reasoning block, then one answer block with text in it, and nothing around them.

        Thoughts before them are no part of the form.
        """
        reply = self.said(reply)
        tags = [f"<{self.reasoning}>", f"</{self.reasoning}>", f"<{self.answer}>", f"</{self.answer}>"]
        if any(reply.count(tag) != 1 for tag in tags):
            return False
        blocks = re.fullmatch(r"\s*{}.*{}\s*{}(.*){}\s*".format(*tags), reply, re.DOTALL)
        return blocks is not None and bool(blocks[1].strip())

    def reply(self, reasoning: str, answer: str | None) -> str:
        """The text of a reply with these parts; without an answer tag where `answer` is None."""
        block = "" if answer is None else f"<{self.answer}>{answer}</{self.answer}>"
        return f"<{self.reasoning}>{reasoning}</{self.reasoning}>{block}"

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
