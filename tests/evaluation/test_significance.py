from dataclasses import replace
from functools import cache
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp, ttest_ind

from benchmarks.calibration import Study
from motif.evaluation.significance import difference
from motif.evaluation.statistics import mcnemar, outcome, sign_flip
from motif.system.errors import UserError


def discordant(first_only, second_only, n):
    both = [1] * (n - first_only - second_only)
    return [[*both, *[1] * first_only, *[0] * second_only]], [[*both, *[0] * first_only, *[1] * second_only]]


def test_one_greedy_answer_each_is_mcnemars_case():
    found = difference(*discordant(60, 40, 500))
    assert found.test == "exact McNemar test" and found.p == mcnemar(60, 40) and found.effect == pytest.approx(0.04)
    assert outcome(found.effect, found.p) == "not distinguishable"
    assert found.needed_n == 1100 and exact_power(1100, 0.12, 0.08) > 0.8 > exact_power(980, 0.12, 0.08)
    assert found.detectable == pytest.approx(2.8 * (0.2 / 500) ** 0.5, rel=0.1)  # about (1.96 + 0.84) · √(ψ / n)
    assert found.needed_seeds is None


def exact_power(n, up, down):
    """How often McNemar's test calls the first better, where that share of questions only the first, only the second
    answers: the sum over all counts that can come."""
    total = 0.0
    for discordant in range(n + 1):
        chance = binom.pmf(discordant, n, up + down)
        if chance > 1e-9:
            fewest = next((k for k in range(discordant // 2 + 1, discordant + 1) if decides(k, discordant)), None)
            total += chance * binom.sf(fewest - 1, discordant, up / (up + down)) if fewest else 0.0
    return total


@cache
def decides(first_only, discordant):
    return 2 * binom.cdf(discordant - first_only, discordant, 0.5) < 0.05


@pytest.mark.parametrize(("up", "down", "n"), [(0.2, 0.1, 60), (0.635, 0.0, 9), (0.1, 0.08, 500), (0.03, 0.0, 300)])
def test_the_power_of_mcnemars_test_is_the_exact_one(up, down, n):
    first_only, second_only = round(1000 * up), round(1000 * down)
    found = difference(*discordant(first_only, second_only, 1000))
    assert found.power(n) == pytest.approx(exact_power(n, up, down), abs=0.03)
    worse = difference(*discordant(second_only, first_only, 1000))
    assert worse.power(n) == found.power(n)


def test_after_a_tie_mcnemars_test_sees_what_leaves_six_questions_to_one_side():
    found = difference(*discordant(0, 0, 512))
    assert binom.sf(5, 512, found.detectable) == pytest.approx(0.8, abs=0.03)
    assert found.needed_n is None


def test_fewer_questions_than_any_test_needs_see_nothing():
    assert difference(*discordant(3, 0, 5)).detectable is None and difference(*discordant(3, 0, 5)).power(5) == 0
    assert difference([[0.5, 1.0, 0.5]], [[0.0, 0.5, 0.0]]).detectable is None


SEEDS_OF_THE_README = [[1] * 325 + [1] * 186 + [0]] * 3, [[0] * 325 + [1] * 186 + [0]] * 3


def test_the_questions_that_are_said_to_be_needed_are_enough_for_the_test_that_is_made():
    found = difference(*SEEDS_OF_THE_README)
    assert (
        found.needed_n == 8
    )  # 6 would do in 63 % of cases, says the t test's approximation from 511 degrees of freedom
    one, other = (np.array(table) for table in SEEDS_OF_THE_README)
    source, better = np.random.default_rng(0), {}
    for n in (6, 8):
        drawn = (source.integers(0, 512, n) for _ in range(300))
        again = (difference(one[:, places], other[:, places]) for places in drawn)
        better[n] = fmean(outcome(item.effect, item.p) == "better" for item in again)
        assert found.power(n) == pytest.approx(better[n], abs=0.07)
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
    said = pilot.power(study.n, study.effect, study.seeds if study.seeds > 1 else None)
    assert study.rates(pairs=300, seed=0)["better"] / 300 == pytest.approx(said, abs=0.08)


def test_several_samples_each_are_flipped_by_question():
    source = np.random.default_rng(0)
    one, other = source.binomial(4, 0.6, (1, 40)) / 4, source.binomial(4, 0.4, (1, 40)) / 4
    found = difference(one, other)
    assert found.test == "sign-flip test over questions"
    assert (found.p, found.interval) == sign_flip((one - other)[0])
    assert outcome(found.effect, found.p) == "better"
    assert outcome(-found.effect, found.p) == "worse"


def test_where_seeds_are_all_that_varies_the_test_is_welchs():
    one, other = (np.repeat([[mean] for mean in means], 50, 1) for means in ([0.5, 0.7, 0.6], [0.5, 0.42, 0.47]))
    welch = ttest_ind(one[:, 0], other[:, 0], equal_var=False)
    found = difference(one, other)
    assert found.p == pytest.approx(welch.pvalue) and found.dof == pytest.approx(welch.df)
    interval = welch.confidence_interval()
    assert found.interval == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_a_spread_between_seeds_outweighs_any_number_of_questions():
    source = np.random.default_rng(0)
    one, other = (
        source.random((3, 5000)) < [[mean] for mean in means] for means in ([0.4, 0.5, 0.6], [0.4, 0.41, 0.42])
    )
    found = difference(one, other)
    assert mcnemar(int((one[2] & ~other[2]).sum()), int((other[2] & ~one[2]).sum())) < 0.001
    assert outcome(found.effect, found.p) == "not distinguishable"
    assert found.needed_n is None and 5 < found.needed_seeds < 20


def test_so_many_seeds_as_are_said_to_be_needed_would_do():
    source = np.random.default_rng(0)
    one, other = (source.random((3, 2000)) < chance for chance in ([[0.42], [0.5], [0.58]], [[0.4], [0.38], [0.42]]))
    for fixed in ((False, False), (False, True)):
        found = difference(one, other, fixed)
        needed = found.needed_seeds
        lasting = sum(arm.lasting for arm in found.drawn)
        assert len(found.drawn) == 2 - sum(fixed) and 3 < needed < 30
        sees = [
            welch_power(found.effect, lasting, len(found.drawn), seeds, found.n) for seeds in (needed - 2, needed + 1)
        ]
        assert sees[0] < 0.8 < sees[1]


def welch_power(effect, lasting, arms, seeds, n):
    """Of t tests over seeds whose means are normal, of the same spread in each arm, on `n` questions of 2 / n each."""
    source, studies = np.random.default_rng(0), 4000
    spread = (lasting / arms + 0.25 / n) ** 0.5
    tables = [source.normal(0, spread, (studies, seeds)) for _ in range(arms)]
    if arms == 1:
        return float((ttest_1samp(tables[0] + effect, 0, axis=1).pvalue < 0.05).mean())
    return float((ttest_ind(tables[0] + effect, tables[1], axis=1, equal_var=False).pvalue < 0.05).mean())


def test_seeds_that_agree_by_luck_do_not_make_a_few_questions_many():
    one, other = np.zeros((3, 30)), np.zeros((3, 30))
    for seed in range(3):  # 3 of 30 right in every seed against 2 of 30, other questions each time
        one[seed, seed * 3 : seed * 3 + 3] = other[seed, 20 + seed * 2 : 22 + seed * 2] = 1
    found = difference(one, other)
    assert [arm.lasting for arm in found.drawn] == [0, 0] and found.p > 0.05


def test_copies_of_a_fixed_policy_are_one_policy():
    base = [1, 1, 0, 0, 1, 0, 0, 1] * 10
    trained = [1, 1, 1, 0, 1, 0, 1, 1] * 10
    assert difference([trained], [base] * 3, fixed=(False, True)) == difference([trained], [base])
    assert difference([trained], [base] * 3).test != "exact McNemar test"


def test_an_arm_of_one_seed_is_taken_to_spread_as_the_other_does():
    source = np.random.default_rng(0)
    one, other = source.random((3, 200)) < [[0.6], [0.7], [0.8]], source.random((1, 200)) < 0.6
    found = difference(one, other)
    assert found.seeds == (3, 1) and found.dof < 2.5
    assert found.variance >= one.mean(1).var(ddof=1) * (1 / 3 + 1)


def test_answers_to_different_questions_are_no_pair():
    with pytest.raises(UserError, match="the same questions"):
        difference([[1, 0]], [[1, 0, 1]])


@pytest.mark.parametrize(
    "study",
    [
        Study("greedy"),
        Study("sampled", n=30, samples=16),
        Study("seeds", seeds=3, between=(0.2, 0.2)),
        Study("unequal", seeds=3, between=(0.3, 0.0)),
        Study("base", seeds=3, between=(0.2, 0.0), base=True),
        Study("family", arms=3),
    ],
    ids=lambda study: study.name,
)
def test_of_equal_policies_at_most_one_in_twenty_is_called_better(study):
    assert study.rates(pairs=200, seed=0)["better"] <= 10


def test_a_true_difference_is_found_the_more_often_the_more_questions_there_are():
    few, many = (Study("better", n=n, effect=0.06).rates(pairs=60, seed=0)["better"] for n in (200, 2000))
    assert few < 30 < 50 < many


def test_one_seed_taken_for_an_algorithm_is_wrong_more_often_than_it_says():
    assert sum(Study("one", between=(0.3, 0.3)).rates(pairs=200, seed=0).values()) > 30
