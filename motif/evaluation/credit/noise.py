"""Signal and noise of gradients that were drawn several times on the same questions. Arrays alone; no policy.

ḡ_q is the mean of a scheme's R draws on question q of N, v_q = tr Cov of one draw, μ the true mean gradient:

    signal |μ|² = |mean_q ḡ_q|² - mean_q v_q / (N R), which is unbiased;   noise = mean_q v_q;
    cosine = ⟨μ, μ_ref⟩ / √(|μ|² |μ_ref|²), below 1 where the direction is biased;
    snr = signal / noise, of one group; noise / signal is the simple noise scale (McCandlish et al. 2018, arXiv
    1812.06162, eq. 2.9) in groups, of the noise that rollouts make on given questions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from motif.evaluation.statistics import t_quantile


@dataclass(frozen=True)
class Draw:
    """One group a question: the gradients (questions, size), the tokens of all groups, and the trained rounds."""

    gradients: Any
    tokens: int
    rounds: set[int]


class GradientSums:
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
        """(questions, size)"""
        return self.sum / self.draws

    @property
    def variance(self) -> Any:
        """tr Cov of one group's gradient, (questions,)."""
        return (self.square - self.draws * (self.mean**2).sum(1)) / (self.draws - 1)

    @property
    def tokens_per_group(self) -> float:
        return self.tokens / self.draws / len(self.square)


def estimates(
    scheme: GradientSums, own: GradientSums, reference: GradientSums, reference_of_its_rounds: GradientSums
) -> dict[str, Any]:
    """Signal, noise and direction of a scheme's gradients, against those of the run's `own` scheme and of the
    reference, in all rounds and in those that the scheme trains.

    Intervals are jackknifed over questions: a bootstrap would draw a question twice and take what it shares with itself
    for signal. Those of ratios are of their logarithms.
    """
    n = len(scheme.square)
    weights = np.concatenate([np.full((1, n), 1 / n), (1 - np.eye(n)) / (n - 1)])  # all questions; all but one
    snr = signal_to_noise(scheme, weights)
    per_token = snr / scheme.tokens_per_group
    own_per_token = signal_to_noise(own, weights) / own.tokens_per_group
    ratios = {"snr": snr, "snr_per_1000_tokens": 1000 * per_token, "against_own": per_token / own_per_token}
    references = {"cosine": reference, "cosine_of_its_rounds": reference_of_its_rounds}
    cosines = {key: cosine(scheme, other, weights) for key, other in references.items()}
    result: dict[str, Any] = {
        "tokens": scheme.tokens_per_group,
        "signal": float(signal(scheme, weights[:1])[0]),
        "noise": float((weights[:1] @ scheme.variance)[0]),
    }
    for key, values in {**ratios, **cosines}.items():
        result[key] = None if np.isnan(values[0]) else float(values[0])
        result[f"{key}_interval"] = jackknifed(values, logarithmic=key in ratios)
    return result


def signal_to_noise(sums: GradientSums, weights: Any) -> Any:
    """Of one group, for each row of `weights` over questions; nan where the noise hides the signal, or is zero."""
    of_signal, noise = signal(sums, weights), weights @ sums.variance
    defined = (of_signal > 0) & (noise > 0)
    return np.where(defined, of_signal / np.where(defined, noise, 1.0), np.nan)


def signal(sums: GradientSums, weights: Any) -> Any:
    """|μ|² for each row of `weights` over questions, less what the noise of the draws adds."""
    gram = sums.mean @ sums.mean.T
    return np.einsum("wi,ij,wj->w", weights, gram, weights) - weights**2 @ sums.variance / sums.draws


def cosine(one: GradientSums, other: GradientSums, weights: Any) -> Any:
    """Of the mean gradients of two independent sets of draws; nan where the noise hides one of them."""
    product = np.einsum("wi,ij,wj->w", weights, one.mean @ other.mean.T, weights)
    signals = signal(one, weights), signal(other, weights)
    defined = (signals[0] > 0) & (signals[1] > 0)
    return np.where(defined, product / np.sqrt(np.where(defined, signals[0] * signals[1], 1.0)), np.nan)


def jackknifed(values: Any, logarithmic: bool = False) -> list[float] | None:
    """95 % t interval of `values[0]`; the other values are the same without each of the questions (Efron 1982). None
    where a value is not defined, or there are fewer than two questions."""
    n = len(values) - 1
    if n < 2 or np.isnan(values).any():
        return None
    estimate, *without_one = np.log(values) if logarithmic else values
    half = t_quantile(n - 1) * np.sqrt((n - 1) * np.var(without_one))
    bounds = np.array([estimate - half, estimate + half])
    return (np.exp(bounds) if logarithmic else bounds).tolist()
