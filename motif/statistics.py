"""Intervals for proportions, scores of several samples a question, and differences of two arms.

An arm's outcome is a table of shares, one row a training seed, one column a question. `difference` says which test a
pair of tables calls for; what it does at which error rates is measured by `benchmarks.calibration`. Nothing here knows
what was trained, and nothing decides by looking at several tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, inf, sqrt
from statistics import fmean, stdev, variance
from typing import Any, NamedTuple

from motif.checks import UserError, whole

LEVEL = 0.05  # two-sided, of every test
POWER = 0.8  # of what is said about differences that could be seen
LEAST = 6  # questions: with fewer no exact paired test comes below LEVEL
STUDIES = 2000  # simulated, to say how often a difference would be seen
ENDLESS = 10**9  # questions
MCNEMAR = "exact McNemar test"
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


class Drawn(NamedTuple):
    """An arm whose policies are drawn from training seeds, so many `seeds`. `lasting` is the variance between them that
    endless questions would leave, `chance` what chance on one question adds to that of a seed's answer to it."""

    seeds: int
    lasting: float
    chance: float


@dataclass(frozen=True)
class Difference:
    """A mean difference of two arms' shares, `interval` its 95 % interval, `p` two-sided.

    `variance` is that of the effect, `dof` are the degrees of freedom of the t that it is held against; `n` questions,
    `seeds` rows of each arm. `values` are the differences by question, those that occur, and `shares` of the questions
    have them; `drawn` are the arms that are held to be of drawn seeds. From these, and with its own test, studies
    like this one are simulated to say what they would see.
    """

    effect: float
    interval: tuple[float, float]
    p: float
    test: str
    n: int
    seeds: tuple[int, int]
    values: tuple[float, ...]
    shares: tuple[float, ...]
    variance: float
    dof: float = inf
    drawn: tuple[Drawn, ...] = ()

    def power(self, n: int, effect: float | None = None, seeds: int | None = None) -> float:
        """How often a study of `n` questions (and so many `seeds` an arm, if not those at hand) finds a true difference
        of `effect` (if not the one found) and its direction: the share of STUDIES simulated ones, always the same.

        Questions are drawn from those at hand. For a smaller difference some change sides, which keeps how much the
        arms disagree; for a larger one there are some more that the better arm alone gets right.
        """
        import numpy as np

        generator = np.random.default_rng(0)
        values, shares = self._with(abs(self.effect) if effect is None else effect)
        counts = generator.multinomial(n, shares, STUDIES)
        found, square = counts @ values / n, counts @ values**2 / n
        if self.test == MCNEMAR:
            p = exact_p(counts[:, values > 0].sum(1), counts[:, values < 0].sum(1))
        elif not self.drawn:
            p = flipped_p(found, square, n, counts[:, values != 0].sum(1))
        else:
            drawn = [arm._replace(seeds=seeds or arm.seeds) for arm in self.drawn]
            found = found + generator.normal(0, sqrt(sum(arm.lasting / arm.seeds for arm in drawn)), STUDIES)
            questions = np.maximum(0, square - (counts @ values / n) ** 2) / max(1, n - 1)
            p = mixed_p(found, questions, self._spreads(drawn, n, generator), n)[0]
        return float(((p < LEVEL) & (found > 0)).mean())

    def _with(self, effect: float) -> tuple[Any, Any]:
        """The differences that occur, up where the better arm is, and their shares at a true difference of `effect`."""
        import numpy as np

        values, shares, size = np.array(self.values), np.array(self.shares), abs(self.effect)
        if self.effect < 0:
            values, shares = -values[::-1], shares[::-1]
        if effect <= size:
            changed = (1 - effect / size) / 2 if size else 0.0
            return np.append(values, -values), np.append((1 - changed) * shares, changed * shares)
        more = (effect - size) / (1 - size)
        return np.append(values, 1.0), np.append((1 - more) * shares, more)

    def _spreads(self, drawn: Sequence[Drawn], n: int, generator: Any) -> list[tuple[Any, float, int]]:
        """As `mixed_p` takes them: what the spread between seeds is found to be in the simulated studies. An arm of one
        seed has the other's."""
        known, alone = [arm for arm in drawn if arm.seeds > 1], sum(1 / arm.seeds for arm in drawn if arm.seeds == 1)
        found = []
        for arm in known:
            weight, free = 1 / arm.seeds + alone, arm.seeds - 1
            variance = (arm.lasting + arm.chance / n) * generator.chisquare(free, STUDIES) / free
            found.append((weight * variance, weight * arm.chance / n, free))
        return found

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that such a study tells from none in 80 % of cases; None where there are too few
        questions or seeds for any."""
        if self.power(self.n, 1.0) < POWER:
            return None
        low, high = 0.0, 1.0
        while high - low > max(0.0005, 0.01 * high):
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(self.n, middle) >= POWER else (middle, high)
        return high

    @property
    def needed_n(self) -> int | None:
        """Questions with which a true difference of this effect's size is seen in 80 % of cases, to two digits from 100
        on; None where the effect is zero, or the spread between so few seeds hides it on any number of questions."""
        if not self.effect or self.power(ENDLESS) < POWER:
            return None
        low, high = LEAST - 1, LEAST
        while self.power(high) < POWER:
            low, high = high, 2 * high
        while high - low > max(1, high // 100):
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(middle) >= POWER else (middle, high)
        unit = 10 ** max(0, len(str(high)) - 2) if high >= 100 else 1
        return ceil(high / unit) * unit

    @property
    def needed_seeds(self) -> int | None:
        """Training seeds an arm with which a true difference of this effect's size is seen on these questions in 80 %
        of cases; None where the spread between seeds is unknown, or a hundred would not do."""
        if not self.drawn or not self.effect:
            return None
        return next((seeds for seeds in range(2, 101) if self.power(self.n, seeds=seeds) >= POWER), None)


def exact_p(first_only: Any, second_only: Any) -> Any:
    """`mcnemar` of whole arrays."""
    import numpy as np
    from scipy.stats import binom

    return np.minimum(1.0, 2 * binom.cdf(np.minimum(first_only, second_only), first_only + second_only, 0.5))


def flipped_p(mean: Any, square: Any, n: int, differing: Any) -> Any:
    """About what `sign_flip` gives, of means and mean squares: flipped sums are normal, and of `differing` questions no
    flip is less likely than 2 ** -differing."""
    import numpy as np
    from scipy.stats import norm

    marks = np.abs(mean) / np.sqrt(np.maximum(square, TINY) / n)
    return np.minimum(1.0, np.maximum(2 * norm.sf(marks), 2.0 ** (1 - differing)))


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
    n, effect, variance = len(d), float(d.mean()), float((d * d).mean()) / len(d)
    if np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all():
        up, down = int((d > 0).sum()), int((d < 0).sum())
        p, interval, name = mcnemar(up, down), discordant_interval(up, down, n), MCNEMAR
    else:
        (p, interval), name = sign_flip(d), "sign-flip test over questions"
    return Difference(effect, interval, p, name, n, (1, 1), *occurring(d), variance)


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
    between: dict[int, tuple[float, float]] = {}  # of the arms' means and by chance, by the arm whose spread is used
    drawn = []
    for place, table in enumerate(tables):
        if not fixed[place]:
            source = place if len(table) > 1 else 1 - place
            of_means, of_chance = spread(tables[source])
            means, chance = between.get(source, (0.0, 0.0))
            between[source] = means + of_means / len(table), chance + of_chance / len(table)
            drawn.append(Drawn(len(table), max(0.0, of_means - of_chance), of_chance * n))
    spreads = [(*parts, len(tables[source]) - 1) for source, parts in between.items()]
    p, total, dof = (float(found) for found in mixed_p(effect, questions, spreads, n))
    half = t_half(total, dof)
    if questions:
        low, high = effect - t_half(questions, n - 1), effect + t_half(questions, n - 1)
    else:
        low, high = sign_flip(d)[1]
    interval = max(-1.0, min(low, effect - half)), min(1.0, max(high, effect + half))
    name = "t test over seeds and questions" + (f" ({dof:.1f} degrees of freedom)" if total else "")
    return Difference(effect, interval, p, name, n, (len(one), len(other)), *occurring(d), total, dof, tuple(drawn))


def mixed_p(effect: Any, questions: Any, spreads: Sequence[tuple[Any, Any, int]], n: int) -> tuple[Any, Any, Any]:
    """Two-sided p, the variance of `effect`, and its degrees of freedom; of numbers, or of arrays of studies.

    `questions` is the variance that the questions give to the effect; `spreads` are, of each independent spread of
    seeds, the variance that it gives, the part of it that `questions` holds too, and its degrees of freedom.
    """
    import numpy as np
    from scipy.stats import t

    rest = np.maximum(0.0, questions - sum(twice for _, twice, _ in spreads))
    parts = [(part, free) for part, _, free in spreads] + [(rest, max(1, n - 1))]
    total = sum(part for part, _ in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = np.where(total > 0, total**2 / sum(part**2 / free for part, free in parts), 1.0)
        p = np.where(total > 0, 2 * t.sf(np.abs(effect) / np.sqrt(total), dof), effect == 0)
        alone = 2 * t.sf(np.abs(effect) / np.sqrt(questions), max(1, n - 1))
    alike = np.where(np.abs(effect) > TINY, 2.0 ** (1 - n), 1.0)  # of questions that all differ by as much
    return np.maximum(p, np.where(questions > TINY / n, alone, alike)), total, dof


def occurring(d: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values in `d`, and their shares."""
    import numpy as np

    values, counts = np.unique(d.round(9), return_counts=True)
    return tuple(values.tolist()), tuple((counts / len(d)).tolist())


def spread(table: Any) -> tuple[float, float]:
    """Variance between seeds of their means over questions, and the part of it that chance on each question gives."""
    seeds, n = table.shape
    means = table.mean(1, keepdims=True)
    rest = table - means - table.mean(0) + table.mean()
    return float(means.var(ddof=1)), float((rest**2).sum()) / ((seeds - 1) * max(1, n - 1) * n)


def t_half(variance: float, dof: float) -> float:
    """Half the 95 % interval."""
    from scipy.stats import t

    return float(t.ppf(1 - LEVEL / 2, dof)) * sqrt(variance)
