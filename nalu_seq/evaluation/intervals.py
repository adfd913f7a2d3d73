"""Intervals for what is measured over members: success rates, means, and how two compare."""

from collections.abc import Callable, Sequence
from functools import partial
from math import exp, expm1, hypot, log, nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, betaln, expit, gammaln, ndtri, stdtrit

Values = Sequence[float] | np.ndarray


class Estimate(NamedTuple):
    """A value and the limits of its interval, NaN where there is no interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate.

        the p with (p_hat - p)^2 <= z^2 p (1 - p) / n

    Args:
        successes: how many of `n` members succeeded.
        n: how many members there are, those that diverged included.
        confidence: the interval's level.

    Raises:
        ValueError: not 0 <= successes <= n, n is 0, or confidence is not in (0, 1).

    Example:
        >>> wilson(0, 100)[1]  # 0.0370, as in Madsen & Johansen 2020
        0.03699...

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson: needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    low, high = wilson_limits(np.asarray(successes), np.asarray(n), confidence)
    return float(low), float(high)


def wilson_limits(
    successes: np.ndarray, n: np.ndarray | int, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's limits of many rates at once; `successes` need not be whole numbers.

    Args:
        successes: how many members succeeded, in each place of an array of any shape.
        n: how many members there are, in the same shape, or one number for all.
        confidence: the level of the intervals.

    Returns:
        The lower and the upper limits, in the shape of `successes`.

    Raises:
        ValueError: confidence is not in (0, 1).

    Example:
        >>> low, high = wilson_limits(np.array([0, 2.5]), 5)
        >>> high.round(3).tolist()
        [0.434, 0.83]
    """
    z = ndtri(_upper(confidence))
    rate = successes / n
    centre = rate + z**2 / (2 * n)
    half = z * np.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2)
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    # At rates of 0 and 1 rounding would leave the rate itself outside.
    return np.clip(low, 0.0, rate), np.clip(high, rate, 1.0)


def newcombe(
    successes_a: int, n_a: int, successes_b: int, n_b: int, confidence: float = 0.95
) -> Estimate:
    """The difference of two success rates, a - b, with Newcombe's hybrid score interval.

        d - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)  to  d + sqrt((u_a - p_a)^2 + (p_b - l_b)^2)

    with Wilson's limits l and u of either rate.

    Args:
        successes_a: how many of the first `n_a` members succeeded.
        n_a: how many members the first has.
        successes_b: how many of the second `n_b` members succeeded.
        n_b: how many members the second has.
        confidence: the interval's level.

    Raises:
        ValueError: as `wilson`.

    Example:
        >>> [round(x, 4) for x in newcombe(56, 70, 48, 80)]
        [0.2, 0.0524, 0.3339]

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.
    """
    low_a, high_a = wilson(successes_a, n_a, confidence)
    low_b, high_b = wilson(successes_b, n_b, confidence)
    return gap(
        Estimate(successes_a / n_a, low_a, high_a), Estimate(successes_b / n_b, low_b, high_b)
    )


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """The ratio of two independent positive means, a / b, from their intervals alone.

        log r = log a - log b,  its limits as far off as both means' limits together (root of the
        sum of squares, on the log scale)

    So a published mean can be compared of which nothing but its interval is known. Where both
    intervals are symmetric on the log scale, the result is the usual interval from the standard
    errors that their widths stand for.

    Args:
        a: the mean that is divided.
        b: the mean that it is divided by, with an interval of the same level as `a`'s, which is
            also the level of the ratio's interval.

    Returns:
        The ratio; its interval is NaN where that of `a` or `b` is.

    Raises:
        ValueError: a mean or a limit is not positive.

    Example:
        >>> [round(x, 2) for x in ratio(Estimate(6.0, 3.0, 12.0), Estimate(2.0, 1.0, 4.0))]
        [3.0, 1.13, 8.0]

    Source: Zou & Donner 2008, Statistics in Medicine 27:1693 (MOVER).
    """
    if any(x <= 0 for x in (*a, *b)):
        raise ValueError(f"ratio: means and limits must be positive, not {tuple(a)}, {tuple(b)}")
    log_a, log_b = (Estimate(*(log(x) for x in mean)) for mean in (a, b))
    return Estimate(*(exp(x) for x in gap(log_a, log_b)))


