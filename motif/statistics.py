"""Intervals for proportions."""

from motif.checks import whole


def wilson(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927) for `correct` of `n`, as proportions."""
    from scipy.stats import binomtest

    whole("n", n)
    whole("correct", correct, at_least=0, at_most=n)
    interval = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
