"""Which test two tables call for, against the tests of scipy and against simulated studies."""

import numpy as np
import pytest
from scipy.stats import permutation_test, t, ttest_ind, ttest_rel

from benchmarks.calibration import Study
from motif.evaluation.significance import difference, fewest_seeds, least_p, permutations
from motif.evaluation.statistics import mcnemar, outcome, sign_flip
from motif.system.errors import UserError


def discordant(first_only, second_only, n):
    both = [1] * (n - first_only - second_only)
    return [[*both, *[1] * first_only, *[0] * second_only]], [[*both, *[0] * first_only, *[1] * second_only]]


def test_one_greedy_answer_each_is_mcnemars_case():
    found = difference(*discordant(60, 40, 500))
    assert found.test == "exact McNemar test" and found.p == mcnemar(60, 40) and found.effect == pytest.approx(0.04)
    assert outcome(found.effect, found.p) == "not distinguishable"


def test_several_samples_each_are_flipped_by_question():
    source = np.random.default_rng(0)
    one, other = source.binomial(4, 0.6, (1, 40)) / 4, source.binomial(4, 0.4, (1, 40)) / 4
    found = difference(one, other)
    assert found.test == "sign-flip test over questions"
    assert (found.p, found.interval) == sign_flip((one - other)[0])
    assert outcome(found.effect, found.p) == "better"
    assert outcome(-found.effect, found.p) == "worse"


def of_means(means, questions=50):
    """Seeds that answer every question alike, so that seeds are all that varies."""
    return np.repeat(np.array(means)[:, None], questions, 1)


def permuted(one, other, kind="independent"):
    def effect(first, second, axis):
        return first.mean(axis) - second.mean(axis)

    return permutation_test((one, other), effect, permutation_type=kind, n_resamples=np.inf, vectorized=True).pvalue


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.12, 0.4])
def test_where_seeds_are_all_that_varies_p_is_the_larger_of_welchs_and_of_the_permutations(shift):
    one, other = np.array([0.5, 0.62, 0.55, 0.41, 0.58]) + shift, np.array([0.5, 0.42, 0.47, 0.49, 0.46])
    found, welch = difference(of_means(one), of_means(other)), ttest_ind(one, other, equal_var=False)
    assert found.p == pytest.approx(max(welch.pvalue, permuted(one, other)))
    interval = welch.confidence_interval()
    if welch.pvalue > permuted(one, other):
        assert found.interval == (pytest.approx(interval.low), pytest.approx(interval.high))
    else:
        assert found.interval[0] < interval.low and interval.high < found.interval[1]


def test_seeds_that_both_arms_share_are_paired():
    one, other = np.array([0.5, 0.62, 0.55, 0.41, 0.58, 0.7]), np.array([0.48, 0.59, 0.54, 0.4, 0.53, 0.66])
    found = difference(of_means(one), of_means(other), paired=True)
    assert found.p == pytest.approx(max(ttest_rel(one, other).pvalue, permuted(one, other, "samples")))
    assert found.p < 0.05 < difference(of_means(one), of_means(other)).p


def test_three_seeds_are_never_sure_however_alike_they_are():
    """Where the spread of seeds had no floor, these two had p = 3e-105 and 511 degrees of freedom."""
    arrived, stayed = [[1] * 511 + [0]] * 3, [[1] * 186 + [0] * 326] * 3
    found = difference(arrived, stayed)
    assert found.p == pytest.approx(0.1) and found.interval[0] < 0 < found.effect
    assert "4.0 degrees of freedom" in found.test and "permutations of seeds" in found.test
    assert difference(arrived, stayed[:1]).p == pytest.approx(0.25)
    assert difference(arrived, stayed[:1], fixed=(False, True)).p == pytest.approx(0.25)
    assert difference(arrived, stayed, paired=True).p == pytest.approx(0.25)


def test_no_p_is_below_what_so_many_seeds_can_give():
    for seeds in range(2, 7):
        arrived, stayed = [[1] * 20] * seeds, [[0] * 20] * seeds
        assert difference(arrived, stayed).p == pytest.approx(least_p([seeds, seeds]))
        assert difference(arrived, stayed[:1], (False, True)).p == pytest.approx(least_p([seeds]))
    assert [fewest_seeds(2, family) for family in (1, 2, 5, 10)] == [4, 5, 5, 6]
    assert [fewest_seeds(1, family) for family in (1, 2, 5, 10)] == [6, 7, 8, 9]


