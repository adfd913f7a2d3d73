"""The probability that a drifting total has left its bounds."""

import numpy as np
from scipy.special import log_ndtr, ndtr


def passage(mean: np.ndarray, variance: np.ndarray, bound: float) -> np.ndarray:
    """The probability that a Brownian motion with drift has left (-bound, bound) by some time.

        P = Phi((m - b) / s) + exp(2 m b / s^2) Phi(-(m + b) / s)
          + Phi(-(m + b) / s) + exp(-2 m b / s^2) Phi((m - b) / s)

    The first two terms are for the bound that the drift leads to (an inverse Gaussian time), the
    others for the opposite bound. A motion that has passed both is counted twice, which makes P too
    large, never too small.

    Args:
        mean: m, the drift times the time, of any shape.
        variance: s^2, the variance at that time, of the same shape.
        bound: b, a positive number.

    Returns:
        The probability, of the shape of `mean`, at most 1.
    """
    m, b = np.abs(mean), bound
    moves = variance > 0
    square = np.where(moves, variance, 1.0)
    ahead, behind = (m - b) / np.sqrt(square), -(m + b) / np.sqrt(square)
    back = 2 * m * b / square
    probability = ndtr(ahead) + np.exp(back + log_ndtr(behind))
    probability += ndtr(behind) + np.exp(log_ndtr(ahead) - back)
    return np.where(moves, np.minimum(probability, 1.0), (m >= b).astype(float))
