"""The parts of an outcome's variance, by hand and on nested data of known components."""

import numpy as np
import pytest

from motif.evaluation.credit.variance import Forest, Shape, components, decomposition
from motif.rounds.episode import Episode, grade
from tests.support.toys import Words, good, question, says
from tests.support.trees import line, node, tree


def nested(generator, shape, spreads):
    """Normal outcomes (questions, m, k, later) whose levels have these standard deviations."""
    parts = [generator.normal(0, spread, shape[: place + 1]) for place, spread in enumerate(spreads)]
    return sum(part.reshape(part.shape + (1,) * (4 - part.ndim)) for part in parts)


def all_of(outcomes):
    return components(outcomes, np.ones((1, len(outcomes))))[:, 0]


def test_components_by_hand():
    # two questions, two first replies, two continuations, two ends; only the first end of all is right
    outcomes = np.zeros((2, 2, 2, 2))
    outcomes[0, 0, 0, 0] = 1
    later = 0.5 / 8  # of eight pairs one has a variance of 1/2
    continuation = 2 * (0.5**2 / 2) / 4  # means 1/2 and 0 in one of four first replies
    first = 4 * (0.25**2 / 2) / 2
    between = 8 * (0.125**2 / 2)
    by_hand = [(between - first) / 8, (first - continuation) / 4, (continuation - later) / 2, later]
    assert all_of(outcomes) == pytest.approx(by_hand)
    # without later rounds the lowest level is the continuation
    assert all_of(outcomes[..., :1]) == pytest.approx([(0.25 - 0.25) / 4, (0.25 - 0.125 * 1) / 2 - 0.0625, 0.125])


def test_components_are_those_that_normal_outcomes_were_drawn_with_and_unbiased_below_zero():
    spreads = (1.0, 0.7, 0.0, 0.5)
    found = np.array([all_of(nested(np.random.default_rng(seed), (30, 4, 3, 2), spreads)) for seed in range(200)])
    assert (np.abs(found.mean(0) - np.square(spreads)) < 3 * found.std(0) / np.sqrt(200)).all()
    assert 0.3 < (found[:, 2] < 0).mean() < 0.7, "a level without variance is estimated below 0 half of the time"


def test_components_of_bernoulli_outcomes_are_the_variances_of_their_chances():
    generator = np.random.default_rng(0)
    of_question = generator.choice([0.3, 0.7], (4000, 1, 1, 1))
    of_first = of_question + generator.choice([-0.2, 0.2], (4000, 3, 1, 1))
    of_second = of_first + generator.choice([-0.1, 0.1], (4000, 3, 3, 1))
    right = generator.random((4000, 3, 3, 2)) < of_second
    mean_rest = (of_second * (1 - of_second)).mean()
    assert all_of(right.astype(float)) == pytest.approx([0.04, 0.04, 0.01, mean_rest], abs=0.004)


def records_of(outcomes, tokens=(10, 40)):
    rows = outcomes.reshape(len(outcomes), -1)
    return [{"samples": [{"correct": value, "tokens_by_round": list(tokens)} for value in row]} for row in rows]


def test_the_predicted_k_is_neymans_and_the_variance_at_equal_tokens_is_least_there():
    shape, spreads = Shape(4, 3, 2), (0.5, 0.4, 0.6, 0.8)
    found = decomposition(records_of(nested(np.random.default_rng(1), (600, 4, 3, 2), spreads)), shape)
    expected = np.sqrt((0.6**2 + 0.8**2) / 0.4**2 * 10 / 40)
    low, high = found["best_k_interval"]
    assert low < expected < high and found["best_k"] == pytest.approx(expected, rel=0.1)
    assert found["tokens"] == {"first_reply": 10.0, "continuation": 40.0}
    assert sum(row["share"] for row in found["components"]) == pytest.approx(1)
    for row, spread in zip(found["components"], spreads, strict=True):
        assert row["variance_interval"][0] < spread**2 < row["variance_interval"][1]
    at = {row["k"]: row["relative_variance"] for row in found["predicted"]}
    assert at[1] == 1 and at[8] == pytest.approx((0.16 + 1 / 8) * 330 / ((0.16 + 1) * 50), rel=0.1)
    assert min(at, key=at.get) == 1 and 1 < found["best_k"] < 2


def test_the_interval_of_the_predicted_k_holds_the_true_one():
    spreads, held = (0.5, 0.6, 0.6, 0.8), 0
    for seed in range(100):
        outcomes = nested(np.random.default_rng(seed), (40, 4, 3, 2), spreads)
        low, high = decomposition(records_of(outcomes), Shape(4, 3, 2))["best_k_interval"]
        held += low < np.sqrt(1 / 0.36 / 4) < high
    assert 88 <= held <= 100


def test_what_cannot_be_predicted_is_none():
    found = decomposition(records_of(np.ones((5, 2, 2, 2))), Shape(2, 2, 2))
    assert found["best_k"] is None and found["components"][0] == {
        **{"level": "question", "variance": 0.0, "variance_interval": [0.0, 0.0]},
        **{"share": None, "share_interval": None},
    }
    outcomes = nested(np.random.default_rng(0), (5, 2, 2, 2), (1, 1, 0, 0))
    assert decomposition(records_of(outcomes), Shape(2, 2, 2))["best_k"] is None, "nothing varies within first replies"


def test_every_continuation_of_a_grown_tree_has_as_many_ends():
    words, sizes = Words(), []

    def generate(talks, sampling):
        sizes.append(len(talks))
        return says(words, lambda text: good("3", "so"))(talks, sampling)

    forest = Forest(Episode(4, 20), generate, words, grade, Shape(2, 3, 2), seed=0)
    (found,) = forest.records([question()])
    assert sizes == [2, 6, 12, 12] and len(found["samples"]) == 12
    assert all(len(sample["tokens_by_round"]) == 4 for sample in found["samples"])


def test_an_episode_that_ended_early_stands_for_all_that_would_have_followed():
    forest = Forest(Episode(3, 20), lambda *_: [], Words(), grade, Shape(2, 2, 2), seed=0)
    whole = node(1, node(2, line(1, round=3), line(0, round=3)), node(2, right=True))
    paths = forest.balanced(tree(node(1, right=True), whole))
    assert [len(path) for path in paths] == [1, 1, 1, 1, 3, 3, 2, 2]
