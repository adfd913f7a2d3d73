"""Statistics of members on a split: success rates, steps to success and errors, with intervals."""

from collections.abc import Sequence
from math import inf, nan
from statistics import median

from nalu_seq.evaluation.intervals import (
    Estimate,
    beta_mean,
    gamma_mean,
    median_interval,
    student_mean,
    wilson,
)
from nalu_seq.reports.summaries import Member


def success_rate(members: Sequence[Member], split: str) -> Estimate:
    """The share of members that solved a split, with Wilson's interval.

    Args:
        members: the members, at least one.
        split: a split that they are judged on.
    """
    solved = sum(m["solved"][split] for m in members)
    return Estimate(solved / len(members), *wilson(solved, len(members)))


def solved_at(members: Sequence[Member], split: str) -> list[int]:
    """The first measured step, of each member that solved a split, at which it had solved it.

    Args:
        members: the members; those that have not solved the split are left out.
        split: a split that they are judged on.

    Returns:
        Training steps, 1 or more, in the members' order.
    """
    # Initial values may solve a split at step 0, which a Gamma distribution does not contain.
    return [max(m["solved_at"][split], 1) for m in members if m["solved"][split]]


def solved_at_mean(
    members: Sequence[Member], split: str, hold_variance: bool = False
) -> Estimate | None:
    """The mean of `solved_at` under a Gamma distribution; None if no member solved the split.

    Args:
        members: the members; those that have not solved the split are left out.
        split: a split that they are judged on.
        hold_variance: compute the interval as Madsen & Johansen's code does, with the variance of
            the values held fixed.

    Returns:
        Training steps with a 95 % interval.
    """
    steps = solved_at(members, split)
    return gamma_mean(steps, hold_variance=hold_variance) if steps else None


def solved_at_median(members: Sequence[Member], split: str) -> Estimate | None:
    """The median of `solved_at`, without an interval; None if no member solved the split.

    Args:
        members: the members; those that have not solved the split are left out.
        split: a split that they are judged on.

    Returns:
        Training steps; the interval's limits are NaN.
    """
    steps = solved_at(members, split)
    return Estimate(float(median(steps)), nan, nan) if steps else None


def sparsity_error(members: Sequence[Member], split: str) -> Estimate | None:
    """The mean sparsity error under a Beta distribution, over the members that solved a split.

    Args:
        members: the members; those that have not solved the split are left out.
        split: a split that they are judged on.

    Returns:
        The mean, from 0 to 0.5, with its 95 % interval; None if no member solved the split or none
        has a sparsity error.
    """
    errors = [m.get("sparsity_error") for m in members if m["solved"][split]]
    # Weights beyond 1.5 are further than 0.5 from 0 and 1; the published statistic cuts there.
    finite_errors = [min(error, 0.5) for error in errors if error is not None]
    return beta_mean(finite_errors) if finite_errors else None


def mean_error(members: Sequence[Member], split: str, metric: str) -> Estimate | None:
    """The mean error on a split under a Gamma distribution, over all members.

    Args:
        members: the members, at least one.
        split: the split that was measured.
        metric: the name of the error metric.

    Returns:
        The mean, in which an error of 0 counts as 1e-6, with its 95 % interval; None if a member
        diverged.
    """
    errors = [m[metric][split] for m in members]
    if any(error is None for error in errors):
        return None
    # A Gamma distribution does not contain 0: an error of 0 is replaced by one of float32's
    # rounding.
    return gamma_mean([max(error, 1e-6) for error in errors])


def median_error(members: Sequence[Member], split: str, metric: str) -> Estimate | None:
    """The median error on a split, between two of the errors that hold it with 95 % confidence.

    Args:
        members: the members, at least one.
        split: the split that was measured.
        metric: the name of the error metric.

    Returns:
        The median; None if a member diverged.
    """
    errors = [m[metric][split] for m in members]
    return None if any(error is None for error in errors) else median_interval(errors)


def percent_of_untrained(members: Sequence[Member], split: str, metric: str) -> Estimate | None:
    """The errors on a split in percent of an untrained model's: 0 is perfect, 100 no better.

        100 error / median over the members of their errors at step 0

    Args:
        members: the members, at least one.
        split: the split that was measured.
        metric: the name of the error metric.

    Returns:
        The median, the smallest and the largest over the members, infinite for one that diverged;
        None if their summary has no errors at step 0.

    Source: Trask et al. 2018 (arXiv 1808.00508), Table 1. The paper does not say of how many
        models its random one is made; the median keeps a few of them from deciding.
    """
    untrained = [m.get("initial", {}).get(split) for m in members]
    finite_errors = [error for error in untrained if error]
    if not finite_errors:
        return None
    errors = [inf if m[metric][split] is None else m[metric][split] for m in members]
    percents = [100 * error / median(finite_errors) for error in errors]
    return Estimate(median(percents), min(percents), max(percents))


def mean_accuracy(members: Sequence[Member], split: str, metric: str) -> Estimate | None:
    """The mean accuracy on a split with Student's interval, over all members.

    Args:
        members: the members, at least one.
        split: the split that was measured.
        metric: the name of the metric.

    Returns:
        The mean, its limits within 0 and 1; None if a member diverged.
    """
    shares = [m[metric][split] for m in members]
    if any(share is None for share in shares):
        return None
    mean, low, high = student_mean(shares)
    return Estimate(mean, max(low, 0.0), min(high, 1.0))
