"""Interventions: what is changed in an episode to see what its rounds contribute, and one record a question of it.

An intervention is the untouched greedy episode with one change: the answer is asked for early, or what a round carries
over is dropped, swapped, halved or made true. The value of a state is the mean outcome of k continuations, drawn from
it as in training. What two of these share is generated once. What the records come to is for `effects`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from motif.evaluation.evaluate import Evaluation, Grade, Records, record
from motif.rounds import Conversation, Generate, Reply, Sampling, draw_key
from motif.rounds.episode import Episode, Path, Tree, grow
from motif.system import processes
from motif.tasks.questions import Question

Carry = Callable[[Question, Path], str | None]  # what is carried over after these replies


@dataclass(frozen=True, slots=True)
class Intervention:
    """One `kind` of change, `after` one round or after every round (None)."""

    kind: str
    after: int | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{'every' if self.after is None else self.after}"


def interventions(rounds: int, true: bool) -> list[Intervention]:
    """All interventions in an episode of `rounds` rounds; with true progress where the task knows it (`true`).

    An answer that is asked for after no round is that of a single round. After round n - 1 it is the untouched one, so
    there it is not asked for.
    """
    kinds = ["without", "swapped", "half"] + ["true"] * true
    places = [None] * (rounds > 2) + [*range(1, rounds)]
    early = [Intervention("early", after) for after in range(rounds - 1)]
    return [*early, *(Intervention(kind, after) for kind in kinds for after in places)]


@dataclass(frozen=True)
class Probing:
    """Episodes of one policy, untouched and changed. `k` continuations of each state are drawn by `seed`, 0 for no
    values; `true` says whether the questions know the true progress (`facts["progress"]`)."""

    episode: Episode
    generate: Generate
    tokenizer: Any
    grade: Grade
    k: int
    seed: int
    true: bool

    def records(self, batch: Sequence[Question], before: Records) -> list[dict[str, Any]]:
        """The records of the questions of `batch`, two at least, which come after those of the records `before`.

        Rounds that an intervention leaves as they are hold the untouched replies and are not generated again.
        """
        probing = replace(self, generate=without_repeats(self.generate))
        trees = probing._grow(batch)
        paths = [path for tree in trees for path in tree.paths()]
        changed = probing._early(batch) | probing._carried_changed(batch, self._carries(batch, paths, before))
        states = range(self.episode.rounds if self.k else 0)
        values = [probing._outcomes(batch, after) for after in states]
        untouched = processes.divided(lambda some: [record(tree, self.seed) for tree in some], trees)
        return [
            {
                **untouched[row],
                "carried_tokens": [len(self._ids(node.carried)) for node in paths[row][:-1]],
                "interventions": {name: outcomes[row] for name, outcomes in changed.items()},
                "values": [outcomes[row] for outcomes in values],
            }
            for row in range(len(trees))
        ]

    def _grow(self, questions: Sequence[Question], **changes: Any) -> list[Tree]:
        """Graded trees, of one greedy trajectory unless `changes` give other arguments of `grow`."""
        arguments = {
            "episode": self.episode,
            "branching": [1] * self.episode.rounds,
            "sampling": Evaluation().sampling(self.episode),
            **changes,
        }
        trees = grow(questions, generate=self.generate, tokenizer=self.tokenizer, **arguments)
        self.grade(trees)
        return trees

    def _early(self, batch: Sequence[Question]) -> dict[str, list[dict[str, Any]]]:
        """The outcomes of early answers, by intervention: the next round is prompted as the last one, and the first
        round as the only one."""
        rounds, outcomes = self.episode.rounds, {}
        for intervention in interventions(rounds, self.true):
            if intervention.kind == "early" and intervention.after is not None:
                end = intervention.after + 1

                def talk(question: Question, path: Path, end: int = end) -> Conversation:
                    round = len(path) + 1
                    carried = path[-1].carried if path else None
                    return self.episode.conversation(question, rounds if round == end else round, carried)

                shorter = self.episode.with_rounds(end)
                trees = self._grow(batch, episode=shorter, talk=talk if intervention.after else None)
                paths = [path for tree in trees for path in tree.paths()]
                outcomes[intervention.name] = [outcome(path, intervention) for path in paths]
        return outcomes

    def _carried_changed(
        self, batch: Sequence[Question], carries: Mapping[str, Carry]
    ) -> dict[str, list[dict[str, Any]]]:
        """The outcomes where what is carried is changed, by intervention; one call of the generator a round for all."""
        intervention_of: dict[int, Intervention] = {}  # by the id() of a copy of a question
        asked: list[Question] = []
        for intervention in interventions(self.episode.rounds, self.true):
            if intervention.kind in carries:
                copies = [replace(question) for question in batch]
                intervention_of |= dict.fromkeys(map(id, copies), intervention)
                asked += copies

        def carried(question: Question, path: Path) -> str | None:
            intervention = intervention_of[id(question)]
            if intervention.after in (None, len(path)):
                return carries[intervention.kind](question, path)
            return path[-1].carried

        def talk(question: Question, path: Path) -> Conversation:
            return self.episode.conversation(question, len(path) + 1, carried(question, path) if path else None)

        outcomes: dict[str, list[dict[str, Any]]] = {}
        for tree in self._grow(asked, talk=talk):
            (path,), intervention = tree.paths(), intervention_of[id(tree.question)]
            given = [carried(tree.question, path[:round]) for round in range(1, len(path))]
            outcomes.setdefault(intervention.name, []).append({**outcome(path, intervention), "given": given})
        return outcomes

    def _carries(self, batch: Sequence[Question], untouched: Sequence[Path], before: Records) -> dict[str, Carry]:
        """What is carried over by kind of intervention. A question is swapped with the one before it, the first one
        with the second."""
        own = [[node.carried for node in path[:-1]] for path in untouched]
        others = [before[-1]["samples"][0]["carried"] if before else own[1], *own[:-1]]
        swapped_with = {question.id: other for question, other in zip(batch, others, strict=True)}

        def swapped(question: Question, path: Path) -> str | None:
            other = swapped_with[question.id]
            return other[len(path) - 1] if len(path) <= len(other) else None  # None where that episode had ended

        def half(question: Question, path: Path) -> str | None:
            ids = self._ids(path[-1].carried)
            return self.tokenizer.decode(ids[: len(ids) // 2]).strip() or None

        def true(question: Question, path: Path) -> str | None:
            progress = question.facts["progress"]
            return progress[min(len(path), len(progress)) - 1]

        carries: dict[str, Carry] = {"without": lambda question, path: None, "swapped": swapped, "half": half}
        return carries | ({"true": true} if self.true else {})

    def _outcomes(self, batch: Sequence[Question], after: int) -> list[list[bool]]:
        """Which continuations of each state end right. The state is that `after` a round, 0 for the question itself."""
        greedy = Evaluation().sampling(self.episode)
        branching = [1] * after + [self.k] + [1] * (self.episode.rounds - after - 1)
        trees = self._grow(
            batch,
            branching=branching,
            sampling=lambda round: greedy(round) if round <= after else self.episode.sampling(round),
            draw=partial(draw_key, "probe", self.seed, after),
        )
        return [[path[-1].correct for path in tree.paths()] for tree in trees]

    def _ids(self, carried: str | None) -> list[int]:
        return self.tokenizer(carried, add_special_tokens=False)["input_ids"] if carried else []


def outcome(path: Path, intervention: Intervention) -> dict[str, Any]:
    """How a changed episode ended; `replies` are those of the rounds after the change."""
    last = path[-1]
    first_changed = 1 if intervention.after is None else intervention.after
    return {
        "prediction": last.prediction,
        "correct": last.correct,
        "truncated": not last.reply.finished,
        "replies": [node.reply.text for node in path[first_changed:]],
    }


def without_repeats(generate: Generate) -> Generate:
    """`generate`, which is asked no conversation twice where it is greedy: one prompt has one reply."""
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
