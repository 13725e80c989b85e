"""The suite's side of TRL: what it is given as `rollout_func` and as reward functions. No torch, no TRL.

The trees are grown with the policy that is being trained, futures included, one generator call a round.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from motif.rounds import metrics
from motif.rounds.episode import Episode, Tree, grade, grow
from motif.rounds.prompts import Conversation
from motif.rounds.replies import Generate, Reply, Sampling
from motif.runs.ledger import Ledger
from motif.system import processes
from motif.system.errors import UserError
from motif.tasks.questions import Question
from motif.training.advantages import Worth, against_the_group, flat, scaled, spread
from motif.training.algorithms import Algorithm, Row
from motif.training.rewards import Reward

Check = Callable[..., dict[str, float]]  # of the training model and its trees, with a seed; gives metrics


class Rollout:
    """The suite's side of TRL: `rollout_func` and the reward functions of one training.

    Called with questions' ids, each repeated for its first-round replies. A step's random numbers are keyed by
    (seed, step, process, round), so a step can be done again exactly. `generate` may be None until the trainer that it
    generates for exists; `futures` generates rounds 2 and on where that is another. `check` sees the training model
    and the trees of each step, and may stop the training; what it returns joins the metrics. `marks` grades.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        episode: Episode,
        reward: Reward,
        questions: Sequence[Question],
        generate: Generate | None,
        tokenizer: Any,
        ledger: Ledger,
        seed: int,
        scale_rewards: str = "group",
        check: Check | None = None,
        marks: Callable[[Sequence[Tree]], None] = grade,
    ) -> None:
        self.algorithm, self.episode, self.reward = algorithm, episode, reward
        self.questions = {question.id: question for question in questions}
        self.generate, self.tokenizer, self.ledger = generate, tokenizer, ledger
        self.seed, self.scale_rewards, self.check, self.marks = seed, scale_rewards, check, marks
        self.futures: Generate | None = None
        self.trees: list[Tree] = []
        self.trained: list[Reply] = []  # what the next update runs over
        self.notes: dict[int, dict[str, Any]] = {}  # values, reward and advantage of trained nodes, by id()
        self.advantages: list[float] | None = None  # of TRL's rows, weighted; None where TRL makes them
        self.metrics: dict[str, float] = {}

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """TRL's `rollout_func`: rows of prompt ids, completion ids, and the values of the reward's terms."""
        group = self.slots
        if any(len(set(prompts[place : place + group])) > 1 for place in range(0, len(prompts), group)):
            raise UserError(
                "a question's replies are spread over processes; make algo.questions a multiple of their number"
            )
        questions = [self.questions[id] for id in prompts[::group]]
        key = (self.seed * 1_000_003 + trainer.state.global_step) * 1009 + trainer.accelerator.process_index
        self.trees = grow(
            questions,
            self.episode,
            self.algorithm.branching(self.episode.rounds),
            self._timed(),
            self.tokenizer,
            lambda round: self.episode.sampling(round).seeded((key * 1009 + round) % 2**63),
        )
        checked: dict[str, float] = {}
        if self.check:
            with self.ledger.phase("guard"):
                checked = self.check(trainer.model, self.trees, seed=key)
        with self.ledger.phase("reward"):
            self.marks(self.trees)
            groups = [self.algorithm.rows(tree) for tree in self.trees]
            made = credited(self.algorithm, groups, self.reward, self.scale_rewards)
        self.ledger.count(self.trees)
        advantages = self._note(groups, made)
        self.metrics |= checked
        self.trained = [row.path[-1].reply for rows in groups for row in rows]
        filled = [place for rows in groups for place in (*rows, *[None] * (group - len(rows)))]
        told = iter(zip(itertools.chain(*made.values), advantages, strict=True))
        sent = [(row.path[-1].reply, True, *next(told)) if row else (self._nothing(), False, {}, 0.0) for row in filled]
        self.advantages = None if self.algorithm.by_trl else [advantage for *_, advantage in sent]
        replies = [reply for reply, *_ in sent]
        known = [reply.logprobs for reply in replies]
        masks = [[int(real)] * len(reply.token_ids) for reply, real, *_ in sent]
        return {
            "prompt_ids": [reply.prompt_ids for reply in replies],
            "completion_ids": [reply.token_ids for reply in replies],
            "logprobs": None if any(scores is None for scores in known) else known,
            "values": [value for *_, value, _ in sent],
            **({} if None not in filled else {"env_mask": masks}),
        }

    @property
    def slots(self) -> int:
        """Rows that TRL is given of a question: what its trajectories can have at most."""
        return self.algorithm.m * self.algorithm.trained_rounds(self.episode.rounds)

    def _nothing(self) -> Reply:
        """In place of a row that an episode ended before: one token that is masked out, and no reward."""
        first = self.trees[0].roots[0].reply
        return Reply("", first.token_ids[-1:], first.prompt_ids, True, first.logprobs and first.logprobs[-1:])

    def _timed(self) -> Generate:
        """The generator, its time counted as `rollout` in round 1 and as `future_rollout` from there on."""
        calls, first = 0, self.generate
        assert first is not None, "rollout.generate has not been set"
        later = self.futures or first

        def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
            nonlocal calls
            calls += 1
            with self.ledger.phase("rollout" if calls == 1 else "future_rollout"):
                return (first if calls == 1 else later)(talks, sampling)

        return generate

    def _note(self, groups: Sequence[Sequence[Row]], made: "Credit") -> list[float]:
        """Keep what each trained reply got; returns the advantages of the rows with their weights in the loss."""
        rows, *flattened = (list(itertools.chain(*parts)) for parts in (groups, *made))
        self.notes = {
            id(row.path[-1]): {"values": value, "reward": worth.total, "advantage": advantage}
            for row, value, worth, advantage in zip(rows, *flattened, strict=True)
        }
        self.metrics = {
            **metrics.of_episodes(self.trees),
            **metrics.by_round(self.trees),
            "zero_spread": fmean(flat(self.algorithm.centred(group)) for group in made.worths),
        }
        most = self.slots // self.algorithm.m
        return [
            advantage * most / len(row.trajectory) if most > 1 else advantage
            for row, advantage in zip(rows, itertools.chain(*made.advantages), strict=True)
        ]

    def reward_functions(self) -> list[Callable[..., list[float | None]]]:
        """TRL's reward functions, one a term, so that TRL weighs and logs each; the first reports metrics."""

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


