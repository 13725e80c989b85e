"""A sweep of several settings at once: the main effect of each value, a mean over all arms that have it.

A *factor* is a setting of which each value is that of several arms, so that the other settings vary beside it.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, variance
from typing import Any

from motif.evaluation.statistics import t_quantile
from motif.reporting.arm_names import differing_keys, independent, is_private
from motif.reporting.arms import Arm
from motif.reporting.pooled import Pooled
from motif.reporting.recorded import MISSING


def factors(arms: Sequence[Arm]) -> dict[str, list[str]]:
    """The factors and their values, where there are at least two; else none. Of factors that divide the arms alike, as
    an algorithm and its rounds may, the first one stands for all."""
    found, divisions = dict[str, list[str]](), set()
    for key in independent(differing_keys([arm.settings for arm in arms])):
        values = [value_of(arm, key) for arm in arms]
        division = tuple(map(values.index, values))
        if not is_private(key) and min(map(values.count, values)) > 1 and division not in divisions:
            found[key] = list(dict.fromkeys(values))
            divisions.add(division)
    return found if len(found) > 1 else {}


def value_of(arm: Arm, key: str) -> str:
    return str(arm.settings.get(key, MISSING))


def main_effects(rows: Sequence[Pooled]) -> list[dict[str, Any]]:
    """The mean accuracy of the trained `rows` with each value of each factor, with its 95 % interval over seeds, None
    where no arm has several; and how many arms and seeds it is of."""
    trained = [one for one in rows if one.arm.trained]
    effects = []
    for key, values in factors([one.arm for one in trained]).items():
        for value in values:
            own = [one.accuracies for one in trained if value_of(one.arm, key) == value]
            mean, seeds = fmean(map(fmean, own)), sum(map(len, own))
            interval = None
            if dof := seeds - len(own):
                pooled = sum(variance(each) * (len(each) - 1) for each in own if len(each) > 1) / dof
                half = t_quantile(dof) * sqrt(pooled * sum(1 / len(each) for each in own)) / len(own)
                interval = (max(0.0, mean - half), min(1.0, mean + half))
            effects.append(
                {"key": key, "value": value, "mean": mean, "interval": interval, "arms": len(own), "seeds": seeds}
            )
    return effects
