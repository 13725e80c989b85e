"""Main effects of settings that a sweep varies together."""

from statistics import stdev

import pytest
from scipy.stats import t

from motif.reporting.factors import factors, main_effects
from motif.reporting.standings import places
from tests.support.studies import arms, seeds_of

RIGHT = {(1, 10): [50, 52], (1, 20): [60, 64], (2, 10): [70, 70], (2, 20): [40, 46]}


def settings_of(a, b):
    """Two settings, and one that follows from the first."""
    return {"algo.a": a, "algo.steps": 5 * a, "reward.b": b}


def grid(folder, cells):
    """Two seeds of each pair of settings."""
    return arms(
        [
            path
            for (a, b), rights in cells.items()
            for path in seeds_of(folder / f"{a}-{b}", "motif", rights, settings=settings_of(a, b))
        ]
    )


def test_a_main_effect_is_the_mean_of_the_arms_with_the_spread_of_their_seeds(tmp_path):
    rows = places(grid(tmp_path, RIGHT), "motif")[0].views[0].rows
    found = {(one["key"], one["value"]): one for one in main_effects(rows)}
    assert set(found) == {("algo.a", "1"), ("algo.a", "2"), ("reward.b", "10"), ("reward.b", "20")}
    one = found["algo.a", "1"]
    assert one["mean"] == pytest.approx((0.51 + 0.62) / 2) and (one["arms"], one["seeds"]) == (2, 4)
    pooled = (stdev([0.5, 0.52]) ** 2 + stdev([0.6, 0.64]) ** 2) / 2
    half = t.ppf(0.975, 2) * (pooled * (1 / 2 + 1 / 2)) ** 0.5 / 2
    assert one["interval"] == pytest.approx((one["mean"] - half, one["mean"] + half))


def test_arms_that_differ_in_one_setting_have_no_factors(tmp_path):
    trained = [
        arm for arm in grid(tmp_path, {(1, 10): [50], (2, 10): [50], (3, 10): [50], (4, 10): [50]}) if arm.trained
    ]
    assert factors(trained) == {}
