"""Intervals for proportions, scores of several samples a question, and differences of two arms.

An arm's outcome is a table of shares, one row a training seed, one column a question. `difference` says which test a
pair of tables calls for; what it does at which error rates is measured by `benchmarks.calibration`. Nothing here knows
what was trained, and nothing decides by looking at several tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, inf, sqrt
from statistics import fmean, stdev, variance
from typing import Any

from motif.checks import UserError, whole

LEVEL = 0.05  # two-sided, of every test
POWER = 0.8  # of what is said about differences that could be seen
LEAST = 6  # questions: with fewer no exact paired test comes below LEVEL
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


@dataclass(frozen=True)
class Difference:
    """A mean difference of two arms' shares, `interval` its 95 % interval, `p` two-sided.

    `variance` is that of the effect, of which `seeds_variance` would stay with endless questions; with one seed in
    each of the `drawn` arms (those that are not fixed) it would be `seed_variance`. `dof` are the degrees of freedom of
    the t that it is held against; `n` questions, `seeds` rows of each arm.
    """

    effect: float
    interval: tuple[float, float]
    p: float
    test: str
    n: int
    seeds: tuple[int, int]
    variance: float
    seeds_variance: float = 0.0
    dof: float = inf
    seed_variance: float | None = None
    drawn: int = 2

    @property
    def detectable(self) -> float:
        """The smallest true difference that such a study tells from none in 80 % of cases; 1 at most."""
        if self.variance <= TINY:
            return wilson(0, self.n)[1]
        return min(1.0, quantiles(self.dof) * sqrt(self.variance))

    @property
    def needed_n(self) -> int | None:
        """Questions with which a true difference of this effect's size is seen in 80 % of cases; None where the
        effect is zero, or the spread between so few seeds hides it on any number of questions."""
        room = (self.effect / quantiles(self.dof)) ** 2 - self.seeds_variance
        if room <= 0 or not self.effect:
            return None
        return max(LEAST, ceil(self.n * (self.variance - self.seeds_variance) / room))

    @property
    def needed_seeds(self) -> int | None:
        """Training seeds an arm with which a true difference of this effect's size is seen on these questions in
        80 % of cases; None where the spread between seeds is unknown, or a hundred would not do."""
        if self.seed_variance is None or not self.effect:
            return None
        rest = self.variance - self.seeds_variance
        for seeds in range(2, 101):
            marks = quantiles(self.drawn * (seeds - 1))
            if marks**2 * (self.seed_variance / seeds + rest) <= self.effect**2:
                return seeds
        return None


def quantiles(dof: float) -> float:
    """How many standard errors a true difference must be, to be seen at LEVEL with POWER."""
    from scipy.stats import norm, t

    marks = (1 - LEVEL / 2, POWER)
    return float(sum(norm.ppf(mark) if dof == inf else t.ppf(mark, dof) for mark in marks))


Shares = Sequence[Sequence[float]]


def difference(first: Shares, second: Shares, fixed: tuple[bool, bool] = (False, False)) -> Difference:
    """`first` less `second`: one row a policy, one column a question, entries the share of right samples.

    The rows of an arm are its training seeds, unless it is `fixed`: one policy, drawn from nothing. One row each:
    exact McNemar where all shares are 0 or 1, else the sign-flip test over questions. Several rows: see `nested`.
    """
    import numpy as np

    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or not one.size:
        raise UserError(f"two arms must be answers to the same questions, got tables of {one.shape} and {other.shape}")
    one, other = (
        table.mean(0, keepdims=True) if still else table for table, still in zip((one, other), fixed, strict=True)
    )
    if len(one) > 1 or len(other) > 1:
        return nested(one, other, fixed)
    d = one[0] - other[0]
    n, effect, spread = len(d), float(d.mean()), float((d * d).mean()) / len(d)
    if np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all():
        up, down = int((d > 0).sum()), int((d < 0).sum())
        return Difference(
            effect, discordant_interval(up, down, n), mcnemar(up, down), "exact McNemar test", n, (1, 1), spread
        )
    p, interval = sign_flip(d)
    return Difference(effect, interval, p, "sign-flip test over questions", n, (1, 1), spread)


def nested(one: Any, other: Any, fixed: tuple[bool, bool] = (False, False)) -> Difference:
    """The difference of two arms of which one at least has several training seeds, for other seeds and questions.

    A mixed model in which seeds are nested in arms and cross questions, as readers and cases do in the studies of
    Obuchowski & Rockette (1995). The variance of the effect is that between seeds (which holds what each seed adds on
    each question by chance) plus that of the arms' difference between questions, less the part counted twice; dof after
    Satterthwaite and Welch (Hillis 2007), so that arms may spread unequally. An arm of one seed is taken to spread as
    the other does. Beyond this the effect must stand out against the questions alone, so that seeds which agree by luck
    decide nothing.
    """
    n, tables = one.shape[1], (one, other)
    d = one.mean(0) - other.mean(0)
    effect, questions = float(d.mean()), float(d.var(ddof=1)) / n if d.max() - d.min() > TINY else 0.0
    between: dict[int, float] = {}  # of the arms' means, by the arm whose spread is used
    twice = single = 0.0
    for place, table in enumerate(tables):
        if not fixed[place]:
            source = place if len(table) > 1 else 1 - place
            of_means, of_chance = spread(tables[source])
            between[source] = between.get(source, 0.0) + of_means / len(table)
            twice += of_chance / len(table)
            single += max(0.0, of_means - of_chance)
    parts = [(part, len(tables[source]) - 1) for source, part in between.items()]
    parts.append((max(0.0, questions - twice), max(1, n - 1)))
    total, seeds = sum(part for part, _ in parts), sum(between.values())
    dof = total**2 / sum(part**2 / free for part, free in parts) if total else 1.0
    p, half = t_test(effect, total, dof)
    alone = t_test(effect, questions, n - 1) if questions else None
    other_p, (low, high) = (alone[0], (effect - alone[1], effect + alone[1])) if alone else sign_flip(d)
    interval = max(-1.0, min(low, effect - half)), min(1.0, max(high, effect + half))
    p, name = max(p, other_p), "t test over seeds and questions" + (f" ({dof:.1f} degrees of freedom)" if total else "")
    lasting, drawn = max(0.0, seeds - twice), 2 - sum(fixed)
    return Difference(effect, interval, p, name, n, (len(one), len(other)), total, lasting, dof, single, drawn)


def spread(table: Any) -> tuple[float, float]:
    """Variance between seeds of their means over questions, and the part of it that chance on each question gives."""
    seeds, n = table.shape
    means = table.mean(1, keepdims=True)
    rest = table - means - table.mean(0) + table.mean()
    return float(means.var(ddof=1)), float((rest**2).sum()) / ((seeds - 1) * max(1, n - 1) * n)


def t_test(effect: float, variance: float, dof: float) -> tuple[float, float]:
    """Two-sided p, and half the 95 % interval."""
    from scipy.stats import t

    if not variance:
        return float(effect == 0), 0.0
    return float(2 * t.sf(abs(effect) / sqrt(variance), dof)), float(t.ppf(1 - LEVEL / 2, dof)) * sqrt(variance)