def worth(row: Row, values: Mapping[str, float], reward: Reward) -> Worth:
    """What a row is worth to its algorithm, by the `values` of the terms of `reward`."""
    return Worth(*reward.parts(values), trajectory=id(row.path[0]), share=1 / len(row.trajectory), round=len(row.path))


class Credit(NamedTuple):
    """By group and row: the values of the reward's terms, what the row is worth, its advantage before its weight."""

    values: list[list[dict[str, float]]]
    worths: list[list[Worth]]
    advantages: list[list[float]]


def credited(algorithm: Algorithm, groups: Sequence[Sequence[Row]], reward: Reward, scale: str = "group") -> Credit:
    """What the rows of `groups` get."""
    values = [[reward.of(row.path, row.futures) for row in rows] for rows in groups]
    worths = [
        [worth(row, value, reward) for row, value in zip(rows, told, strict=True)]
        for rows, told in zip(groups, values, strict=True)
    ]
    return Credit(values, worths, of_groups(algorithm, groups, worths, scale))


def of_groups(
    algorithm: Algorithm, groups: Sequence[Sequence[Row]], worths: Sequence[Sequence[Worth]], scale: str = "group"
) -> list[list[float]]:
    """The advantages of the groups' rows, before a trajectory's weight in the loss.

    `scale` is TRL's scale_rewards: the spread that is divided out is that of the group, of all rewards (of all
    processes) about their mean, or none.
    """
    every = list(itertools.chain(*processes.of_all(list(itertools.chain(*worths))))) if scale == "batch" else []
    found = []
    for rows, group in zip(groups, worths, strict=True):
        centred = algorithm.centred(group)
        divisor = None
        if algorithm.divided and scale != "none":
            divisor = spread(against_the_group(every), every) if scale == "batch" else spread(centred, group)
        divided = scaled(centred, divisor)
        found.append([algorithm.factor(row) * value for row, value in zip(rows, divided, strict=True)])
    return found
