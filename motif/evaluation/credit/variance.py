"""Where the variance of an outcome comes from: the question, its first reply, the round-2 reply, or the later rounds.

One nested tree a question is grown: `m` first replies, `k` continuations of each, and `later` ends of each of these.
The outcome is whether the last reply is right. Nothing here trains; a reward's other terms are not looked at.

The estimators are those of a balanced nested analysis of variance with random effects, by expected mean squares
(Searle, Casella & McCulloch 1992, Variance Components, sections 3.5 and 5.2). With Q questions and r = `later`, and a
mean over what is nested below where an index is left out,

    MS_later        = Σ (y_qijl - y_qij)² / (Q m k (r - 1)),   E = σ²_later
    MS_continuation = r Σ (y_qij - y_qi)² / (Q m (k - 1)),     E = σ²_later + r σ²_continuation
    MS_first        = k r Σ (y_qi - y_q)² / (Q (m - 1)),       E = σ²_later + r σ²_continuation + k r σ²_first
    MS_question     = m k r Σ (y_q - y)² / (Q - 1),            E = that + m k r σ²_question

They are unbiased for outcomes of any distribution, also where a variance differs from question to question: it is the
mean one then. So an estimate may be negative where the variance is small, and stays so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from motif.evaluation.credit.noise import jackknifed
from motif.evaluation.evaluate import Grade, Records, record, sample
from motif.rounds import Episode, Generate, Tree, draw_key, grow
from motif.rounds.episode import Branch, Path
from motif.tasks.questions import Question

LEVELS = ("question", "first reply", "continuation", "later rounds")
KS = (1, 2, 4, 8)  # continuations of a first reply, for which a variance is predicted
ROWS = 1024  # about so many replies of a round share a call of the generator


@dataclass(frozen=True)
class Shape:
    """Of a tree: `m` first replies, `k` continuations of each, and `later` ends of each continuation."""

    m: int = 8
    k: int = 8
    later: int = 2

    @property
    def levels(self) -> tuple[int, ...]:
        return (self.m, self.k, self.later)

    @property
    def ends(self) -> int:
        return self.m * self.k * self.later

    def width(self, branch: Branch) -> int:
        """How many replies a branch of the tree has."""
        return self.levels[len(branch.path)] if len(branch.path) < 3 else 1


@dataclass(frozen=True)
class Forest:
    """Grows and grades nested trees of a policy, in `episode` as in training."""

    episode: Episode
    generate: Generate
    tokenizer: Any
    marks: Grade
    shape: Shape
    seed: int

    def records(self, batch: Sequence[Question]) -> list[dict[str, Any]]:
        """A record a question, whose samples are the ends of its tree, `shape.ends` of them."""
        sampling, draw = self.episode.sampling, partial(draw_key, "variance", self.seed)
        trees = grow(batch, self.episode, self.shape.width, self.generate, self.tokenizer, sampling, draw=draw)
        self.marks(trees)
        return [
            record(tree, self.seed) | {"samples": [sample(path, tree.question.gold) for path in self.balanced(tree)]}
            for tree in trees
        ]

    def balanced(self, tree: Tree) -> list[Path]:
        """The trajectories of a tree. One that ended early stands for all that would have followed it: nothing is
        drawn after it, so they would be alike."""
        return [path for path in tree.paths() for _ in range(prod(self.shape.levels[len(path) : 3]))]


def decomposition(records: Records, shape: Shape) -> dict[str, Any]:
    """The components of variance, what they predict of k, and the mean tokens.

    The prediction is of a question's mean value, estimated by first replies with k continuations each. At a fixed
    budget of tokens, B = m (c₁ + k c₂) with m free, its variance given the question is

        (σ²_first + σ²_within / k) / m = (σ²_first + σ²_within / k) (c₁ + k c₂) / B,
        k* = √(σ²_within / σ²_first · c₁ / c₂)

    (two-stage sampling, Cochran 1977, Sampling Techniques, section 10.6, after Neyman 1934), where σ²_within is that of
    continuation and later rounds, c₁ the tokens of a first reply and c₂ those of one continuation to the end of its
    episode. It stands for the noise of a gradient of first replies, as far as their scores are alike in size.

    Returns:
        `components`, one entry a level that the episodes have: `variance`, its `share` of the sum; `tokens` of a
        first reply and of a continuation; `best_k`, None where a variance is not positive; `predicted`, for each of
        KS the variance at equal tokens relative to that of k = 1. Intervals are 95 %, jackknifed over questions.
    """
    right = np.array([[sample["correct"] for sample in record["samples"]] for record in records], dtype=float)
    spent = [[sample["tokens_by_round"] for sample in record["samples"]] for record in records]
    tokens = np.array([[(row[0], sum(row[1:])) for row in of_question] for of_question in spent]).mean(1)
    n = len(records)
    every = np.concatenate([np.ones((1, n)), 1 - np.eye(n)])  # all questions; all but one
    variances = components(right.reshape(n, *shape.levels), every)
    first, within = variances[1], variances[2:].sum(0)
    costs = (every @ tokens / every.sum(1, keepdims=True)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = variances / variances.sum(0)
        best = np.sqrt(positive(within) / positive(first) * costs[0] / costs[1])
        at = {k: positive((first + within / k) * (costs[0] + k * costs[1])) for k in KS}
        predicted = [{"k": k, **estimated("relative_variance", at[k] / at[1], logarithmic=True)} for k in KS]
    return {
        "components": [
            {"level": level, **estimated("variance", variance), **estimated("share", share)}
            for level, variance, share in zip(LEVELS, variances, shares, strict=False)
        ],
        "tokens": {"first_reply": float(costs[0, 0]), "continuation": float(costs[1, 0])},
        **estimated("best_k", best, logarithmic=True),
        "predicted": predicted,
    }


def components(outcomes: Any, weights: Any) -> Any:
    """The variance of each level, from the question down, (levels, W); the formulas are above.

    Args:
        outcomes: (questions, m, k, later); where `later` is 1 there is no such level.
        weights: (W, questions), 1 for a question that counts and 0 for another.
    """
    levels = outcomes if outcomes.shape[-1] > 1 else outcomes[..., 0]
    questions, squares, sizes = weights.sum(1), [np.zeros(len(weights))], [1]  # sizes: outcomes below a unit
    while levels.ndim > 1:
        spread = levels.var(-1, ddof=1).reshape(len(levels), -1).mean(1)
        squares.append(sizes[-1] * (weights @ spread) / questions)
        sizes.append(sizes[-1] * levels.shape[-1])
        levels = levels.mean(-1)
    mean = (weights @ levels / questions)[:, None]
    squares.append(sizes[-1] * (weights * (levels - mean) ** 2).sum(1) / (questions - 1))
    found = [(square - under) / size for under, square, size in zip(squares, squares[1:], sizes, strict=False)]
    return np.array(found[::-1])


def positive(values: Any) -> Any:
    """The values, nan where they are not positive."""
    return np.where(values > 0, values, np.nan)


def estimated(key: str, values: Any, logarithmic: bool = False) -> Mapping[str, Any]:
    """`values[0]` and its jackknifed interval, by their keys in a result."""
    value = None if np.isnan(values[0]) else float(values[0])
    return {key: value, f"{key}_interval": jackknifed(values, logarithmic)}
