"""What is done to an episode to see what its rounds contribute, and what came of it: one record a question.

An intervention is the untouched greedy episode but for one thing: the answer is asked for early, or what a round hands
over is dropped, swapped, halved or made true. The value of a state is the mean outcome of k continuations drawn from it
as in training. What any two of these have in common is generated once. What the records come to is for `effects`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from motif.evaluation.evaluate import Evaluation, Grade, Records, record
from motif.rounds.episode import Episode, Node, Path, Tree, grow
from motif.rounds.prompts import Conversation
from motif.rounds.replies import Generate, Reply, Sampling
from motif.tasks.questions import Question

Hand = Callable[[Question, Path], str | None]  # what is handed over after these replies


@dataclass(frozen=True, slots=True)
class Intervention:
    """One `kind` of intervening, `after` one round or after every one (None)."""

    kind: str
    after: int | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{'every' if self.after is None else self.after}"


def interventions(rounds: int, true: bool) -> list[Intervention]:
    """All in an episode of `rounds` rounds; with `true` progress where the task knows it. The answer asked for early
    after no round is a single round's; after round n − 1 it is the untouched one, so it is not asked for there."""
    kinds = ("without", "swapped", "half", *["true"] * true)
    places = [*[None] * (rounds > 2), *range(1, rounds)]
    early = [Intervention("early", after) for after in range(rounds - 1)]
    return [*early, *(Intervention(kind, after) for kind in kinds for after in places)]


