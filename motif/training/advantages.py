"""From what replies are worth to advantages: baseline, spread, and the weight of a reply in the loss. Plain numbers.

A group is what one question has trained: the rows of its m trajectories, one row a trained reply. A trajectory counts
once, however many rows it has, in the baseline, in the spread and in the loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

EPSILON = 1e-4  # TRL's ε, so that an advantage made here is the one that TRL makes
FLAT = 1e-8  # a difference that is none


@dataclass(frozen=True, slots=True)
class Worth:
    """A row's reward: the `outcome` of its futures and its `own` terms, both weighted; `trajectory` says whose row it
    is, `share` is 1/T for a trajectory of T rows, `round` the one it was written in."""

    outcome: float
    own: float
    trajectory: int
    share: float = 1.0
    round: int = 1

    @property
    def total(self) -> float:
        return self.outcome + self.own


def mean(values: Sequence[float], worths: Sequence[Worth]) -> float:
    """The mean over trajectories of the means over their rows: Σ share·value / Σ share."""
    return sum(worth.share * value for worth, value in zip(worths, values, strict=True)) / trajectories(worths)


def trajectories(worths: Sequence[Worth]) -> float:
    return sum(worth.share for worth in worths)


def against_the_group(worths: Sequence[Worth]) -> list[float]:
    """r − the group's mean (GRPO, arXiv 2402.03300, eq. 3): of outcomes over the trajectories, of own terms over the
    replies of the same round. What is asked of a reply differs by round, and a round that is always well formed says
    nothing for what was written in it."""
    outcome = mean([worth.outcome for worth in worths], worths)
    return [
        worth.outcome - outcome + worth.own - fmean(other.own for other in worths if other.round == worth.round)
        for worth in worths
    ]


def against_the_others(worths: Sequence[Worth]) -> list[float]:
    """r − the mean of the other trajectories (leave-one-out, RLOO, arXiv 2402.14740, eq. 8), own terms of the same
    round."""
    return [
        worth.outcome - mean([other.outcome for other in others], others) + own
        for worth, own in zip(worths, own_against_the_others(worths), strict=True)
        for others in [[other for other in worths if other.trajectory != worth.trajectory]]
    ]


def own_against_the_others(worths: Sequence[Worth]) -> list[float]:
    """Own terms − the mean of the other trajectories' in the same round; 0 where no other came so far."""
    found = []
    for worth in worths:
        others = [other.own for other in worths if other.round == worth.round and other.trajectory != worth.trajectory]
        found.append(worth.own - fmean(others) if others else 0.0)
    return found


def by_change(worths: Sequence[Worth]) -> list[float]:
    """V after the reply − V before it (VinePPO, arXiv 2410.01679, eq. 7, at the ends of rounds), and own terms − the
    mean of the others' in the same round.

    `outcome` of a row is V after it, of a trajectory's last row the outcome itself. Before the first round V is the
    question's: the mean of V after it over the other trajectories. The differences of a trajectory add up to its
    outcome − that.
    """
    first: dict[int, float] = {}
    for worth in worths:
        first.setdefault(worth.trajectory, worth.outcome)
    found, before = [], dict[int, float]()
    for worth, own in zip(worths, own_against_the_others(worths), strict=True):
        value = before.get(worth.trajectory)
        if value is None:
            value = fmean(other for trajectory, other in first.items() if trajectory != worth.trajectory)
        found.append(worth.outcome - value + own)
        before[worth.trajectory] = worth.outcome
    return found


def spread(centred: Sequence[float], worths: Sequence[Worth]) -> float:
    """√(mean of squares · m/(m−1)) over m trajectories: with one row each, the sample standard deviation."""
    count = trajectories(worths)
    return sqrt(mean([value**2 for value in centred], worths) * count / (count - 1)) if count > 1 else 0.0


def scaled(centred: Sequence[float], divisor: float | None) -> list[float]:
    """Divided by a spread + ε; as they are without one. Where all are 0 the group teaches nothing."""
    return [value if divisor is None else value / (divisor + EPSILON) for value in centred]


def flat(centred: Sequence[float]) -> bool:
    """Whether a group has no signal."""
    return all(abs(value) < FLAT for value in centred)
