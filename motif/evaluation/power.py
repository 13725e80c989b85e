"""What a study like the one at hand would see: its power, the smallest difference it detects, and the n it needs.

The answers come from simulated studies, whose questions are drawn from those at hand and which make the same test. The
simulations use fixed seeds, so the same study always gets the same answer.
"""

from bisect import bisect_left
from collections.abc import Callable
from itertools import count, takewhile
from math import ceil, sqrt
from typing import Any

from motif.evaluation.significance import ENDLESS, MCNEMAR, Difference, mixed_p, permutations
from motif.evaluation.statistics import LEVEL, TINY

POWER = 0.8  # of the differences that are called detectable
LEAST_QUESTIONS = 6  # with fewer no exact paired test comes below LEVEL
STUDIES = 2000  # simulated ones
MOST_SEEDS = 100  # a study of more is not practical
PERMUTATIONS = 400  # of the seeds of a simulated study


def power(study: Difference, n: int, effect: float | None = None, seeds: int | None = None) -> float:
    """How often a study finds a true difference and its direction, as a share of STUDIES simulated ones.

    The simulated ones have `n` questions and so many `seeds` an arm (None: those of `study`). The true `effect` is a
    difference in [0, 1] (None: the one found). For a smaller one, some questions change sides; the arms then disagree
    as much as before. For a larger one, more questions are answered right by the better arm only.
    """
    import numpy as np

    generator = np.random.default_rng(0)
    values, shares = distribution_at(study, abs(study.effect) if effect is None else effect)
    counts = generator.multinomial(n, shares, STUDIES)
    found, square = counts @ values / n, counts @ values**2 / n
    if study.test == MCNEMAR:
        p = mcnemar_p(counts[:, values > 0].sum(1), counts[:, values < 0].sum(1))
    elif not study.samples:
        p = sign_flip_p(found, square, n, counts[:, values != 0].sum(1))
    else:
        samples = [sample._replace(seeds=seeds or sample.seeds) for sample in study.samples]
        of_questions = np.maximum(0, square - found**2) / max(1, n - 1)
        found = found + generator.normal(0, sqrt(sum(sample.lasting / sample.seeds for sample in samples)), STUDIES)
        spreads = [(sqrt(sample.lasting + sample.chance / n), (STUDIES, sample.seeds)) for sample in samples]
        means = [drawn - drawn.mean(1, keepdims=True) for drawn in (generator.normal(0, *spread) for spread in spreads)]
        means[0] += found[:, None]
        ways = permutations(tuple(sample.seeds for sample in samples), PERMUTATIONS)
        p = mixed_p(means, [sample.chance / n for sample in samples], of_questions, n, ways)[0]
    return float(((p < LEVEL) & (found > 0)).mean())


def detectable(study: Difference) -> float | None:
    """The smallest true difference that such a study tells from none in 80 % of cases; None where it has too few
    questions or seeds for any."""
    if power(study, study.n, 1.0) < POWER:
        return None
    low, high = 0.0, 1.0
    while high - low > max(0.0005, 0.01 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if power(study, study.n, middle) >= POWER else (middle, high)
    return high


def needed_n(study: Difference) -> int | None:
    """Questions with which a true difference of this effect's size is seen in 80 % of cases, to two digits from 100 on;
    None where the effect is zero, or so few seeds cannot show it on any number of questions."""
    if not study.effect:
        return None
    n = fewest(lambda n: power(study, n) >= POWER, LEAST_QUESTIONS, ENDLESS)
    unit = 10 ** max(0, len(str(n)) - 2) if n and n >= 100 else 1
    return n and ceil(n / unit) * unit


def needed_seeds(study: Difference) -> int | None:
    """Training seeds an arm with which a true difference of this effect's size is seen on these questions in 80 % of
    cases; None where the spread between seeds is not known, or MOST_SEEDS are too few."""
    if not study.samples or not study.effect:
        return None
    return fewest(lambda seeds: power(study, study.n, seeds=seeds) >= POWER, 2, MOST_SEEDS)


def fewest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """The smallest number from `least` to `most` that is `enough`, to 1 %; None where `most` is not."""
    if not enough(most):
        return None
    doubled = [*takewhile(lambda number: number < most, (least << times for times in count())), most]
    place = bisect_left(doubled, True, key=enough)
    low, high = doubled[place - 1] if place else least - 1, doubled[place]
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def distribution_at(study: Difference, effect: float) -> tuple[Any, Any]:
    """The differences by question, positive where the better arm is better, and their shares at a true `effect`."""
    import numpy as np

    values, shares, size = np.array(study.values), np.array(study.shares), abs(study.effect)
    if study.effect < 0:
        values, shares = -values[::-1], shares[::-1]
    if effect <= size:
        changed = (1 - effect / size) / 2 if size else 0.0
        return np.append(values, -values), np.append((1 - changed) * shares, changed * shares)
    more = (effect - size) / (1 - size)
    return np.append(values, 1.0), np.append((1 - more) * shares, more)


def mcnemar_p(first_only: Any, second_only: Any) -> Any:
    """`statistics.mcnemar` of arrays of counts."""
    import numpy as np
    from scipy.stats import binom

    return np.minimum(1.0, 2 * binom.cdf(np.minimum(first_only, second_only), first_only + second_only, 0.5))


def sign_flip_p(mean: Any, square: Any, n: int, differing: Any) -> Any:
    """About what `statistics.sign_flip` gives, of arrays of means and mean squares: flipped sums are normal, and of
    `differing` questions no flip is less probable than 2 ** -differing."""
    import numpy as np
    from scipy.stats import norm

    z = np.abs(mean) / np.sqrt(np.maximum(square, TINY) / n)
    return np.minimum(1.0, np.maximum(2 * norm.sf(z), 2.0 ** (1 - differing)))
