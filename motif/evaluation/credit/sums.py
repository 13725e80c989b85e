"""Sums by question, of signals and of pairs of advantages: the shares and correlations that they give.

Intervals count questions. For correlations they are a bootstrap that draws questions (Efron 1979; Field & Welsh 2007 on
clusters), for shares Wilson's interval at the effective sample size (`motif.evaluation.statistics.clustered`).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from motif.evaluation.statistics import clustered

DRAWS = 1000  # of a bootstrap
FLAT = 1e-9  # an advantage closer to 0 is rounding


class SignalSums(NamedTuple):
    """Sums over groups or replies: how many, and how many of them without a signal."""

    n: Any
    silent: Any


class PairSums(NamedTuple):
    """Sums over pairs of advantages: x of one scheme and y of another, of the same reply.

    Each field is a number, or an array over questions or over draws of a bootstrap. `both` counts the pairs in which
    both have a signal, `opposed` those of them whose signs differ.
    """

    n: Any
    x: Any
    y: Any
    xx: Any
    yy: Any
    xy: Any
    both: Any
    opposed: Any

    @classmethod
    def of(cls, x: float, y: float) -> "PairSums":
        """The sums of one pair."""
        both = abs(x) >= FLAT and abs(y) >= FLAT
        return cls(1, x, y, x * x, y * y, x * y, both, both and x * y < 0)


class SumsByQuestion:
    """Sums of the kind `columns` (SignalSums or PairSums), kept by question."""

    def __init__(self, columns: Any) -> None:
        self.columns = columns
        self.rows: dict[str, Any] = defaultdict(lambda: np.zeros(len(columns._fields)))

    def add(self, question: str, sums: SignalSums | PairSums) -> None:
        self.rows[question] += sums

    def by_question(self) -> Any:
        """The columns, each an array (questions,)."""
        return self.columns(*self._table().T)

    def total(self) -> Any:
        """The columns, each a number."""
        return self.columns(*self._table().sum(0))

    def resampled(self, draws: int = DRAWS, seed: int = 0) -> Any:
        """The columns, each an array (draws,): sums over as many questions as there are, drawn with replacement."""
        return self.columns(*np.concatenate(list(self._resamples(draws, seed))).T)

    def _resamples(self, draws: int, seed: int) -> Iterator[Any]:
        table, generator = self._table(), np.random.default_rng(seed)
        questions = len(table)
        for start in range(0, draws, 100):  # in blocks, which fit in memory
            counts = generator.multinomial(questions, [1 / questions] * questions, min(100, draws - start))
            yield counts.astype(float) @ table

    def _table(self) -> Any:
        """(questions, columns)"""
        return np.array(list(self.rows.values()))


def share(part: Any, whole: Any) -> dict[str, Any]:
    """The share of `part` in `whole`, both counts by question, with its interval, its n and its number of questions;
    None where there is nothing to share."""
    counted = whole > 0
    part, whole = part[counted], whole[counted]
    n = int(whole.sum())
    if not n:
        return {"share": None, "interval": None, "n": 0, "questions": 0}
    interval = clustered((part / whole).tolist(), samples=max(1, round(n / len(whole))))
    return {"share": float(part.sum() / n), "interval": list(interval), "n": n, "questions": len(whole)}


def agreement(sums: SumsByQuestion) -> dict[str, Any]:
    """How two schemes agree, by their `PairSums`: Pearson's `correlation` over replies (None where a scheme has given
    the same to all of them), and the share `opposed` of those with a signal in `both` whose signs differ."""
    by_question, total = sums.by_question(), float(correlation(sums.total()))
    opposed = share(by_question.opposed, by_question.both)
    return {
        "n": int(by_question.n.sum()),
        "questions": len(by_question.n),
        "correlation": None if np.isnan(total) else total,
        "interval": middle_95(correlation(sums.resampled())),
        "opposed": opposed["share"],
        "opposed_interval": opposed["interval"],
        "both": opposed["n"],
    }


def correlation(sums: PairSums) -> Any:
    """Pearson's correlation of x and y; nan where one of the two does not vary."""
    squares_x, squares_y = sums.xx - sums.x * sums.x / sums.n, sums.yy - sums.y * sums.y / sums.n
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (sums.xy - sums.x * sums.y / sums.n) / np.sqrt(squares_x * squares_y)
    vary = (squares_x > FLAT * sums.n) & (squares_y > FLAT * sums.n)
    return np.where(vary, np.clip(r, -1.0, 1.0), np.nan)


def middle_95(draws: Any) -> list[float] | None:
    """The middle 95 % of a bootstrap's draws; None where more than 5 % of them are not defined."""
    defined = draws[~np.isnan(draws)]
    return None if len(defined) < 0.95 * len(draws) else np.percentile(defined, [2.5, 97.5]).tolist()
