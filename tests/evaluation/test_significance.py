"""Which test two tables call for, against the tests of scipy and against simulated studies."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

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


def test_seeds_that_agree_by_luck_do_not_make_a_few_questions_many():
    one, other = np.zeros((3, 30)), np.zeros((3, 30))
    for seed in range(3):  # 3 of 30 right in every seed against 2 of 30, other questions each time
        one[seed, seed * 3 : seed * 3 + 3] = other[seed, 20 + seed * 2 : 22 + seed * 2] = 1
    found = difference(one, other)
    assert [arm.lasting for arm in found.seed_variances] == [0, 0] and found.p > 0.05


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


def test_one_seed_taken_for_an_algorithm_is_wrong_more_often_than_it_says():
    assert sum(Study("one", between=(0.3, 0.3)).rates(pairs=200, seed=0).values()) > 30
