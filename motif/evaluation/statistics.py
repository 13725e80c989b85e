"""Intervals for proportions and for shares of several samples a question, and tests of paired ones.

Plain numbers; impossible counts raise a `UserError`. Which test a comparison needs is for `significance`.
"""

from collections.abc import Sequence
from math import ceil, comb, inf, sqrt
from statistics import fmean, stdev, variance
from typing import NamedTuple

from motif.system.errors import whole

LEVEL = 0.05  # two-sided, of every test; intervals hold 1 - LEVEL
TINY = 1e-12  # differences below this come from rounding

Interval = tuple[float, float]


def wilson(correct: int, n: int) -> Interval:
    """Wilson's score interval, 95 %, for `correct` of `n`, as proportions (Wilson 1927)."""
    from scipy.stats import binomtest

    whole("n", n)
    whole("correct", correct, at_least=0, at_most=n)
    bounds = binomtest(correct, n).proportion_ci(1 - LEVEL, method="wilson")
    return float(bounds.low), float(bounds.high)


def clustered(shares: Sequence[float], samples: int = 1) -> Interval:
    """95 % interval for the mean of `shares`, in [0, 1], one of each question, of `samples` answers to it.

    Answers to one question resemble each other, so questions are counted, not answers. The interval is Wilson's at the
    effective sample size n* = p (1 - p) / (s² / Q), where s² is the variance of the Q shares (Dean & Pagano 2015). n*
    is at most Q · samples. It is Q where all shares are 0 or all are 1, so that no interval is empty. With one answer
    a question the result is Wilson's interval; the factor (Q - 1) / Q in n* is left out.
    """
    from scipy.stats import norm

    questions, p = len(shares), fmean(shares)
    whole("questions", questions)
    whole("samples", samples)
    if samples == 1 and all(share in (0, 1) for share in shares):
        return wilson(round(sum(shares)), questions)
    n = float(questions)
    if 0 < p < 1 and questions > 1:
        spread = variance(shares, p)
        n = min(p * (1 - p) * questions / spread, questions * samples) if spread else float(questions * samples)
    z = float(norm.ppf(1 - LEVEL / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The probability that one of k answers is right, unbiased: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, eq. 1), of
    n samples of which c are right."""
    whole("samples", samples)
    whole("correct", correct, at_least=0, at_most=samples)
    whole("k", k, at_most=samples)
    return 1.0 - comb(samples - correct, k) / comb(samples, k)


class OverSeeds(NamedTuple):
    """Mean, standard deviation and 95 % t interval of a score over training seeds; nan where one seed has none."""

    mean: float
    spread: float
    interval: Interval


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """What the `values` of at least one training seed come to. The interval reaches at least to the seed that is
    nearest to the mean: of many seeds that end in one of two states, the t interval alone would hold none."""
    whole("seeds", len(values))
    mean = fmean(values)
    if len(values) == 1:
        return OverSeeds(mean, float("nan"), (float("nan"), float("nan")))
    spread = stdev(values)
    nearest = min(abs(value - mean) for value in values)
    half = max(t_quantile(len(values) - 1) * spread / sqrt(len(values)), nearest)
    return OverSeeds(mean, spread, (mean - half, mean + half))


def t_quantile(dof: float) -> float:
    """How many standard errors half a 95 % t interval with `dof` degrees of freedom measures."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, 1 - LEVEL / 2))


def mcnemar(first_only: int, second_only: int) -> float:
    """Exact two-sided p of McNemar's test (McNemar 1947), by the questions that only one policy answers right."""
    from scipy.stats import binomtest

    whole("first_only", first_only, at_least=0)
    whole("second_only", second_only, at_least=0)
    discordant = first_only + second_only
    return float(binomtest(first_only, discordant).pvalue) if discordant else 1.0


def discordant_interval(first_only: int, second_only: int, n: int) -> Interval:
    """95 % interval of the difference of two paired proportions. It holds 0 exactly where `mcnemar` gives p ≥ 0.05.

    It is the adjusted Wald interval of Bonett & Price (2012), widened to the exact (Clopper-Pearson) interval of the
    share among the discordant pairs where that reaches further.
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


def sign_flip(differences: Sequence[float], draws: int = 9999, seed: int = 0) -> tuple[float, Interval]:
    """p and 95 % interval of the mean of paired differences in [-1, 1], one a question, all its samples together.

    The test is a cluster bootstrap over questions with the null imposed: each draw keeps or flips the sign of every
    question's difference (Rademacher weights; Cameron, Gelbach & Miller 2008). It is exact where the policies are
    equal. The interval inverts the test: a draw splits the questions at random into two sets and spans the sets' means
    (Hartigan 1969). It holds 0 exactly where p ≥ 0.05.
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    mean, generator = float(d.mean()), np.random.default_rng(seed)
    if d.max() - d.min() <= TINY:  # resampling changes nothing; Wilson says how many others n equal ones leave room for
        room = wilson(0, len(d))[1]
        return (1.0 if mean == 0 else 2.0 ** (1 - len(d))), (max(-1.0, mean - room), min(1.0, mean + room))
    lows, highs = [], []
    for start in range(0, draws, 1000):
        bits = generator.integers(0, 256, (min(1000, draws - start), ceil(len(d) / 8)), dtype=np.uint8)
        unflipped = np.unpackbits(bits, axis=1)[:, : len(d)].astype(float)
        count, total = unflipped.sum(1), unflipped @ d
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.stack([total / count, (d.sum() - total) / (len(d) - count)])
        undivided = (count == 0) | (count == len(d))
        lows.append(np.where(undivided, -inf, means.min(0)))
        highs.append(np.where(undivided, inf, means.max(0)))
    low, high = np.sort(np.concatenate(lows)), np.sort(np.concatenate(highs))
    beyond = (low <= TINY).sum() if mean > 0 else (high >= -TINY).sum()
    p = 1.0 if mean == 0 else min(1.0, (1 + int(beyond)) / (1 + draws))
    rank = ceil(LEVEL * (draws + 1)) - 1  # the p at this draw's bound is LEVEL or more
    return p, (max(-1.0, float(low[rank - 1])), min(1.0, float(high[-rank])))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for a family of m tests (Holm 1979): the i-th smallest times m - i + 1, never decreasing."""
    import numpy as np

    order = np.argsort(ps, kind="stable")
    scaled = np.asarray(ps)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return corrected.tolist()


def outcome(effect: float, p: float) -> str:
    """`better`, `worse` or `not distinguishable`: the sign of the effect where p is below LEVEL."""
    return "not distinguishable" if p >= LEVEL else "better" if effect > 0 else "worse"
