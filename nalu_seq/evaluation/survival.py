"""Statistics of when members solve their task, which include the members that never did.

A member that had not solved its task when its training ended is censored at that step: it would
have taken longer. Its entry in `solved_at` is NaN or None.
"""

from collections.abc import Sequence
from math import inf, nan
from typing import NamedTuple

import numpy as np
from scipy.stats import CensoredData, binom, ecdf, norm

from nalu_seq.evaluation.intervals import Estimate, wilson_limits

SolvedAt = Sequence[float | None] | np.ndarray

_STEADY = 10  # successive numbers of seeds that must reach the power
_MOST_SEEDS = 2000


class Curve(NamedTuple):
    """The share of members that have solved the task by each of `steps`, with its limits."""

    steps: np.ndarray
    solved: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Restarts(NamedTuple):
    """The step at which to give a run up, and the mean number of steps to a solution then."""

    cutoff: float
    expected: float
    low: float
    high: float


def kaplan_meier(
    solved_at: SolvedAt, steps: float | Sequence[float] | np.ndarray, confidence: float = 0.95
) -> Curve:
    """The share of members that have solved the task by each step, by Kaplan and Meier.

        1 - prod_{t_i <= t} (1 - d_i / r_i),    d_i solve it at t_i, of r_i that had not and
        were still trained

    The interval, at each step alone, is Wilson's for that share of the members that were to be
    trained that long. So it has a width also where none has solved the task or all have, where
    Greenwood's is undefined, and with one `steps` for all it ends as that of the success rate.

    Args:
        solved_at: for each member the step at which it first solved the task, or NaN or None.
        steps: how long members were to be trained; one number, or one for each member.
        confidence: the interval's level.

    Returns:
        The curve at the steps at which members solved it or their training ended; it is 0 before
        and level in between.

    Raises:
        ValueError: there are no members, or one solved the task after its training ended.

    Example:
        >>> curve = kaplan_meier([10, 30, None, None], steps=[50, 50, 20, 50])
        >>> curve.steps.tolist(), curve.solved.tolist()
        ([10.0, 20.0, 30.0, 50.0], [0.25, 0.25, 0.625, 0.625])

    Source: Kaplan & Meier 1958, Journal of the American Statistical Association 53.
    """
    times, ends = _members("kaplan_meier", solved_at, steps)
    solved = np.isfinite(times)
    curve = ecdf(CensoredData.right_censored(np.where(solved, times, ends), ~solved)).cdf
    at = np.asarray(curve.quantiles)
    members_at_risk = (ends[:, None] >= at).sum(axis=0)
    low, high = wilson_limits(curve.probabilities * members_at_risk, members_at_risk, confidence)
    return Curve(at, np.asarray(curve.probabilities), low, high)


