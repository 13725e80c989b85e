"""Replies to imitate: worked solutions, whole in one window or cut into the rounds of an episode at their own steps.

A prompt is what the episode shows in that round, and what a reply carries over is what the episode takes from it
(InftyThink, arXiv 2503.06692, cuts solutions so). Nothing here trains, and no text is written anew: a reply has steps
of the data, then their note, then in the last round the right answer.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from motif.policies.policy import Policy
from motif.rounds import Episode, Node, Reply
from motif.system import UserError
from motif.tasks.questions import Question, Step


class Demonstration(NamedTuple):
    """Token ids of a prompt, and of the reply to imitate, its end token included."""

    prompt: list[int]
    reply: list[int]


def length(row: Demonstration) -> int:
    """The tokens of a prompt with its reply."""
    return len(row.prompt) + len(row.reply)


@dataclass
class Demonstrator:
    """Demonstrations of one episode by one policy's tokens. `unfit` has the ids of questions that do not fit."""

    episode: Episode
    policy: Policy
    unfit: set[str] = field(default_factory=set)

    def stream(self, questions: Sequence[Question], seed: int) -> Iterator[Demonstration]:
        """Demonstrations without end, pass after pass over `questions`, each pass in another order.

        Raises:
            UserError: no solution fits.
        """
        source = random.Random(f"demonstrations/{seed}/{self.episode.rounds}")
        while True:
            found = 0
            for question in source.sample(questions, len(questions)):
                rows = self.of(question, source)
                found += len(rows)
                yield from rows
            if not found:
                words = f"none of the {len(questions)} worked solutions fits {self.window}"
                raise UserError(f"{words}: raise episode.tokens")

    @property
    def window(self) -> str:
        """The window of the episode, in words."""
        return f"rounds={self.episode.rounds} with {self.episode.budget()} tokens in all"

    def of(self, question: Question, source: random.Random) -> list[Demonstration]:
        """One demonstration a round; none where the solution does not fit.

        A round has at most so many steps as `source` draws: between an even share of all, and all. It has fewer where
        its window is full.
        """
        steps = question.solution
        most = source.randint(-(-len(steps) // self.episode.rounds), len(steps))
        path = self.path(question, most) or self.path(question, len(steps))
        if not path:
            self.unfit.add(question.id)
        return [Demonstration(node.reply.prompt_ids, node.reply.token_ids) for node in path]

    def path(self, question: Question, most: int) -> tuple[Node, ...]:
        """The replies of an episode, at most `most` steps in each round but the last; none where they do not fit."""
        path: tuple[Node, ...] = ()
        left = list(question.solution)
        while not path or not path[-1].ended:
            last = len(path) + 1 == self.episode.rounds
            counts = [len(left)] if last else range(min(most, len(left)), min(len(left), 1) - 1, -1)
            for count in counts:
                if node := self.node(question, path, left[:count], count == len(left)):
                    path, left = (*path, node), left[count:]
                    break
            else:
                return ()
        return path

    def node(self, question: Question, path: tuple[Node, ...], steps: Sequence[Step], done: bool) -> Node | None:
        """The reply after `path` that has `steps`, which are the last ones where it is `done`; None where the episode
        would not take it whole. A reply without steps carries over what it was handed."""
        episode, policy, round = self.episode, self.policy, len(path) + 1
        final = round == episode.rounds or (episode.stop == "answered" and done)
        note = steps[-1].note if steps else path[-1].answer
        said = question.gold if final else note if episode.carry.tagged else None
        text = after_thought(policy) + episode.prompts.reply("\n".join(step.text for step in steps), said, final)
        end = policy.turn_end if policy.turn_end is not None else policy.end_ids[0]
        ids = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"], end]
        if len(ids) > episode.sampling(round).tokens:
            return None
        (prompt,) = policy.render([episode.talk(question, path)])
        node = episode.node(Reply(policy.thought + text, ids, prompt, True), path, policy.tokenizer)
        whole = node.well_formed and (not episode.carry.tagged or not node.events)
        return node if whole and node.ended == final else None


def after_thought(policy: Policy) -> str:
    """What ends the thought that the chat template opens in each prompt; nothing where it opens none."""
    return f"{policy.thought.strip().replace('<', '</')}\n\n" if policy.thought else ""


def demonstrations(
    whole: Demonstrator, rounds: Demonstrator, questions: Sequence[Question], count: int, share: float, seed: int
) -> list[Demonstration]:
    """`count` demonstrations in random order: a `share` of them of `whole` solutions, the others of `rounds`."""
    source = random.Random(f"order/{seed}")
    wholes = round(share * count)
    found = [*islice(whole.stream(questions, seed), wholes), *islice(rounds.stream(questions, seed), count - wholes)]
    return source.sample(found, len(found))