def gamma_mean(
    values: Values, confidence: float = 0.95, *, hold_variance: bool = False
) -> Estimate:
    """The mean of a Gamma distribution, such as that of solved-at steps, by maximum likelihood.

        l(mu) = max_k sum_i log Gamma(x_i; shape k, mean mu),
        every mu with 2 (l(mu_hat) - l(mu)) <= chi2_1

    mu_hat is the values' mean. Values that differ by less than 1e-4 of it (standard deviation)
    get Student's t interval, and one value alone gets NaN.

    With `hold_variance` the interval is the one that Madsen & Johansen 2020 print. They estimate
    mean and variance together, but the variance is about 1e12, and their optimiser hardly moves it
    from where it starts: at the variance of the values. Use `hold_variance` to compare with their
    tables: of the 7 runs that Linear solved on "-" they print 1.4e6 [0.8e6, 2.1e6], where the
    values' mean is 3.0e6.

    Args:
        values: one for each member that solved the task.
        confidence: the interval's level.
        hold_variance: take the values' variance (n - 1) for the distribution's, instead of k free.

    Raises:
        ValueError: there are no values, or one is not positive and finite.

    Example:
        >>> [round(x) for x in gamma_mean([20_000, 30_000, 70_000])]
        [40000, 19761, 100454]

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), the code of its tables.
    """
    x = _array("gamma_mean", values)
    if not np.all(x > 0):
        raise ValueError("gamma_mean: values must be positive")
    mean = float(x.mean())
    if _nearly_equal(x, mean):
        return _student_interval(x, confidence)
    spread = float(-np.log(x / mean).mean())

    def likelihood(shift: float, log_shape: float) -> float:  # shift = log(mu / mean)
        k = exp(log_shape)
        return len(x) * (k * log_shape - gammaln(k) - k * (1 + spread + shift + expm1(-shift)))

    def profile(shift: float) -> float:
        if hold_variance:  # k = mu^2 / variance
            return likelihood(shift, 2 * (log(mean / x.std(ddof=1)) + shift))
        return _highest(partial(likelihood, shift))

    # Near the values' mean: at a fixed variance there is another peak, where k is next to 0.
    peak = _argmax(profile, -2.0, 2.0) if hold_variance else 0.0
    low, high = _likelihood_interval(profile, peak, confidence)
    return Estimate(*(mean * exp(shift) for shift in (peak, low, high)))


def beta_mean(values: Values, confidence: float = 0.95) -> Estimate:
    """The mean of a Beta distribution on [0, 0.5], that of sparsity errors, by maximum likelihood.

        l(m) = max_c sum_i log Beta(2 x_i; m c, (1 - m) c),    mean m / 2,
        all m with 2 (l(m_hat) - l(m)) <= chi2_1

    It is not the values' mean. As published, values are kept 1e-16 off 0 and 0.5, and values
    that hardly differ (by 1e-10, or 1e-4 of their distance from the nearer end) get Student's t
    interval, within [0, 0.5]; one value alone gets a NaN interval.

    Args:
        values: one for each member that solved the task, in [0, 0.5].
        confidence: the interval's level.

    Raises:
        ValueError: there are no values, or one is not in [0, 0.5].

    Example:
        >>> [round(x, 3) for x in beta_mean([0.01, 0.02, 0.2])]
        [0.077, 0.022, 0.253]

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), the code of its tables.
    """
    x = _array("beta_mean", values)
    if not np.all((x >= 0) & (x <= 0.5)):
        raise ValueError("beta_mean: values must be between 0 and 0.5")
    x = np.clip(x, 1e-16, 0.5 - 1e-16)
    if x.std() <= 1e-10 or _nearly_equal(x, min(x.mean(), 0.5 - x.mean())):
        value, low, high = _student_interval(x, confidence)
        return Estimate(value, max(low, 0.0), min(high, 0.5))
    log_y, log_rest = float(np.log(2 * x).mean()), float(np.log1p(-2 * x).mean())

    def likelihood(logit: float, log_concentration: float) -> float:
        a, b = exp(log_concentration) * expit(logit), exp(log_concentration) * expit(-logit)
        return len(x) * (a * log_y + b * log_rest - betaln(a, b))

    def profile(logit: float) -> float:
        return _highest(partial(likelihood, logit))

    # By Jensen's inequality the mean is above the geometric mean, and 1 - mean above that of 1 - y.
    peak = _argmax(profile, log_y - log(-expm1(log_y)), log(-expm1(log_rest)) - log_rest)
    low, high = _likelihood_interval(profile, peak, confidence)
    return Estimate(*(float(expit(logit)) / 2 for logit in (peak, low, high)))


