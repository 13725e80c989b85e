"""Intervals for proportions, and scores of several samples a question."""

from collections.abc import Sequence
from math import comb
from statistics import fmean, variance

from motif.checks import whole


def wilson(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927) for `correct` of `n`, as proportions."""
    from scipy.stats import binomtest

    whole("n", n)
    whole("correct", correct, at_least=0, at_most=n)
    interval = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def clustered(shares: Sequence[float], samples: int = 1, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the mean of `shares`, one in [0, 1] for each question, each of `samples` answers to it.

    Answers to one question are alike, so questions are what counts: Wilson's interval at the effective sample size
    n* = p (1 − p) / (s² / Q), where s² is the variance of the Q shares (Dean & Pagano 2015). n* is at most
    Q · samples, and Q where all shares are 0 or all are 1, so that no interval is ever empty. With one answer a
    question it is Wilson's interval up to the factor (Q − 1) / Q in n*, which is left out.
    """
    from scipy.stats import norm

    questions, p = len(shares), fmean(shares)
    whole("questions", questions)
    whole("samples", samples)
    if samples == 1 and all(share in (0, 1) for share in shares):
        return wilson(round(sum(shares)), questions, confidence)
    n = float(questions)
    if 0 < p < 1 and questions > 1:
        spread = variance(shares, p)
        n = min(p * (1 - p) * questions / spread, questions * samples) if spread else float(questions * samples)
    z = float(norm.ppf((1 + confidence) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The chance that one of k answers is right, unbiased: 1 − C(n − c, k) / C(n, k) (Chen et al. 2021, eq. 1)."""
    whole("samples", samples)
    whole("correct", correct, at_least=0, at_most=samples)
    whole("k", k, at_most=samples)
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
