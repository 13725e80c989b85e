"""The difference of two arms: its interval, its p value, and the test that gives both.

An arm's answers are a table of shares, one row a training seed, one column a question. `difference` chooses the test by
the shape of the two tables alone; it never looks at several tests. No p of trained arms is below what the permutations
of their few seeds allow. `benchmarks.calibration` measures the error rates. What a larger or smaller study would see is
in `motif.evaluation.power`. Nothing here knows what was trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, count, product
from math import comb, sqrt
from typing import Any, NamedTuple

from motif.evaluation.statistics import LEVEL, TINY, Interval, discordant_interval, mcnemar, sign_flip, t_quantile
from motif.system.errors import UserError

MCNEMAR = "exact McNemar test"
ENDLESS = 10**9  # questions
MOST_PERMUTATIONS = 20_000  # of seeds: of more, so many are drawn
Shares = Sequence[Sequence[float]]


class SeedVariance(NamedTuple):
    """How a sample of `seeds` training seeds varies: `lasting` is the variance between seeds that endless questions
    would leave, `chance` is what chance on one question adds to that of a seed's answer to it."""

    seeds: int
    lasting: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean difference of two arms' shares, its 95 % interval, and its two-sided p by a `test`.

    `values` are the differences by question, each value once, and `shares` of the questions have them. `samples` are
    those of seeds that were drawn: one of each arm, or one of differences between an arm's seeds and what each of them
    is compared with; none where two policies are compared.
    """

    effect: float
    interval: Interval
    p: float
    test: str
    n: int
    values: tuple[float, ...]
    shares: tuple[float, ...]
    samples: tuple[SeedVariance, ...] = ()


def difference(
    first: Shares, second: Shares, fixed: tuple[bool, bool] = (False, False), paired: bool = False
) -> Difference:
    """`first` less `second`.

    The test for one row each is exact McNemar where all shares are 0 or 1, else the sign-flip test over questions: it
    compares two policies, not two ways of training. For several rows see `over_seeds_and_questions`.

    Args:
        first, second: (seeds, questions), the share of right samples; the same questions in the same order.
        fixed: whether the rows of each arm are one policy rather than training seeds; they are averaged then.
        paired: whether the same row of both tables is of one seed that both arms share.
    """
    import numpy as np

    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or not one.size:
        raise UserError(f"two arms must be answers to the same questions, got tables of {one.shape} and {other.shape}")
    one, other = (
        table.mean(0, keepdims=True) if one_policy else table
        for table, one_policy in zip((one, other), fixed, strict=True)
    )
    if len(one) > 1 or len(other) > 1:
        return over_seeds_and_questions([one - other] if paired or any(fixed) else [one, other])
    d = one[0] - other[0]
    if np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all():
        up, down, test = int((d > 0).sum()), int((d < 0).sum()), MCNEMAR
        p, interval = mcnemar(up, down), discordant_interval(up, down, len(d))
    else:
        (p, interval), test = sign_flip(d), "sign-flip test over questions"
    return Difference(**distribution(d), effect=float(d.mean()), interval=interval, p=p, test=test)


def over_seeds_and_questions(tables: Sequence[Any]) -> Difference:
    """The difference of two arms of which at least one has several training seeds, for other seeds and questions.

    p is the larger of two. One is that of a t test on a mixed model in which seeds are nested in arms and cross
    questions (Obuchowski & Rockette 1995), see `mixed_p`. The other is that of a permutation test over seeds: it needs
    no spread, so that seeds that agree by chance decide nothing. The interval is that of t, with a standard error that
    is large enough to give this p.

    Args:
        tables: (seeds, questions) of both arms; or one table of differences between an arm's seeds and what each is
            compared with.
    """
    n, sizes = tables[0].shape[1], tuple(map(len, tables))
    d = tables[0].mean(0) - sum(table.mean(0) for table in tables[1:])
    effect, of_questions = float(d.mean()), float(d.var(ddof=1)) / n if d.max() - d.min() > TINY else 0.0
    several = next(table for table in tables if len(table) > 1)
    spreads = [variance_of_seeds(table if len(table) > 1 else several) for table in tables]
    means, of_chance = [table.mean(1) for table in tables], [chance for _, chance in spreads]
    p, variance, dof = map(float, mixed_p(means, of_chance, of_questions, n, permutations(sizes)))
    room = 0.0 if effect or of_questions else sign_flip(d)[1][1]  # that n alike questions leave for others
    half = max(half_interval(effect, p, variance, dof), room)
    kind = "permutations of seeds" if len(tables) > 1 else "sign flips of seeds"
    return Difference(
        **distribution(d),
        effect=effect,
        interval=(max(-1.0, effect - half), min(1.0, effect + half)),
        p=p,
        test=f"t test over seeds and questions ({dof:.1f} degrees of freedom) and {kind}",
        samples=tuple(
            SeedVariance(size, max(0.0, of_means - chance), chance * n)
            for size, (of_means, chance) in zip(sizes, spreads, strict=True)
        ),
    )


def over_seeds_alone(samples: Sequence[Sequence[float]]) -> Difference:
    """The difference of two arms by one number in [-1, 1] of each seed, for other seeds and the same questions.

    The test is that of `over_seeds_and_questions` on ENDLESS questions, which add no variance.

    Args:
        samples: the numbers of both arms; or one sample of differences between seeds that both share. One sample holds
            several seeds.
    """
    import numpy as np

    means, sizes = [np.asarray(sample, dtype=float) for sample in samples], tuple(map(len, samples))
    effect = float(means[0].mean() - sum(sample.mean() for sample in means[1:]))
    p, variance, dof = map(float, mixed_p(means, [0.0] * len(means), 0.0, ENDLESS, permutations(sizes)))
    half = half_interval(effect, p, variance, dof)
    several = next(sample for sample in means if len(sample) > 1)
    spreads = [float((sample if len(sample) > 1 else several).var(ddof=1)) for sample in means]
    return Difference(
        effect=effect,
        interval=(max(-1.0, effect - half), min(1.0, effect + half)),
        p=p,
        test=f"t test over seeds ({dof:.1f} degrees of freedom) and permutations of seeds",
        n=ENDLESS,
        values=(effect,),
        shares=(1.0,),
        samples=tuple(SeedVariance(size, spread, 0.0) for size, spread in zip(sizes, spreads, strict=True)),
    )


def half_interval(effect: float, p: float, variance: float, dof: float) -> float:
    """Half a 95 % t interval, with a standard error that is large enough to give this `p`."""
    from scipy.special import stdtrit

    floor = abs(effect) / stdtrit(dof, 1 - min(p, 0.5) / 2)
    return float(t_quantile(dof) * max(sqrt(variance), floor))


def mixed_p(
    means: Sequence[Any], of_chance: Sequence[Any], of_questions: Any, n: int, ways: Any
) -> tuple[Any, Any, Any]:
    """Two-sided p of the difference of `means`, its variance, and the degrees of freedom; of one study or of arrays.

    The variance is that between seeds plus that between questions, less the part that both count; it is never below
    either of them. The variance between seeds is the larger of Welch's and the pooled one. A single seed is taken to
    vary as those of the other arm do. The degrees of freedom are Welch's, of seeds alone: however many questions there
    are, a few seeds are a few.

    Args:
        means: one array (..., seeds) a sample.
        of_chance: for each sample, the part of a seed's variance that chance on each question gives.
        of_questions: the variance that `n` questions give to the difference.
        ways: `permutations` of the seeds.
    """
    import numpy as np
    from scipy.special import stdtr

    sizes = [sample.shape[-1] for sample in means]
    free, shares = sum(sizes) - len(sizes), [1 / size for size in sizes]
    variances = [
        (sample if sample.shape[-1] > 1 else means[1 - place]).var(-1, ddof=1) for place, sample in enumerate(means)
    ]
    parts = [variance * share for variance, share in zip(variances, shares, strict=True)]
    pooled = sum(variance * (size - 1) for variance, size in zip(variances, sizes, strict=True)) / free * sum(shares)
    welch, chance = sum(parts), sum(chance * share for chance, share in zip(of_chance, shares, strict=True))
    of_seeds = np.maximum(welch, pooled)
    total = of_seeds + of_questions - np.minimum(chance, np.minimum(of_seeds, of_questions))
    permuted = np.concatenate(means, -1) @ ways.T
    effect = permuted[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True)) if min(sizes) > 1 else 0
        dof = np.minimum(np.where(welch > 0, welch**2 / spread, free), max(1, n - 1))
        p = np.where(total > 0, 2 * stdtr(dof, -np.abs(effect) / np.sqrt(total)), np.abs(effect) <= TINY)
    of_permutations = (np.abs(permuted) >= np.abs(effect)[..., None] - TINY).mean(-1)
    alike = np.where(np.abs(effect) > TINY, 2.0 ** (1 - n), 1.0)  # of questions that all differ by as much
    return np.maximum.reduce([p, of_permutations, np.where(of_questions > TINY / n, 0.0, alike)]), total, dof


@cache
def permutations(sizes: tuple[int, ...], most: int = MOST_PERMUTATIONS) -> Any:
    """The ways to divide seeds between two arms, or to turn the signs of one sample, as weights (ways, seeds) of the
    difference of means. The way at hand comes first. Where there are more than `most`, so many are drawn."""
    import numpy as np

    seeds, first, draw = sum(sizes), sizes[0], np.random.default_rng(0).random
    if len(sizes) == 1:
        every = 2**seeds <= most
        chosen = np.array([*product((True, False), repeat=seeds)]) if every else draw((most, seeds)) < 0.5
    elif comb(seeds, first) <= most:
        chosen = (np.array([*combinations(range(seeds), first)])[..., None] == np.arange(seeds)).any(1)
    else:
        chosen = draw((most, seeds)).argsort(1) < first
    chosen[0] = np.arange(seeds) < first
    return np.where(chosen, 1 / first, -1 / sizes[-1])


def least_p(sizes: Sequence[int]) -> float:
    """The smallest p that permutations of samples of so many seeds can give."""
    return 2.0 ** (1 - sizes[0]) if len(sizes) == 1 else (1 + (sizes[0] == sizes[1])) / comb(sum(sizes), sizes[0])


def fewest_seeds(samples: int, family: int = 1) -> int:
    """Seeds in each of one or two samples with which p can be below LEVEL, as the smallest of a `family` (Holm)."""
    return next(seeds for seeds in count(2) if least_p([seeds] * samples) * family < LEVEL)


def distribution(d: Any) -> dict[str, Any]:
    """The number of differences in `d`, the values that occur, and their shares."""
    import numpy as np

    values, counts = np.unique(d.round(9), return_counts=True)
    return {"n": len(d), "values": tuple(values.tolist()), "shares": tuple((counts / len(d)).tolist())}


def variance_of_seeds(table: Any) -> tuple[float, float]:
    """The variance between seeds of their means over questions, and the part of it that chance on each question gives,
    by a table (seeds, questions)."""
    seeds, n = table.shape
    means = table.mean(1, keepdims=True)
    rest = table - means - table.mean(0) + table.mean()
    return float(means.var(ddof=1)), float((rest**2).sum()) / ((seeds - 1) * max(1, n - 1) * n)