def restarts(
    solved_at: SolvedAt,
    steps: float,
    confidence: float = 0.95,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Restarts:
    """The mean number of training steps to a first solution if unsolved runs are given up in time.

        E(c) = sum_i min(T_i, c) / #{i: T_i <= c},    at the c with the smallest E

    A run that has not solved the task by step c is abandoned, and one with a new seed begun. The
    smallest of many uncertain numbers is too small: `expected` is optimistic where the best cutoff
    rests on few members. The interval allows for that, as best it can with few members.

    Args:
        solved_at: for each member the step at which it first solved the task, or NaN or None.
        steps: how long every member was trained.
        confidence: the level of the interval of the expected number of steps.
        resamples: how many times members are drawn anew, with replacement, for that interval; in
            each sample the best cutoff is found anew, for it is as uncertain as the rest.
        seed: the seed by which the members are drawn.

    Returns:
        The best cutoff, one of the steps at which a member solved the task, and the mean number of
        steps with its interval. If no member solved the task, the cutoff is NaN and all else inf;
        if few did, `high` is inf.

    Raises:
        ValueError: there are no members, or one solved the task after `steps`.

    Example:
        >>> restarts([10, 20, 500, None], steps=1000)[:2]  # (10 + 20 + 20 + 20) / 2
        (20.0, 35.0)

    Source: Luby, Sinclair & Zuckerman 1993, Information Processing Letters 47; the interval is
    that of the bias-corrected percentile bootstrap (Efron & Tibshirani 1993, section 14.3).
    """
    times = np.sort(_members("restarts", solved_at, steps)[0])
    expected = _expected_steps(times, steps)
    best = int(np.argmin(expected))
    draws = np.sort(np.random.default_rng(seed).choice(times, (resamples, len(times))))
    resampled = _expected_steps(draws, steps).min(axis=-1)
    low, high = _bias_corrected(resampled, float(expected[best]), confidence)
    cutoff = nan if np.isinf(expected[best]) else float(times[best])
    return Restarts(cutoff, float(expected[best]), low, high)


def probability_better(a: SolvedAt, b: SolvedAt, confidence: float = 0.95) -> Estimate:
    """The probability that one unit solves the task before another does on the same seed.

        mean_i of  1 if A_i < B_i,  1/2 if A_i = B_i,  0 if A_i > B_i;    never solved is inf

    Its interval is Wilson's, with the mean for the rate and pairs for trials. Ties make it
    conservative, as halves vary less than wins and losses; an interval that reckoned with that
    would shrink to a point where all pairs tie, however few they are.

    Args:
        a: for each seed the step at which the first unit solved the task, or NaN or None.
        b: the same of the second, seeds in the same order.
        confidence: the interval's level.

    Raises:
        ValueError: there are no pairs, or not as many of `a` as of `b`.

    Example:
        >>> probability_better([10, 20, None, None], [30, None, None, 40]).value
        0.625

    Source: the probability of improvement of Agarwal et al. 2021 (arXiv 2108.13264), paired.
    """
    first, _ = _members("probability_better", a, inf)
    second, _ = _members("probability_better", b, inf)
    if first.shape != second.shape:
        raise ValueError(f"probability_better: {len(first)} members against {len(second)}")
    wins = float(np.where(first == second, 0.5, first < second).sum())
    low, high = wilson_limits(np.asarray(wins), len(first), confidence)
    return Estimate(wins / len(first), float(low), float(high))


def newcombe_power(rate_a: float, rate_b: float, n: int, alpha: float = 0.05) -> float:
    """How likely `n` seeds of either unit are to show which of two success rates is higher.

        P(Newcombe's interval of p_a - p_b lies above 0),    p_a > p_b,

    summed over both binomial distributions, without simulation or approximation.

    Args:
        rate_a: the success rate of one unit.
        rate_b: the success rate of the other.
        n: how many seeds each unit is trained with.
        alpha: 1 - the interval's level.

    Raises:
        ValueError: n is not positive, rates are not in [0, 1], or alpha is not in (0, 1).

    Example:
        >>> round(newcombe_power(0.9, 0.5, 20), 3)
        0.837

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.
    """
    if n < 1 or not (0 <= rate_a <= 1 and 0 <= rate_b <= 1):
        raise ValueError(f"needs seeds, and rates in [0, 1], not {n}, {rate_a} and {rate_b}")
    successes = np.arange(n + 1)
    better = binom.pmf(successes, n, max(rate_a, rate_b))
    worse = binom.pmf(successes, n, min(rate_a, rate_b))
    # Counts of lower probability are left out: they hardly change the sum.
    i, j = np.flatnonzero(better > 1e-12), np.flatnonzero(worse > 1e-12)
    rates = successes / n
    low, high = wilson_limits(successes, n, 1 - alpha)
    reach = np.sqrt((rates - low)[i, None] ** 2 + (high - rates)[j] ** 2)
    significant = rates[i, None] - rates[j] > reach
    return float(better[i] @ significant @ worse[j])


def seeds_needed(rate_a: float, rate_b: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many seeds per unit it takes to tell two success rates apart.

    The smallest n at which `newcombe_power` reaches `power` and keeps it for the next 9 numbers:
    as rates move in steps of 1/n, it climbs like the edge of a saw and may fall back at first.

    Args:
        rate_a: the success rate to expect of one unit.
        rate_b: the success rate to expect of the other.
        power: how likely the difference is to be shown.
        alpha: 1 - the level of the interval that shows it by not containing 0.

    Raises:
        ValueError: rates are equal or not in [0, 1], power or alpha is not in (0, 1), or 2000
            seeds are not enough.

    Example:
        >>> seeds_needed(0.9, 0.5)
        19

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.
    """
    if rate_a == rate_b:
        raise ValueError(
            f"seeds_needed: the rates are equal, {rate_a}: no number of seeds shows a difference"
        )
    if not 0 < power < 1:
        raise ValueError(f"seeds_needed: power must be between 0 and 1, not {power}")
    successes_found = 0
    for n in range(1, _MOST_SEEDS + _STEADY):
        successes_found = (
            successes_found + 1 if newcombe_power(rate_a, rate_b, n, alpha) >= power else 0
        )
        if successes_found == _STEADY:
            return n - _STEADY + 1
    raise ValueError(f"seeds_needed: {_MOST_SEEDS} seeds cannot tell {rate_a} from {rate_b}")


def _members(
    name: str, solved_at: SolvedAt, steps: float | Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """When each member solved the task, inf if it never did, and how long it was trained."""
    times = np.asarray(solved_at, np.float64)
    if times.ndim != 1 or not times.size:
        raise ValueError(f"{name}: needs a list with one entry for each member")
    ends = np.broadcast_to(np.asarray(steps, np.float64), times.shape)
    if not np.all(
        (ends >= 0) & (np.isnan(times) | ((times >= 0) & (times <= ends) & (times < inf)))
    ):
        raise ValueError(f"{name}: members solve the task between step 0 and the last, or never")
    return np.where(np.isnan(times), inf, times), ends


def _expected_steps(times: np.ndarray, steps: float) -> np.ndarray:
    """E at each member's time as the cutoff; times ascend along the last axis, `[..., members]`."""
    solved = np.arange(1, times.shape[-1] + 1)
    until = np.minimum(times, steps)
    total_steps = np.cumsum(until, axis=-1) + (times.shape[-1] - solved) * until
    return np.where(times < inf, total_steps / solved, inf)


def _bias_corrected(resampled: np.ndarray, value: float, confidence: float) -> tuple[float, float]:
    """The percentile bootstrap's interval, moved by twice as much as `value` is off the median."""
    below = np.mean(resampled < value) + np.mean(resampled == value) / 2
    tails = norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = norm.cdf(2 * norm.ppf(below) + tails)
    # Between a number and inf there is nothing to interpolate.
    low, high = np.quantile(resampled, levels, method="inverted_cdf")
    return float(low), float(high)
