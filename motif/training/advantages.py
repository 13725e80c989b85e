"""From what replies are each to advantages: baseline, spread, and the weight of a reply in the loss. Plain numbers.

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
class Return:
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


def mean(values: Sequence[float], returns: Sequence[Return]) -> float:
    """The mean over trajectories of the means over their rows: Σ share·value / Σ share."""
    return sum(each.share * value for each, value in zip(returns, values, strict=True)) / trajectories(returns)


def trajectories(returns: Sequence[Return]) -> float:
    return sum(each.share for each in returns)


def against_the_group(returns: Sequence[Return]) -> list[float]:
    """r − the group's mean (GRPO, arXiv 2402.03300, eq. 3): of outcomes over the trajectories, of own terms over the
    replies of the same round. What is asked of a reply differs by round, and a round that is always well formed says
    nothing for what was written in it."""
    outcome = mean([each.outcome for each in returns], returns)
    return [
        each.outcome - outcome + each.own - fmean(other.own for other in returns if other.round == each.round)
        for each in returns
    ]


def against_the_others(returns: Sequence[Return]) -> list[float]:
    """r − the mean of the other trajectories (leave-one-out, RLOO, arXiv 2402.14740, eq. 8), own terms of the same
    round."""
    return [
        each.outcome - mean([other.outcome for other in others], others) + own
        for each, own in zip(returns, own_against_the_others(returns), strict=True)
        for others in [[other for other in returns if other.trajectory != each.trajectory]]
    ]


def own_against_the_others(returns: Sequence[Return]) -> list[float]:
    """Own terms − the mean of the other trajectories' in the same round; 0 where no other came so far."""
    found = []
    for each in returns:
        others = [other.own for other in returns if other.round == each.round and other.trajectory != each.trajectory]
        found.append(each.own - fmean(others) if others else 0.0)
    return found


def by_change(returns: Sequence[Return]) -> list[float]:
    """V after the reply − V before it (VinePPO, arXiv 2410.01679, eq. 7, at the ends of rounds), and own terms − the
    mean of the others' in the same round.

    `outcome` of a row is V after it, of a trajectory's last row the outcome itself. Before the first round V is the
    question's: the mean of V after it over the other trajectories. The differences of a trajectory add up to its
    outcome − that.
    """
    first: dict[int, float] = {}
    for each in returns:
        first.setdefault(each.trajectory, each.outcome)
    found, before = [], dict[int, float]()
    for each, own in zip(returns, own_against_the_others(returns), strict=True):
        value = before.get(each.trajectory)
        if value is None:
            value = fmean(other for trajectory, other in first.items() if trajectory != each.trajectory)
        found.append(each.outcome - value + own)
        before[each.trajectory] = each.outcome
    return found


def spread(centred: Sequence[float], returns: Sequence[Return]) -> float:
    """√(mean of squares · m/(m−1)) over m trajectories: with one row each, the sample standard deviation."""
    count = trajectories(returns)
    return sqrt(mean([value**2 for value in centred], returns) * count / (count - 1)) if count > 1 else 0.0


def scaled(centred: Sequence[float], divisor: float | None) -> list[float]:
    """Divided by a spread + ε; as they are without one. Where all are 0 the group teaches nothing."""
    return [value if divisor is None else value / (divisor + EPSILON) for value in centred]


def flat(centred: Sequence[float]) -> bool:
    """Whether a group has no signal."""
    return all(abs(value) < FLAT for value in centred)
