"""Intervals for what is measured over members."""

from scipy.stats import binomtest


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate.

    Args:
        successes: how many of `n` members succeeded.
        n: how many members there are, those that diverged included.
        confidence: its level.

    Example:
        >>> wilson(0, 100)[1]  # 0.0370, as in Madsen & Johansen 2020
        0.03699...
    """
    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
