from itertools import combinations, product
from random import Random
from statistics import fmean

import numpy as np
import pytest

from motif.evaluation.statistics import (
    clustered,
    discordant_interval,
    holm,
    mcnemar,
    over_seeds,
    pass_at_k,
    sign_flip,
    wilson,
)
from motif.system.errors import UserError


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(224, 500, 0.405, 0.492), (243, 500, 0.442, 0.530), (0, 30, 0.0, 0.1135), (30, 30, 0.8865, 1.0)],
)
def test_wilson_gives_the_textbook_intervals(correct, n, low, high):
    assert wilson(correct, n) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (3, 2), (-1, 2), (0.5, 2)])
def test_impossible_counts_are_refused(correct, n):
    with pytest.raises(UserError):
        wilson(correct, n)


def test_with_one_answer_a_question_the_clustered_interval_is_wilsons():
    assert clustered([1, 0, 0, 1, 1]) == wilson(3, 5)


def test_sixteen_equal_answers_to_a_question_count_as_one():
    alike = clustered([1.0] * 12 + [0.0] * 18, samples=16)
    assert alike == (pytest.approx(wilson(12, 30)[0], abs=0.01), pytest.approx(wilson(12, 30)[1], abs=0.01))
    assert alike[1] - alike[0] > 3 * (wilson(12 * 16, 30 * 16)[1] - wilson(12 * 16, 30 * 16)[0])


def test_nothing_right_in_sixteen_samples_of_thirty_questions_is_not_certainty():
    low, high = clustered([0.0] * 30, samples=16)
    assert low == 0 and high == pytest.approx(wilson(0, 30)[1])


def test_the_clustered_interval_covers_the_truth_as_often_as_it_says():
    source, covered, studies = Random(0), 0, 600
    for _ in range(studies):
        chances = [source.betavariate(0.6, 0.9) for _ in range(60)]  # mean 0.4, questions easy or hard
        shares = [fmean(source.random() < chance for _ in range(8)) for chance in chances]
        low, high = clustered(shares, samples=8)
        covered += low <= 0.4 <= high
    assert 0.925 <= covered / studies <= 0.975


def test_pass_at_k_is_the_share_of_k_subsets_with_a_right_answer():
    right = [True, True, False, False, False, False]
    for k in range(1, 7):
        subsets = list(combinations(right, k))
        assert pass_at_k(6, 2, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@pytest.mark.parametrize("bad", [(4, 5, 1), (4, 1, 5), (4, 1, 0), (0, 0, 1)])
def test_impossible_samples_are_refused(bad):
    with pytest.raises(UserError):
        pass_at_k(*bad)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [(1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 5, 2 / 32), (0, 6, 2 / 64), (5, 5, 1), (0, 0, 1), (60, 40, 0.0569)],
)
def test_mcnemars_test_is_the_binomial_of_the_discordant_pairs(one, other, p):
    assert mcnemar(one, other) == pytest.approx(p, abs=5e-5)


def test_the_interval_of_paired_proportions_is_bonett_and_prices_where_the_exact_one_is_inside():
    # (20 + 1) / 102 − (8 + 1) / 102 = 0.1176; 1.96 · √((0.2941 − 0.0138) / 102) = 0.1027
    low, high = discordant_interval(20, 8, 100)
    assert high == pytest.approx(0.1176 + 0.1027, abs=1e-4) and 0 < low <= 0.1176 - 0.1027


@pytest.mark.parametrize("n", [60, 500])
def test_an_interval_holds_zero_exactly_where_mcnemar_does_not_decide(n):
    for discordant in (*range(9), 30):
        for first_only in range(discordant + 1):
            low, high = discordant_interval(first_only, discordant - first_only, n)
            assert (low <= 0 <= high) == (mcnemar(first_only, discordant - first_only) >= 0.05)
            assert high > low


DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]  # Fisher 1935, § 21: p = 1726 / 32768


def test_flipping_signs_gives_fishers_p_for_darwins_maize():
    p, (low, high) = sign_flip([inch / 100 for inch in DARWIN])
    assert p == pytest.approx(1726 / 32768, abs=0.007)
    assert low == pytest.approx(0, abs=0.012) and high == pytest.approx(0.41, abs=0.02)
    assert sign_flip([-inch / 100 for inch in DARWIN])[0] == pytest.approx(p, abs=0.007)


def test_flipping_signs_is_exact_where_all_flips_can_be_counted():
    d = [0.5, 0.25, 0.0, 0.75, -0.25, 0.5, 1.0, 0.125]
    flips = [
        abs(sum(sign * value for sign, value in zip(signs, d, strict=True))) for signs in product((1, -1), repeat=8)
    ]
    assert sign_flip(d)[0] == pytest.approx(fmean(flip >= sum(d) - 1e-9 for flip in flips), abs=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_a_sign_flip_interval_holds_zero_exactly_where_the_test_does_not_decide(seed):
    source = np.random.default_rng(seed)
    d = source.normal(0.04, 0.1, 30).round(2).clip(-1, 1)
    p, (low, high) = sign_flip(d, draws=999)
    assert (low <= 0 <= high) == (p >= 0.05) and low < d.mean() < high


def test_policies_that_answered_alike_are_not_known_to_be_alike():
    p, (low, high) = sign_flip([0.0] * 30)
    assert p == 1 and high == -low == pytest.approx(wilson(0, 30)[1])


def test_holms_correction_is_the_textbook_one():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([0.03]) == [0.03] and holm([]) == []


def test_seeds_have_a_mean_a_spread_and_a_t_interval():
    mean, deviation, (low, high) = over_seeds([0.3, 0.4, 0.5])
    assert (mean, deviation) == (pytest.approx(0.4), pytest.approx(0.1))
    assert (low, high) == (pytest.approx(0.4 - 0.2484, abs=1e-4), pytest.approx(0.4 + 0.2484, abs=1e-4))
    alone = over_seeds([0.3])
    assert alone[0] == 0.3 and np.isnan([alone[1], *alone[2]]).all()
    with pytest.raises(UserError):
        over_seeds([])
