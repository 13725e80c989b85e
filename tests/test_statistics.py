import pytest

from motif.checks import UserError
from motif.statistics import wilson


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
