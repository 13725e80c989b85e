"""Signal and noise of gradients that are drawn with known ones."""

import numpy as np
import pytest
from scipy.stats import sem, t

from motif.evaluation.credit.noise import Draw, GradientSums, cosine, jackknifed, signal, signal_to_noise


def sums(gradients):
    """`GradientSums` of an array (draws, questions, size)."""
    made = GradientSums(gradients.shape[1], gradients.shape[2])
    for draw in gradients:
        made.add(Draw(draw, 10 * gradients.shape[1], {1}))
    return made


def test_signal_noise_and_cosine_are_those_that_gradients_were_drawn_with():
    generator = np.random.default_rng(0)
    direction = np.zeros(40)
    direction[:2] = 1.0
    other = np.zeros(40)
    other[1:3] = 1.0
    mean = generator.normal(size=(30, 1)) * 0.2 + 1  # of a question, along the direction
    draws = mean[None] * direction + generator.normal(size=(50, 30, 40))
    reference = mean[None] * other + generator.normal(size=(50, 30, 40))
    weights = np.full((1, 30), 1 / 30)
    one, two = sums(draws), sums(reference)
    assert signal(one, weights)[0] == pytest.approx(2 * mean.mean() ** 2, rel=0.1)
    assert (weights @ one.variance)[0] == pytest.approx(40, rel=0.1)
    assert signal_to_noise(one, weights)[0] == pytest.approx(2 * mean.mean() ** 2 / 40, rel=0.15)
    assert cosine(one, two, weights)[0] == pytest.approx(0.5, abs=0.08) and one.tokens_per_group == 10


def test_noise_alone_has_no_signal():
    found = [signal(sums(np.random.default_rng(seed).normal(size=(8, 6, 30))), np.full((1, 6), 1 / 6))[0]
             for seed in range(200)]  # fmt: skip
    naive = 30 / (8 * 6)  # |mean|² of noise
    assert abs(np.mean(found)) < 0.1 * naive


def test_a_jackknife_of_means_is_the_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    without = [np.delete(values, place).mean() for place in range(12)]
    low, high = jackknifed(np.array([values.mean(), *without]))
    half = t.ppf(0.975, 11) * sem(values)
    assert (low, high) == (pytest.approx(values.mean() - half), pytest.approx(values.mean() + half))
    assert jackknifed(np.array([1.0, np.nan, 1.0])) is None
