"""The suite's side of TRL: what it is given as `rollout_func` and as reward functions. No torch, no TRL.

The trees are grown with the policy that is being trained, futures included, one generator call a round.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev, stdev
from typing import Any

from motif import measures
from motif.algorithms import Algorithm, Row
from motif.checks import UserError
from motif.compute import Ledger
from motif.data import Question
from motif.episode import Episode, Tree, grade, grow
from motif.generation import Generate, Reply, Sampling
from motif.prompts import Conversation
from motif.rewards import Reward

ADVANTAGE_EPSILON = 1e-4  # TRL's ε
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
        self.metrics: dict[str, float] = {}

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """TRL's `rollout_func`: rows of prompt ids, completion ids, and the values of the reward's terms."""
        group = self.algorithm.m
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
            rows = [row for tree in self.trees for row in self.algorithm.rows(tree)]
            values = [self.reward.of(row.path, row.futures) for row in rows]
        self.ledger.count(self.trees)
        self._note(rows, values)
        self.metrics |= checked
        self.trained = replies = [row.path[-1].reply for row in rows]
        known = [reply.logprobs for reply in replies]
        return {
            "prompt_ids": [reply.prompt_ids for reply in replies],
            "completion_ids": [reply.token_ids for reply in replies],
            "logprobs": None if any(scores is None for scores in known) else known,
            "values": values,
        }

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

    def _note(self, rows: list[Row], values: list[dict[str, float]]) -> None:
        rewards = [self.reward.total(value) for value in values]
        found = advantages(rewards, self.algorithm.m, self.scale_rewards)
        self.notes = {
            id(row.path[-1]): {"values": value, "reward": reward, "advantage": advantage}
            for row, value, reward, advantage in zip(rows, values, rewards, found, strict=True)
        }
        groups = [rewards[place : place + self.algorithm.m] for place in range(0, len(rewards), self.algorithm.m)]
        self.metrics = {
            **measures.of_episodes(self.trees),
            **measures.by_round(self.trees),
            "zero_spread": fmean(pstdev(group) < 1e-8 for group in groups),
        }

    def table(self) -> tuple[Sequence[str], list[Sequence[Any]]]:
        """Columns and rows that show the trained replies, for whoever tracks the run."""
        columns = ("question", "gold", "reply", "carried", "reward", "advantage", "correct futures", "futures")
        rows: list[Sequence[Any]] = []
        for tree in self.trees:
            for row in self.algorithm.rows(tree):
                node, right = row.path[-1], sum(future[-1].correct for future in row.futures)
                note = self.notes[id(node)]
                texts = (tree.question.text, tree.question.gold, node.reply.text, node.carried or "")
                rows.append((*texts, note["reward"], note["advantage"], right, len(row.futures)))
        return columns, rows

    def reward_functions(self) -> list[Callable[..., list[float]]]:
        """TRL's reward functions, one a term, so that TRL weighs and logs each; the first reports metrics."""

        def function(name: str) -> Callable[..., list[float]]:
            def term(
                values: list[Mapping[str, float]], log_metric: Callable[[str, float], None], **_: Any
            ) -> list[float]:
                for key, value in self.metrics.items():
                    log_metric(key, value)
                self.metrics = {}
                return [value[name] for value in values]

            term.__name__ = name
            return term

        return [function(name) for name in self.reward.weights]


def advantages(rewards: Sequence[float], group: int, scale: str = "group") -> list[float]:
    """(r − group mean) / (spread + ε), the spread being that of the group, of the batch, or none, as TRL does it."""
    found = []
    for place in range(0, len(rewards), group):
        own = rewards[place : place + group]
        spread = {"group": own, "batch": rewards}.get(scale)
        divisor = stdev(spread) + ADVANTAGE_EPSILON if spread else 1.0
        found += [(reward - fmean(own)) / divisor for reward in own]
    return found
