"""The difference of two arms: its interval, its p value, and the test that gives both.

An arm's answers are a table of shares, one row a training seed, one column a question. `difference` chooses the test by
the shape of the two tables alone; it never looks at several tests. `benchmarks.calibration` measures the error rates.
What a larger or smaller study would see is in `motif.evaluation.power`. Nothing here knows what was trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, NamedTuple

from motif.evaluation.statistics import TINY, Interval, discordant_interval, mcnemar, sign_flip, t_quantile
from motif.system.errors import UserError

MCNEMAR = "exact McNemar test"
Shares = Sequence[Sequence[float]]


class SeedVariance(NamedTuple):
    """How an arm of `seeds` training seeds varies: `lasting` is the variance between seeds that endless questions would
    leave, `chance` is what chance on one question adds to that of a seed's answer to it."""

    seeds: int
    lasting: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean difference of two arms' shares, its 95 % interval, and its two-sided p by a `test`.

    `values` are the differences by question, each value once, and `shares` of the questions have them. `variance` is
    that of the effect, `dof` are the degrees of freedom of the t distribution that it is compared with.
    `seed_variances` are of each arm whose seeds are a sample of possible seeds.
    """

    effect: float
    interval: Interval
    p: float
    test: str
    n: int
    seeds: tuple[int, int]
    values: tuple[float, ...]
    shares: tuple[float, ...]
    variance: float
    dof: float = inf
    seed_variances: tuple[SeedVariance, ...] = ()


def difference(first: Shares, second: Shares, fixed: tuple[bool, bool] = (False, False)) -> Difference:
    """`first` less `second`.

    The test for one row each is exact McNemar where all shares are 0 or 1, else the sign-flip test over questions. For
    several rows see `nested`.

    Args:
        first, second: (seeds, questions), the share of right samples; the same questions in the same order.
        fixed: whether the rows of each arm are one policy rather than training seeds; they are averaged then.
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
        return nested(one, other, fixed)
    d = one[0] - other[0]
    if np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all():
        up, down, test = int((d > 0).sum()), int((d < 0).sum()), MCNEMAR
        p, interval = mcnemar(up, down), discordant_interval(up, down, len(d))
    else:
        (p, interval), test = sign_flip(d), "sign-flip test over questions"
    numbers = {**distribution(d), "effect": float(d.mean()), "variance": float((d * d).mean()) / len(d)}
    return Difference(**numbers, interval=interval, p=p, test=test, seeds=(1, 1))


def nested(one: Any, other: Any, fixed: tuple[bool, bool] = (False, False)) -> Difference:
    """The difference of two arms of which at least one has several training seeds, for other seeds and questions.

    In this mixed model seeds are nested in arms and cross questions, as readers and cases do in the studies of
    Obuchowski & Rockette (1995). The variance of the effect is that between seeds (which holds what each seed adds on
    each question by chance) plus that of the arms' difference between questions, less the part that both count. The
    degrees of freedom follow Satterthwaite and Welch (Hillis 2007), so the arms may vary unequally. An arm of one seed
    is taken to vary as the other does. The effect must also stand out against the questions alone: seeds that agree by
    chance decide nothing.
    """
    n, tables = one.shape[1], (one, other)
    d = one.mean(0) - other.mean(0)
    effect, of_questions = float(d.mean()), float(d.var(ddof=1)) / n if d.max() - d.min() > TINY else 0.0
    by_source: dict[int, tuple[float, float]] = {}  # variance of means and by chance, by the arm that shows it
    seed_variances = []
    for arm, table in enumerate(tables):
        if not fixed[arm]:
            source = arm if len(table) > 1 else 1 - arm
            of_means, of_chance = variance_of_seeds(tables[source])
            means, chance = by_source.get(source, (0.0, 0.0))
            by_source[source] = means + of_means / len(table), chance + of_chance / len(table)
            seed_variances.append(SeedVariance(len(table), max(0.0, of_means - of_chance), of_chance * n))
    spreads = [Spread(means, chance, len(tables[source]) - 1) for source, (means, chance) in by_source.items()]
    p, variance, dof = (float(number) for number in mixed_p(effect, of_questions, spreads, n))
    half = t_quantile(dof) * sqrt(variance)
    if of_questions:
        of_questions_alone = t_quantile(n - 1) * sqrt(of_questions)
        low, high = effect - of_questions_alone, effect + of_questions_alone
    else:
        low, high = sign_flip(d)[1]
    return Difference(
        **distribution(d),
        effect=effect,
        interval=(max(-1.0, min(low, effect - half)), min(1.0, max(high, effect + half))),
        p=p,
        test="t test over seeds and questions" + (f" ({dof:.1f} degrees of freedom)" if variance else ""),
        seeds=(len(one), len(other)),
        variance=variance,
        dof=dof,
        seed_variances=tuple(seed_variances),
    )


class Spread(NamedTuple):
    """One independent estimate of how seeds vary: the variance that it gives the effect, the part of it that the
    questions' variance holds too, and its degrees of freedom. Numbers, or arrays of studies."""

    variance: Any
    counted_twice: Any
    dof: int


def mixed_p(effect: Any, of_questions: Any, spreads: Sequence[Spread], n: int) -> tuple[Any, Any, Any]:
    """Two-sided p of the mixed model, the variance of the effect, and its degrees of freedom; of numbers or of arrays
    of studies. `of_questions` is the variance that `n` questions give to the effect, `spreads` those of seeds."""
    import numpy as np
    from scipy.stats import t

    rest = np.maximum(0.0, of_questions - sum(spread.counted_twice for spread in spreads))
    parts = [*((spread.variance, spread.dof) for spread in spreads), (rest, max(1, n - 1))]
    total = sum(variance for variance, _ in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = np.where(total > 0, total**2 / sum(variance**2 / free for variance, free in parts), 1.0)
        p = np.where(total > 0, 2 * t.sf(np.abs(effect) / np.sqrt(total), dof), effect == 0)
        alone = 2 * t.sf(np.abs(effect) / np.sqrt(of_questions), max(1, n - 1))
    alike = np.where(np.abs(effect) > TINY, 2.0 ** (1 - n), 1.0)  # of questions that all differ by as much
    return np.maximum(p, np.where(of_questions > TINY / n, alone, alike)), total, dof


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
