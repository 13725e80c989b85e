"""Sums by question, against numpy and against data that were drawn with a known correlation."""

import numpy as np
import pytest

from motif.evaluation.credit.sums import PairSums, SumsByQuestion, agreement, correlation, middle_95, share
from motif.evaluation.statistics import clustered


def sums_of(*pairs, question="q"):
    """The sums of pairs (x, y) on one question."""
    sums = SumsByQuestion(PairSums)
    for x, y in pairs:
        sums.add(question, PairSums.of(x, y))
    return sums


def test_correlation_is_pearsons_and_none_where_nothing_varies():
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    assert correlation(sums_of(*zip(x, y, strict=True)).total()) == pytest.approx(np.corrcoef(x, y)[0, 1])
    silent = agreement(sums_of(*[(0.0, value) for value in (0.5, 1.5, 0.0, 0.0)]))
    assert silent["correlation"] is None and silent["interval"] is None
    assert silent["both"] == 0 and silent["opposed"] is None


def test_opposite_advantages_correlate_at_minus_one_and_are_opposed():
    opposite = agreement(sums_of((1.0, -1.0), (2.0, -2.0), (-3.0, 3.0)))
    assert opposite["correlation"] == pytest.approx(-1) and opposite["opposed"] == 1 and opposite["both"] == 3


def test_a_share_counts_by_question_and_has_an_interval():
    part, whole = np.array([1.0, 0.0, 4.0]), np.array([2.0, 0.0, 4.0])
    assert share(part, whole) == {
        "share": 5 / 6, "interval": list(clustered([0.5, 1.0], 3)), "n": 6, "questions": 2
    }  # fmt: skip
    assert share(part * 0, whole * 0) == {"share": None, "interval": None, "n": 0, "questions": 0}


def test_the_intervals_cover_the_correlation_of_questions_that_are_drawn_anew():
    """Questions differ: within one the advantages share an effect, so that replies alone would give too narrow ones."""
    generator, covered, true = np.random.default_rng(1), 0, 0.5
    for _ in range(60):
        shared = generator.normal(size=(60, 1, 2))
        both = shared + generator.normal(size=(60, 4, 2))
        x, y = both[..., 0], true * both[..., 0] + (1 - true**2) ** 0.5 * both[..., 1]
        sums = SumsByQuestion(PairSums)
        for question in range(60):
            for pair in zip(x[question], y[question], strict=True):
                sums.add(str(question), PairSums.of(*pair))
        low, high = middle_95(correlation(sums.resampled(draws=200)))
        covered += low <= true <= high
    assert covered >= 50, covered
