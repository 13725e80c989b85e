"""From returns to advantages: baseline, spread, and the weight of a reply in the loss. Plain numbers, no torch.

A group is what one question has trained: the rows of its m trajectories, one row a trained reply. A trajectory counts
once in the baseline, in the spread and in the loss, however many rows it has.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from math import fsum, sqrt
from statistics import fmean

ROUNDING = 16 * sys.float_info.epsilon  # of sums of rewards, as a share of the largest
EPSILON = 1e-4  # TRL's ε, so that an advantage made here is the one that TRL makes


@dataclass(frozen=True, slots=True)
class Return:
    """What a row's reply earned, as weighted sums of the reward's terms.

    Args:
        outcome: of the reply's continuations.
        own: of the reply itself.
        trajectory: whose row it is.
        share: 1/T for a trajectory of T rows.
        round: that the reply was written in, from 1.
    """

    outcome: float
    own: float
    trajectory: int
    share: float = 1.0
    round: int = 1

    @property
    def total(self) -> float:
        return self.outcome + self.own


def mean(values: Sequence[float], returns: Sequence[Return]) -> float:
    """The mean over trajectories of the means over their rows: Σ share·value / Σ share.

    Of equal values it is exactly that value, so that equal rewards give advantages of exactly 0.
    """
    total = fsum(row.share * value for row, value in zip(returns, values, strict=True)) / trajectories(returns)
    return min(max(total, min(values)), max(values))


def plain_mean(values: Sequence[float]) -> float:
    """The mean; of equal values exactly that value."""
    return min(max(fmean(values), min(values)), max(values))


def trajectories(returns: Sequence[Return]) -> float:
    """How many trajectories the rows are of."""
    return fsum(row.share for row in returns)


def exact(centre: Callable[[Sequence[Return]], list[float]]) -> Callable[[Sequence[Return]], list[float]]:
    """`centre`, its differences exactly 0 where they are nothing but rounding: 0.1 + 0.2 and 0.3 are equal rewards."""

    @wraps(centre)
    def centred(returns: Sequence[Return]) -> list[float]:
        largest = max((abs(row.outcome) + abs(row.own) for row in returns), default=0.0)
        return [0.0 if abs(value) <= ROUNDING * largest else value for value in centre(returns)]

    return centred


@exact
def against_the_group(returns: Sequence[Return]) -> list[float]:
    """r − the group's mean (GRPO, arXiv 2402.03300, eq. 3).

    The mean of outcomes is over the trajectories, the mean of own terms over the replies of the same round: what is
    asked of a reply differs by round, and a round that is always well formed says nothing for what was written in it.
    """
    outcome = mean([row.outcome for row in returns], returns)
    return [
        row.outcome - outcome + row.own - plain_mean([other.own for other in returns if other.round == row.round])
        for row in returns
    ]


@exact
def against_the_others(returns: Sequence[Return]) -> list[float]:
    """r − the mean of the other trajectories (leave-one-out; RLOO, arXiv 2402.14740, eq. 8), own terms of the same
    round."""
    return [
        row.outcome - mean([other.outcome for other in others], others) + own
        for row, own in zip(returns, own_against_the_others(returns), strict=True)
        for others in [[other for other in returns if other.trajectory != row.trajectory]]
    ]


def own_against_the_others(returns: Sequence[Return]) -> list[float]:
    """Own terms − the mean of the other trajectories' in the same round; 0 where no other trajectory has that round."""
    centred = []
    for row in returns:
        others = [other.own for other in returns if other.round == row.round and other.trajectory != row.trajectory]
        centred.append(row.own - plain_mean(others) if others else 0.0)
    return centred


@exact
def by_change(returns: Sequence[Return]) -> list[float]:
    """V after the reply − V before it (VinePPO, arXiv 2410.01679, eq. 7, at the ends of rounds), and own terms − the
    mean of the others' in the same round.

    The `outcome` of a row is V after it; of a trajectory's last row it is the outcome itself. Before the first round V
    is the question's: the mean of V after it over the other trajectories. The differences of a trajectory add up to its
    outcome − that.
    """
    first: dict[int, float] = {}
    for row in returns:
        first.setdefault(row.trajectory, row.outcome)
    changes, before = [], dict[int, float]()
    for row, own in zip(returns, own_against_the_others(returns), strict=True):
        value = before.get(row.trajectory)
        if value is None:
            value = plain_mean([other for trajectory, other in first.items() if trajectory != row.trajectory])
        changes.append(row.outcome - value + own)
        before[row.trajectory] = row.outcome
    return changes


def spread(centred: Sequence[float], returns: Sequence[Return]) -> float:
    """√(mean of squares · m/(m−1)) over m trajectories: with one row each, the sample standard deviation."""
    count = trajectories(returns)
    return sqrt(mean([value**2 for value in centred], returns) * count / (count - 1)) if count > 1 else 0.0


def scaled(centred: Sequence[float], divisor: float | None) -> list[float]:
    """`centred` over `divisor` + ε; as it is without a divisor. A group of zeros teaches nothing."""
    return [value if divisor is None else value / (divisor + EPSILON) for value in centred]


def flat(centred: Sequence[float]) -> bool:
    """Whether a group has no signal: every difference is exactly 0."""
    return not any(centred)