def test_of_many_seeds_some_permutations_are_drawn():
    assert len(permutations((8, 8))) == 12870 and len(permutations((8,))) == 256
    assert len(permutations((12, 12))) == len(permutations((20,))) == 20_000
    one, other = np.random.default_rng(0).normal([[0.54], [0.5]], 0.1, (2, 12))
    assert difference(of_means(one), of_means(other)).p == pytest.approx(ttest_ind(one, other).pvalue, abs=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_over_seeds_holds_zero_exactly_where_the_test_does_not_decide(seed):
    source = np.random.default_rng(seed)
    sizes = source.integers(2, 7, 2)
    one, other = (source.random((size, 60)) < source.choice([0.3, 0.5, 0.9], (size, 1)) for size in sizes)
    found = difference(one, other)
    assert (found.interval[0] <= 0 <= found.interval[1]) == (found.p >= 0.05)
    assert found.interval[0] < found.effect < found.interval[1]


def test_a_spread_between_seeds_outweighs_any_number_of_questions():
    source = np.random.default_rng(0)
    one, other = (
        source.random((3, 5000)) < [[mean] for mean in means] for means in ([0.4, 0.5, 0.6], [0.4, 0.41, 0.42])
    )
    found = difference(one, other)
    assert mcnemar(int((one[2] & ~other[2]).sum()), int((other[2] & ~one[2]).sum())) < 0.001
    assert outcome(found.effect, found.p) == "not distinguishable"


def test_seeds_that_agree_by_luck_do_not_make_a_few_questions_many():
    one, other = np.zeros((5, 30)), np.zeros((5, 30))
    for seed in range(5):  # 3 of 30 right in every seed against 2 of 30, other questions each time
        one[seed, seed * 3 : seed * 3 + 3] = other[seed, 15 + seed * 2 : 17 + seed * 2] = 1
    found = difference(one, other)
    assert [sample.lasting for sample in found.samples] == [0, 0] and found.p > 0.05


def test_copies_of_a_fixed_policy_are_one_policy():
    base = [1, 1, 0, 0, 1, 0, 0, 1] * 10
    trained = [1, 1, 1, 0, 1, 0, 1, 1] * 10
    assert difference([trained], [base] * 3, fixed=(False, True)) == difference([trained], [base])
    assert difference([trained], [base] * 3).test != "exact McNemar test"


def test_an_arm_of_one_seed_is_taken_to_spread_as_the_other_does():
    one = np.array([0.4, 0.5, 0.6, 0.7, 0.55])
    found = difference(of_means(one), of_means([0.3]))
    sure = (found.effect / (one.var(ddof=1) * (1 / 5 + 1)) ** 0.5, 4)  # t and its degrees of freedom
    assert found.p == pytest.approx(max(2 * t.sf(*sure), 1 / 6)) and found.samples[1].seeds == 1


def test_answers_to_different_questions_are_no_pair():
    with pytest.raises(UserError, match="the same questions"):
        difference([[1, 0]], [[1, 0, 1]])


@pytest.mark.parametrize(
    "study",
    [
        Study("greedy"),
        Study("sampled", n=30, samples=16),
        Study("seeds", seeds=5, between=(0.2, 0.2)),
        Study("unequal", seeds=5, between=(0.3, 0.0)),
        Study("base", seeds=6, between=(0.2, 0.0), base=True),
        Study("2 seeds arrive or not", n=100, accuracy=0.36, seeds=2, arrive=(0.5, 0.5)),
        Study("5 seeds arrive or not", n=100, accuracy=0.36, seeds=5, arrive=(0.5, 0.5)),
        Study("5 arms arrive or not", n=100, accuracy=0.36, seeds=3, arrive=(0.7, 0.7), arms=5),
        Study("family", arms=3),
    ],
    ids=lambda study: study.name,
)
def test_of_equal_policies_at_most_one_in_twenty_is_called_better(study):
    assert study.rates(pairs=200, seed=0)["better"] <= 10


def test_seeds_that_arrive_or_not_mislead_where_questions_alone_are_counted():
    unguarded = Study("averaged", n=100, accuracy=0.36, seeds=3, arrive=(0.5, 0.5), nested=False)
    assert unguarded.rates(pairs=100, seed=0)["either"] > 30


def test_one_seed_taken_for_an_algorithm_is_wrong_more_often_than_it_says():
    assert Study("one", between=(0.3, 0.3)).rates(pairs=200, seed=0)["either"] > 30
