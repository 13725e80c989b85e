from itertools import combinations
from random import Random
from statistics import fmean

import pytest

from motif.checks import UserError
from motif.statistics import clustered, pass_at_k, wilson


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
