"""Where further draws go: more of them to means that a pilot leaves uncertain. Numbers alone; no tree, no torch.

It says nothing of how a pilot and further draws are put together without a bias: `algorithms.MOTIF` does.
"""

from collections.abc import Sequence
from math import fsum
from statistics import fmean


def allocation(pilots: Sequence[Sequence[float]]) -> list[int]:
    """How many further draws each of several means gets, by its p first outcomes: p on average, from 1 to 2p.

    The draws minimise Σ v_i / n_i (Neyman 1934), one after another to where it falls most. Of equal ones it is the one
    with the fewest draws, then the first. v_i = p Σ_j (x_ij − x̄_i)² + ½ (p + ½) R² is the pilot's variance, smoothed; R
    is the range of all outcomes. For outcomes 0 and 1 it is in proportion to the posterior mean of V(1 − V) under
    Jeffreys' prior. The unit of outcomes does not matter.
    """
    every = [value for pilot in pilots for value in pilot]
    if not every:
        return []
    p, unit = len(pilots[0]), (max(every) - min(every)) or 1.0
    scores = []
    for pilot in pilots:
        mean = fmean(pilot)
        scores.append(p * fsum(((value - mean) / unit) ** 2 for value in pilot) + (p + 0.5) / 2)
    counts = [1] * len(pilots)
    for _ in range((p - 1) * len(pilots)):
        free = [place for place, count in enumerate(counts) if count < 2 * p]
        gains = {place: round(scores[place] / (counts[place] * (counts[place] + 1)), 9) for place in free}
        counts[max(free, key=lambda place: (gains[place], -counts[place], -place))] += 1
    return counts