@dataclass(frozen=True)
class Probing:
    """Episodes of one policy, untouched and intervened in; `k` continuations of each state are drawn by `seed`."""

    episode: Episode
    generate: Generate
    tokenizer: Any
    grade: Grade
    k: int
    seed: int
    true: bool

    def records(self, batch: Sequence[Question], before: Records) -> list[dict[str, Any]]:
        """What is kept of the questions of `batch`, which come after those of `before`; two at least, taken together.

        Rounds that an intervention leaves as they are hold the untouched replies, and are not generated again.
        """
        probing = replace(self, generate=each_once(self.generate))
        untouched = probing._grown(batch)
        lines = [path for tree in untouched for path in tree.paths()]
        done = probing._early(batch) | probing._handed(batch, self._hands(batch, lines, before))
        states = range(self.episode.rounds if self.k else 0)
        values = [probing._outcomes(batch, after, first=len(before) * self.k) for after in states]
        return [
            {
                **record(tree, self.seed),
                "carried_tokens": [self._length(node) for node in lines[place][:-1]],
                "interventions": {name: results[place] for name, results in done.items()},
                "values": [outcomes[place] for outcomes in values],
            }
            for place, tree in enumerate(untouched)
        ]

    def _grown(self, questions: Sequence[Question], **changes: Any) -> list[Tree]:
        """Graded trees, of one greedy trajectory unless arguments of `grow` have it otherwise."""
        sampling = Evaluation().sampling(self.episode, self.seed)
        settings = {"episode": self.episode, "branching": [1] * self.episode.rounds, "sampling": sampling, **changes}
        trees = grow(questions, generate=self.generate, tokenizer=self.tokenizer, **settings)
        self.grade(trees)
        return trees

    def _early(self, batch: Sequence[Question]) -> dict[str, list[dict[str, Any]]]:
        """After each round the next one spoken to as the last; the first one as the only one."""
        rounds, found = self.episode.rounds, {}
        for each in interventions(rounds, self.true):
            if each.kind == "early" and each.after is not None:
                end = each.after + 1

                def talk(question: Question, path: Path, end: int = end) -> Conversation:
                    round = len(path) + 1
                    carried = path[-1].carried if path else None
                    return self.episode.conversation(question, rounds if round == end else round, carried)

                trees = self._grown(batch, episode=self.episode.with_rounds(end), talk=talk if each.after else None)
                found[each.name] = [result(path, each) for tree in trees for path in tree.paths()]
        return found

    def _handed(self, batch: Sequence[Question], hands: Mapping[str, Hand]) -> dict[str, list[dict[str, Any]]]:
        """What is handed over replaced, one call of the generator a round for all that is done to it."""
        done: dict[int, Intervention] = {}  # to which copy of a question, by id()
        asked: list[Question] = []
        for each in interventions(self.episode.rounds, self.true):
            if each.kind in hands:
                copies = [replace(question) for question in batch]
                done |= dict.fromkeys(map(id, copies), each)
                asked += copies

        def handed(question: Question, path: Path) -> str | None:
            each = done[id(question)]
            return hands[each.kind](question, path) if each.after in (None, len(path)) else path[-1].carried

        def talk(question: Question, path: Path) -> Conversation:
            return self.episode.conversation(question, len(path) + 1, handed(question, path) if path else None)

        found: dict[str, list[dict[str, Any]]] = {}
        for tree in self._grown(asked, talk=talk):
            (path,), each = tree.paths(), done[id(tree.question)]
            given = [handed(tree.question, path[:round]) for round in range(1, len(path))]
            found.setdefault(each.name, []).append({**result(path, each), "given": given})
        return found

    def _hands(self, batch: Sequence[Question], untouched: Sequence[Path], before: Records) -> dict[str, Hand]:
        """What is handed over by kind of intervening. Swapped is with the question before; the first has the second."""
        own = [[node.carried for node in path[:-1]] for path in untouched]
        others = [before[-1]["samples"][0]["carried"] if before else own[1], *own[:-1]]
        swapped = {question.id: other for question, other in zip(batch, others, strict=True)}

        def another(question: Question, path: Path) -> str | None:
            return dict(enumerate(swapped[question.id], 1)).get(len(path))  # none where that one had ended

        def half(question: Question, path: Path) -> str | None:
            ids = self._ids(path[-1].carried)
            return self.tokenizer.decode(ids[: len(ids) // 2]).strip() or None

        def true(question: Question, path: Path) -> str | None:
            known = question.facts["progress"]
            return known[min(len(path), len(known)) - 1]

        hands: dict[str, Hand] = {"without": lambda question, path: None, "swapped": another, "half": half}
        return hands | ({"true": true} if self.true else {})

    def _outcomes(self, batch: Sequence[Question], after: int, first: int) -> list[list[bool]]:
        """Which of the continuations of each state `after` a round, 0 for the question itself, end right."""

        def sampling(round: int) -> Sampling:
            if round <= after:
                return Evaluation().sampling(self.episode, self.seed)(round)
            seed = (self.seed * 1000 + after) * 1000 + round
            return replace(self.episode.sampling(round), seed=seed, first=first)

        branching = [1] * after + [self.k] + [1] * (self.episode.rounds - after - 1)
        trees = self._grown(batch, branching=branching, sampling=sampling)
        return [[path[-1].correct for path in tree.paths()] for tree in trees]

    def _ids(self, carried: str | None) -> list[int]:
        return self.tokenizer(carried, add_special_tokens=False)["input_ids"] if carried else []

    def _length(self, node: Node) -> int:
        return len(self._ids(node.carried))


def result(path: Path, each: Intervention) -> dict[str, Any]:
    """What came of an intervention; `replies` are those of the rounds after it."""
    end = path[-1]
    return {
        "prediction": end.prediction,
        "correct": end.correct,
        "truncated": not end.reply.finished,
        "replies": [node.reply.text for node in path[1 if each.after is None else each.after :]],
    }


def each_once(generate: Generate) -> Generate:
    """`generate`, asked no conversation twice where it is greedy: one prompt has one reply."""
    known: dict[str, Reply] = {}

    def once(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        if sampling.temperature:
            return generate(talks, sampling)
        keys = [json.dumps(talk) for talk in talks]
        new = {key: talk for key, talk in zip(keys, talks, strict=True) if key not in known}
        if new:
            known.update(zip(new, generate(list(new.values()), sampling), strict=True))
        return [known[key] for key in keys]

    return once
