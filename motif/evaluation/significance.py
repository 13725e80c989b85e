"""Differences of two arms: which test they call for, and what studies like theirs would see.

An arm's outcome is a table of shares, one row a training seed, one column a question. `difference` says which test a
pair of tables calls for; what it does at which error rates is measured by `benchmarks.calibration`. Nothing here knows
what was trained, and nothing decides by looking at several tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Any, NamedTuple

from motif.evaluation.statistics import LEVEL, TINY, discordant_interval, mcnemar, sign_flip
from motif.system.errors import UserError

POWER = 0.8  # of what is said about differences that could be seen
LEAST = 6  # questions: with fewer no exact paired test comes below LEVEL
STUDIES = 2000  # simulated, to say how often a difference would be seen
ENDLESS = 10**9  # questions
MCNEMAR = "exact McNemar test"


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
