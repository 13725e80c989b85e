"""What studies would see, against exact sums and against studies that are simulated in another way."""

from dataclasses import replace
from functools import cache
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp, ttest_ind

from benchmarks.calibration import Study
from motif.evaluation.power import detectable, needed_n, needed_seeds, power
from motif.evaluation.significance import difference
from motif.evaluation.statistics import outcome
from tests.evaluation.test_significance import discordant


def test_the_questions_that_mcnemars_test_needs_and_the_difference_that_it_detects():
    found = difference(*discordant(60, 40, 500))
    assert needed_n(found) == 1100 and exact_power(1100, 0.12, 0.08) > 0.8 > exact_power(980, 0.12, 0.08)
    assert detectable(found) == pytest.approx(2.8 * (0.2 / 500) ** 0.5, rel=0.1)  # about (1.96 + 0.84) · √(ψ / n)
    assert needed_seeds(found) is None


def test_no_number_of_questions_makes_up_for_a_spread_between_seeds():
    source = np.random.default_rng(0)
    one, other = (
        source.random((3, 5000)) < [[mean] for mean in means] for means in ([0.4, 0.5, 0.6], [0.4, 0.41, 0.42])
    )
    found = difference(one, other)
    assert needed_n(found) is None and 5 < needed_seeds(found) < 20


def exact_power(n, up, down):
    """How often McNemar's test calls the first better, where that share of questions only the first, only the second
    answers: the sum over all counts that can come."""
    total = 0.0
    for pairs in range(n + 1):
        chance = binom.pmf(pairs, n, up + down)
        if chance > 1e-9:
            fewest = next((k for k in range(pairs // 2 + 1, pairs + 1) if decides(k, pairs)), None)
            total += chance * binom.sf(fewest - 1, pairs, up / (up + down)) if fewest else 0.0
    return total


@cache
def decides(first_only, discordant):
    return 2 * binom.cdf(discordant - first_only, discordant, 0.5) < 0.05


@pytest.mark.parametrize(("up", "down", "n"), [(0.2, 0.1, 60), (0.635, 0.0, 9), (0.1, 0.08, 500), (0.03, 0.0, 300)])
def test_the_power_of_mcnemars_test_is_the_exact_one(up, down, n):
    first_only, second_only = round(1000 * up), round(1000 * down)
    found = difference(*discordant(first_only, second_only, 1000))
    assert power(found, n) == pytest.approx(exact_power(n, up, down), abs=0.03)
    worse = difference(*discordant(second_only, first_only, 1000))
    assert power(worse, n) == power(found, n)


def test_after_a_tie_mcnemars_test_sees_what_leaves_six_questions_to_one_side():
    found = difference(*discordant(0, 0, 512))
    assert binom.sf(5, 512, detectable(found)) == pytest.approx(0.8, abs=0.03)
    assert needed_n(found) is None


def test_fewer_questions_than_any_test_needs_see_nothing():
    assert detectable(difference(*discordant(3, 0, 5))) is None and power(difference(*discordant(3, 0, 5)), 5) == 0
    assert detectable(difference([[0.5, 1.0, 0.5]], [[0.0, 0.5, 0.0]])) is None


ALIKE_SEEDS = [[1] * 325 + [1] * 186 + [0]] * 5, [[0] * 325 + [1] * 186 + [0]] * 5


def test_the_questions_that_are_said_to_be_needed_are_enough_for_the_test_that_is_made():
    found = difference(*ALIKE_SEEDS)
    assert (
        needed_n(found) == 8
    )  # 6 would do in 63 % of cases, says the t test's approximation from 511 degrees of freedom
    one, other = (np.array(table) for table in ALIKE_SEEDS)
    source, better = np.random.default_rng(0), {}
    for n in (6, 8):
        drawn = (source.integers(0, 512, n) for _ in range(300))
        again = (difference(one[:, places], other[:, places]) for places in drawn)
        better[n] = fmean(outcome(item.effect, item.p) == "better" for item in again)
        assert power(found, n) == pytest.approx(better[n], abs=0.07)
    assert better[6] < 0.75 < 0.82 < better[8]


@pytest.mark.parametrize(
    "study",
    [
        Study("greedy", n=300, effect=0.08),
        Study("sampled", n=20, samples=8, effect=0.1),
        Study("seeds", n=200, seeds=3, between=(0.1, 0.1), effect=0.1),
        Study("base", n=200, seeds=4, between=(0.1, 0.0), base=True, effect=0.08),
    ],
    ids=lambda study: study.name,
)
def test_the_power_that_is_said_is_that_of_studies_alike(study):
    """What a large pilot says of a smaller study, against as many of these as `benchmarks.calibration` makes."""
    pilot = replace(study, n=4000, seeds=40 if study.seeds > 1 else 1).difference(np.random.default_rng(1))
    said = power(pilot, study.n, study.effect, study.seeds if study.seeds > 1 else None)
    assert study.rates(pairs=300, seed=0)["better"] / 300 == pytest.approx(said, abs=0.08)


def test_so_many_seeds_as_are_said_to_be_needed_would_do():
    source = np.random.default_rng(0)
    one, other = (source.random((3, 2000)) < chance for chance in ([[0.42], [0.5], [0.58]], [[0.4], [0.38], [0.42]]))
    for fixed in ((False, False), (False, True)):
        found = difference(one, other, fixed)
        seeds = needed_seeds(found)
        lasting = sum(arm.lasting for arm in found.samples)
        assert len(found.samples) == 2 - sum(fixed) and 3 < seeds < 30
        sees = [welch_power(found.effect, lasting, len(found.samples), n, found.n) for n in (seeds - 2, seeds + 1)]
        assert sees[0] < 0.8 < sees[1]


def welch_power(effect, lasting, arms, seeds, n):
    """Of t tests over seeds whose means are normal, of the same spread in each arm, on `n` questions of 2 / n each."""
    source, studies = np.random.default_rng(0), 4000
    spread = (lasting / arms + 0.25 / n) ** 0.5
    tables = [source.normal(0, spread, (studies, seeds)) for _ in range(arms)]
    if arms == 1:
        return float((ttest_1samp(tables[0] + effect, 0, axis=1).pvalue < 0.05).mean())
    return float((ttest_ind(tables[0] + effect, tables[1], axis=1, equal_var=False).pvalue < 0.05).mean())


def test_a_true_difference_is_found_the_more_often_the_more_questions_there_are():
    few, many = (Study("better", n=n, effect=0.06).rates(pairs=60, seed=0)["better"] for n in (200, 2000))
    assert few < 30 < 50 < many
