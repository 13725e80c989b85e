"""The suite's side of TRL: what it is given as `rollout_func` and as reward functions. No torch, no TRL.

The policy that is being trained writes every round, continuations included, with one generator call a round.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from statistics import fmean
from typing import Any

from motif.rounds import Conversation, Episode, Generate, Reply, Sampling, Tree, draw_key, grade, grow, metrics
from motif.runs.ledger import Ledger
from motif.system import processes
from motif.tasks.questions import Question
from motif.training.advantages import flat
from motif.training.algorithms import Algorithm
from motif.training.rewards import Reward
from motif.training.rows import TrainedRow, as_trl, credited, noted, padded, return_of, weighted

Check = Callable[..., dict[str, float]]  # of the training model and its trees, with a seed; gives metrics


class Rollout:
    """The `rollout_func` and the reward functions of one training.

    TRL calls it with the ids of questions, each repeated for its replies. A draw is keyed by the seed, the step, the
    question, the reply and the round, so a step can be done again exactly, in however many processes. Each process has
    all trees of a step, of which all together generate and grade the parts, and gives TRL its own rows.

    Args:
        algorithm: says how a tree branches, which replies are trained, and how they are credited.
        episode: the episode as it is trained.
        reward: the terms of the reward and their weights.
        questions: all training questions.
        generator: makes the generator of TRL's trainer, which is known only when TRL calls. It is asked once.
        tokenizer: the policy's.
        ledger: counts tokens and seconds.
        seed: of the training.
        scale_rewards: TRL's setting of this name: group, batch or none.
        only_finished: replies that were cut off stay out of the loss.
        check: looks at the training model and the trees of each step, may stop the training, and returns metrics.
        marks: grades trees in place.
        continuations: generates rounds 2 and on where another policy does so (flaw 1).
        pace: how many of a step's questions the budget has room for, by the step's number and all its questions.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        episode: Episode,
        reward: Reward,
        questions: Sequence[Question],
        generator: Callable[[Any], Generate],
        tokenizer: Any,
        ledger: Ledger,
        seed: int,
        scale_rewards: str = "group",
        only_finished: bool = False,
        check: Check | None = None,
        marks: Callable[[Sequence[Tree]], None] = grade,
        continuations: Generate | None = None,
        pace: Callable[[int, int], int] = lambda step, questions: questions,
    ) -> None:
        self.algorithm, self.episode, self.reward = algorithm, episode, reward
        self.questions = {question.id: question for question in questions}
        self.generator, self.tokenizer, self.ledger = cache(generator), tokenizer, ledger
        self.seed, self.scale_rewards, self.only_finished = seed, scale_rewards, only_finished
        self.check, self.marks = check, marks
        self.continuations, self.pace = continuations, pace
        self.trees: list[Tree] = []
        self.trained: list[Reply] = []  # what the next update runs over
        self.notes: dict[int, dict[str, Any]] = {}  # values, reward and advantage of trained nodes, by id()
        self.batch: list[TrainedRow] = []  # TRL's rows, of all processes
        self.own = slice(0)  # those of this process
        self.metrics: dict[str, float] = {}

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """Rows of prompt ids, completion ids and the values of the reward's terms, as TRL's `rollout_func` gives them.

        Args:
            prompts: ids of questions, of all processes together each `slots` times in a row.
            trainer: TRL's trainer.
        """
        step = trainer.state.global_step
        generate = self.generator(trainer)
        asked = self._asked(list(itertools.chain(*processes.of_all(prompts))))
        self.trees, redrawn = self._grown(asked[: self.pace(step, len(asked))], step, generate)
        key = draw_key("guard", self.seed, step, trainer.accelerator.process_index)
        checked = self._checked(trainer.model, key, step)
        with self.ledger.phase("reward"):
            groups = [self.algorithm.rows(tree) for tree in self.trees]
            credit = credited(self.algorithm, groups, self.reward, self.scale_rewards)
        self.ledger.counts["trained_questions"] += len(self.trees)
        self.notes = noted(groups, credit)
        self.metrics = {
            **metrics.of_episodes(self.trees),
            **metrics.by_round(self.trees),
            "groups/zero_advantage": fmean(flat(self.algorithm.centred(group)) for group in credit.returns),
            **({"groups/redrawn": redrawn / len(asked)} if self.algorithm.sampling == "dynamic" else {}),
            **checked,
        }
        share = len(asked) * self.slots / (len(groups) * self.algorithm.m)
        rows = weighted(groups, credit, share, self.algorithm.weighting, self.only_finished)
        self.trained = [row.reply for row in itertools.chain(*rows)]
        self.batch = padded(rows, self.slots, len(asked))
        self.own = slice(processes.index() * len(prompts), (processes.index() + 1) * len(prompts))
        return {name: column and column[self.own] for name, column in as_trl(self.batch).items()}

    def credit(self) -> tuple[list[float], list[float]]:
        """The advantages and the weights of this process's rows of TRL."""
        rows = self.batch[self.own]
        return [row.advantage for row in rows], [row.weight for row in rows]

    def _grown(self, questions: Sequence[Question], step: int, generate: Generate) -> tuple[list[Tree], int]:
        """The graded trees of `questions`, and how many were grown in vain.

        Under dynamic sampling a question whose rows all have the same return is replaced, `redraws` times at most, by
        one that the seed, the step and the replaced question choose. What is grown in vain is counted all the same.
        """
        trees, redrawn = self._graded(questions, step, generate), 0
        for attempt in range(self.algorithm.redraws if self.algorithm.sampling == "dynamic" else 0):
            flat = processes.divided(lambda some: [self._dull(tree) for tree in some], trees)
            dull = [place for place, has_none in enumerate(flat) if has_none]
            taken = {tree.question.id for tree in trees}
            others = []
            for place in dull:
                left = [id for id in self.questions if id not in taken]
                if not left:
                    break
                key = draw_key("redraw", self.seed, step, attempt, trees[place].question.id)
                others.append(self.questions[left[key % len(left)]])
                taken.add(others[-1].id)
            for place, tree in zip(dull, self._graded(others, step, generate), strict=False):
                trees[place] = tree
            redrawn += len(others)
        return trees, redrawn

    def _graded(self, questions: Sequence[Question], step: int, generate: Generate) -> list[Tree]:
        """Trees of `questions`, counted by the ledger."""
        widen = partial(
            grow,
            questions,
            self.episode,
            tokenizer=self.tokenizer,
            sampling=self.episode.sampling,
            draw=partial(draw_key, "training", self.seed, step),
        )
        trees = widen(branching=self.algorithm.beginning(self.episode.rounds), generate=self._timed(generate))
        with self.ledger.phase("reward"):
            self.marks(trees)
            allotted = processes.divided(
                lambda some: [self.algorithm.allotted(tree, self.reward.outcome_of) for tree in some], trees
            )
        if any(allotted):
            roots = [root for tree in trees for root in tree.roots]
            widths = dict(zip(map(id, roots), itertools.chain(*filter(None, allotted)), strict=True))
            begun = {id(root): len(root.children) for root in roots}
            widen(
                branching=lambda branch: widths.get(id(branch.path[-1]), 1) if branch.path else 0,
                generate=self._timed(generate, begun=1),
                trees=trees,
            )
            further = [
                Tree(tree.question, [new for r in tree.roots for new in r.children[begun[id(r)] :]]) for tree in trees
            ]
            with self.ledger.phase("reward"):
                self.marks(further)  # a reply is graded once
        self.ledger.count(trees)
        return trees

    def _dull(self, tree: Tree) -> bool:
        """Whether all rows of the question earn the same."""
        rows = self.algorithm.rows(tree)
        values = [self.reward.of(row.path, row.continuations, row.weights) for row in rows]
        returns = [return_of(row, terms, self.reward) for row, terms in zip(rows, values, strict=True)]
        return flat(self.algorithm.centred(returns))

    @property
    def slots(self) -> int:
        """Rows that TRL is given of a question: as many as its trajectories can have."""
        return self.algorithm.m * self.algorithm.trained_rounds(self.episode.rounds)

    def _asked(self, prompts: Sequence[str]) -> list[Question]:
        groups = [prompts[start : start + self.slots] for start in range(0, len(prompts), self.slots)]
        assert all(len(group) == self.slots and len(set(group)) == 1 for group in groups)
        return [self.questions[group[0]] for group in groups]

    def _checked(self, model: Any, key: int, step: int) -> dict[str, float]:
        if not self.check:
            return {}
        with self.ledger.phase("guard"):
            return self.check(model, self.trees, seed=key, step=step)

    def _timed(self, first: Generate, begun: int = 0) -> Generate:
        """The generator of the rounds of trees that have `begun` so many. Its time counts as `rollout` in round 1 and
        as `future_rollout` after it."""
        calls = itertools.count(begun)

        def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            later = next(calls) > 0
            with self.ledger.phase("future_rollout" if later else "rollout"):
                return (self.continuations or first if later else first)(talks, sampling)

        return generate

    def reward_functions(self) -> list[Callable[..., list[float | None]]]:
        """TRL's reward functions, one a term, so that TRL weighs and logs each. The first reports our metrics."""

        def function(name: str) -> Callable[..., list[float | None]]:
            def term(
                values: list[Mapping[str, float]], log_metric: Callable[[str, float], None], **_: Any
            ) -> list[float | None]:
                for key, value in self.metrics.items():
                    log_metric(key, value)
                self.metrics = {}
                return [value.get(name) for value in values]

            term.__name__ = name
            return term

        return [function(name) for name in self.reward.weights]