def gap(a: Estimate, b: Estimate) -> Estimate:
    """The difference a - b of two independent estimates, its limits by MOVER.

    Args:
        a: an estimate with its interval.
        b: the estimate that is subtracted.

    Example:
        >>> gap(Estimate(5.0, 2.0, 6.0), Estimate(1.0, 0.0, 5.0))
        Estimate(value=4.0, low=-1.0, high=5.414213562373095)

    Source: Zou & Donner 2008, Statistics in Medicine 27.
    """
    value = a.value - b.value
    low = value - hypot(a.value - a.low, b.high - b.value)
    return Estimate(value, low, value + hypot(a.high - a.value, b.value - b.low))


def _student_interval(x: np.ndarray, confidence: float) -> Estimate:
    mean = float(x.mean())
    if len(x) < 2:
        return Estimate(mean, nan, nan)
    half = float(stdtrit(len(x) - 1, _upper(confidence)) * x.std(ddof=1) / sqrt(len(x)))
    return Estimate(mean, mean - half, mean + half)


def student_mean(values: Values, confidence: float = 0.95) -> Estimate:
    """The mean of values with Student's t interval; one value alone has none.

    Args:
        values: at least one.
        confidence: the interval's level.

    Raises:
        ValueError: there are no values, or one is not finite.

    Example:
        >>> [round(x, 2) for x in student_mean([1.0, 2.0, 3.0])]
        [2.0, -0.48, 4.48]
    """
    return _student_interval(_array("student_mean", values), confidence)


def median_interval(values: Values, confidence: float = 0.95) -> Estimate:
    """The median of values, between two of them that hold it with the given confidence.

        P(x_(k) <= median <= x_(n + 1 - k)) = 1 - 2 P(Binomial(n, 1/2) < k)

    with the largest k for which this is at least the confidence; of ten values these are the second
    and the ninth. Nothing is assumed of their distribution. Five values or fewer have no interval.

    Args:
        values: at least one.
        confidence: the interval's level, reached or exceeded.

    Raises:
        ValueError: there are no values, or one is not finite.

    Example:
        >>> median_interval(range(1, 11))
        Estimate(value=5.5, low=2.0, high=9.0)
    """
    x = np.sort(_array("median_interval", values))
    tails = bdtr(np.arange(len(x)), len(x), 0.5)  # P(Binomial <= 0), P(Binomial <= 1), ...
    k = int(np.sum(tails <= (1 - confidence) / 2))
    if k < 1:
        return Estimate(float(np.median(x)), nan, nan)
    return Estimate(float(np.median(x)), float(x[k - 1]), float(x[-k]))


def _likelihood_interval(
    likelihood: Callable[[float], float], peak: float, confidence: float
) -> tuple[float, float]:
    """The two points at which a log-likelihood is half the chi-squared quantile below its peak."""
    from scipy.optimize import brentq  # takes half a second, which no training should wait for

    bar = likelihood(peak) - ndtri(_upper(confidence)) ** 2 / 2

    def edge(step: float) -> float:
        while likelihood(peak + step) > bar:
            step *= 2
        return brentq(lambda at: likelihood(at) - bar, peak, peak + step)

    return edge(-1e-3), edge(1e-3)


def _highest(likelihood: Callable[[float], float]) -> float:
    """The maximum of a log-likelihood over the logarithm of its nuisance parameter."""
    return likelihood(_argmax(likelihood, -20.0, 60.0))


def _argmax(f: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import minimize_scalar

    optimum = minimize_scalar(
        lambda x: -f(x), bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return float(optimum.x)


def _nearly_equal(x: np.ndarray, distance: float) -> bool:
    """Whether values are so alike that a distribution can't be fitted: its shape is above 1e8."""
    return float(x.std()) <= 1e-4 * distance


def _array(name: str, values: Values) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not x.size or not np.all(np.isfinite(x)):
        raise ValueError(f"{name}: needs a list of finite values")
    return x


def _upper(confidence: float) -> float:
    """The probability below the upper end of a two-sided interval."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    return (1 + confidence) / 2
