"""Signal and noise of gradients that were drawn several times on the same questions. Numbers alone; no policy.

With ḡ_q the mean of a scheme's R draws on question q of N, and v_q = tr Cov of one:

    signal |μ|² = |mean_q ḡ_q|² − mean_q v_q / (N R), which is unbiased;   noise = mean_q v_q;
    cosine = ⟨μ, μ_ref⟩ / √(|μ|² |μ_ref|²), bias of direction where it is below 1;
    snr = signal / noise, of one group; noise / signal is the simple noise scale (McCandlish et al. 2018, arXiv
    1812.06162, eq. 2.9) in groups, of the noise that rollouts make on given questions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Draw:
    """A scheme's gradients of one group a question, (questions, size), the tokens that the groups took, and the rounds
    that are trained."""

    gradients: Any
    tokens: int
    rounds: set[int]


class Measured:
    """Sums over a scheme's draws: of gradients by question, of their squares, and of tokens generated."""

    def __init__(self, questions: int, size: int) -> None:
        self.sum = np.zeros((questions, size), dtype=np.float64)
        self.square = np.zeros(questions)
        self.tokens, self.draws = 0, 0

    def add(self, draw: Draw) -> None:
        self.sum += draw.gradients
        self.square += (draw.gradients.astype(np.float64) ** 2).sum(1)
        self.tokens += draw.tokens
        self.draws += 1

    @property
    def mean(self) -> Any:
        return self.sum / self.draws

    @property
    def variance(self) -> Any:
        """tr Cov of one group's gradient, by question."""
        return (self.square - self.draws * (self.mean**2).sum(1)) / (self.draws - 1)

    @property
    def per_group(self) -> float:
        return self.tokens / self.draws / len(self.square)


def judged(scheme: Measured, own: Measured, whole: Measured, part: Measured) -> dict[str, Any]:
    """Signal, noise and direction of a scheme's gradients, against those of the run's `own` scheme and the references:
    `whole` in all rounds, `part` in those that the scheme trains.

    Intervals are jackknifed over questions (a bootstrap would draw a question twice, and take what it shares with
    itself for signal); those of ratios by their logarithms.
    """
    n = len(scheme.square)
    weights = np.concatenate([np.full((1, n), 1 / n), (1 - np.eye(n)) / (n - 1)])  # all questions; all but one
    per_token = ratio(scheme, weights) / scheme.per_group
    made: dict[str, Any] = {
        "tokens": scheme.per_group,
        "signal": float(strength(scheme, weights[:1])[0]),
        "noise": float((weights[:1] @ scheme.variance)[0]),
    }
    for key, values, of_logarithms in (
        ("snr", ratio(scheme, weights), True),
        ("snr_per_1000_tokens", 1000 * per_token, True),
        ("against_own", per_token / (ratio(own, weights) / own.per_group), True),
        ("cosine", cosine(scheme, whole, weights), False),
        ("cosine_of_its_rounds", cosine(scheme, part, weights), False),
    ):
        made[key] = None if np.isnan(values[0]) else float(values[0])
        made[f"{key}_interval"] = jackknifed(values, of_logarithms)
    return made


def ratio(of: Measured, weights: Any) -> Any:
    """Signal to noise of one group; nan where the noise hides the signal, or there is no noise."""
    signal, noise = strength(of, weights), weights @ of.variance
    good = (signal > 0) & (noise > 0)
    return np.where(good, signal / np.where(good, noise, 1.0), np.nan)


def strength(of: Measured, weights: Any) -> Any:
    """|μ|² for each row of `weights` over questions, without what the noise of the draws adds."""
    gram = of.mean @ of.mean.T
    return np.einsum("wi,ij,wj->w", weights, gram, weights) - weights**2 @ of.variance / of.draws


def cosine(one: Measured, other: Measured, weights: Any) -> Any:
    """Of the mean gradients of two independent sets of draws; nan where the noise hides one of them."""
    across = np.einsum("wi,ij,wj->w", weights, one.mean @ other.mean.T, weights)
    lengths = strength(one, weights), strength(other, weights)
    good = (lengths[0] > 0) & (lengths[1] > 0)
    return np.where(good, across / np.sqrt(np.where(good, lengths[0] * lengths[1], 1.0)), np.nan)


def jackknifed(values: Any, of_logarithms: bool = False) -> list[float] | None:
    """95 % t interval of `values[0]`, the rest being what it is without each of the questions (Efron 1982)."""
    from scipy.stats import t

    n = len(values) - 1
    if n < 2 or np.isnan(values).any():
        return None
    whole, *without = np.log(values) if of_logarithms else values
    half = t.ppf(0.975, n - 1) * np.sqrt((n - 1) * np.var(without))
    ends = np.array([whole - half, whole + half])
    return (np.exp(ends) if of_logarithms else ends).tolist()
