"""Intervals for proportions and scores of several samples a question, and tests of paired ones.

Which test a comparison calls for is for `motif.evaluation.significance` to say. Nothing here knows what was trained.
"""

from collections.abc import Sequence
from math import ceil, comb, inf, sqrt
from statistics import fmean, stdev, variance

from motif.system.errors import whole

LEVEL = 0.05  # two-sided, of every test
TINY = 1e-12  # what rounding makes of nothing


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


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, tuple[float, float]]:
    """Mean, standard deviation and t interval of a score over training seeds; one seed has no spread (nan)."""
    from scipy.stats import t

    whole("seeds", len(values))
    mean = fmean(values)
    if len(values) == 1:
        return mean, float("nan"), (float("nan"), float("nan"))
    spread = stdev(values)
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * spread / sqrt(len(values))
    return mean, spread, (mean - half, mean + half)


def mcnemar(first_only: int, second_only: int) -> float:
    """Exact two-sided p of McNemar's test (McNemar 1947): questions that only one of two policies answered."""
    from scipy.stats import binomtest

    whole("first_only", first_only, at_least=0)
    whole("second_only", second_only, at_least=0)
    discordant = first_only + second_only
    return float(binomtest(first_only, discordant).pvalue) if discordant else 1.0


def discordant_interval(first_only: int, second_only: int, n: int) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions, which holds 0 exactly where `mcnemar` gives p ≥ 0.05.

    The adjusted Wald interval of Bonett & Price (2012), widened to the exact (Clopper-Pearson) interval of the share
    among the discordant pairs where that reaches further.
    """
    from scipy.stats import binomtest, norm

    discordant = first_only + second_only
    up, down = (first_only + 1) / (n + 2), (second_only + 1) / (n + 2)
    half = float(norm.ppf(1 - LEVEL / 2)) * sqrt((up + down - (up - down) ** 2) / (n + 2))
    low, high = up - down - half, up - down + half
    if discordant:
        exact = binomtest(first_only, discordant).proportion_ci(1 - LEVEL)
        low = min(low, (2 * exact.low - 1) * discordant / n)
        high = max(high, (2 * exact.high - 1) * discordant / n)
    return max(-1.0, float(low)), min(1.0, float(high))


def sign_flip(differences: Sequence[float], draws: int = 9999, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """p and 95 % interval of the mean of paired differences, one a question, all samples of a question together.

    A cluster bootstrap over questions with the null imposed: each draw keeps or flips the sign of every question's
    difference (Rademacher weights; Cameron, Gelbach & Miller 2008), which is exact where the policies are equal.
    The interval inverts the test: a draw splits the questions at random into two sets and spans the sets' means
    (Hartigan 1969). It holds 0 exactly where p ≥ 0.05.
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    mean, generator = float(d.mean()), np.random.default_rng(seed)
    if d.max() - d.min() <= TINY:  # nothing to resample; n alike leave room for as many others as Wilson says
        room = wilson(0, len(d))[1]
        return (1.0 if mean == 0 else 2.0 ** (1 - len(d))), (max(-1.0, mean - room), min(1.0, mean + room))
    lows, highs = [], []
    for start in range(0, draws, 1000):
        bits = generator.integers(0, 256, (min(1000, draws - start), ceil(len(d) / 8)), dtype=np.uint8)
        kept = np.unpackbits(bits, axis=1)[:, : len(d)].astype(float)
        count, total = kept.sum(1), kept @ d
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.stack([total / count, (d.sum() - total) / (len(d) - count)])
        undivided = (count == 0) | (count == len(d))
        lows.append(np.where(undivided, -inf, means.min(0)))
        highs.append(np.where(undivided, inf, means.max(0)))
    low, high = np.sort(np.concatenate(lows)), np.sort(np.concatenate(highs))
    beyond = (low <= TINY).sum() if mean > 0 else (high >= -TINY).sum()
    p = 1.0 if mean == 0 else min(1.0, (1 + int(beyond)) / (1 + draws))
    place = ceil(LEVEL * (draws + 1)) - 1  # the p at this draw's end is LEVEL or more
    return p, (max(-1.0, float(low[place - 1])), min(1.0, float(high[-place])))


def holm(ps: Sequence[float]) -> list[float]:
    """p values adjusted for being a family (Holm 1979): the i-th smallest of m times m − i + 1, never decreasing."""
    order, adjusted, least = sorted(range(len(ps)), key=lambda place: ps[place]), [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, ps[place] * (len(ps) - rank)))
        adjusted[place] = least
    return adjusted


def outcome(effect: float, p: float) -> str:
    """`better`, `worse` or `not distinguishable`: the effect's sign where p is below LEVEL."""
    return "not distinguishable" if p >= LEVEL else "better" if effect > 0 else "worse"
