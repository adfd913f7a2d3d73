"""Metrics and splits in words, for axes and headings."""

import re

METRICS = {
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "relative_error": "relative error",
    "rounded_mae": "mean absolute error of rounded outputs",
    "loss": "training loss",
    "exact": "share of exact answers",
    "accuracy": "share of right answers",
    "digit_accuracy": "share of digits read right",
    "sparsity_error": "distance of the worst weight from -1, 0 and 1",
    "restarts": "restarts",
    "solved_at": "step of the first solution",
}
# Metrics that fall over many decades in training; a linear axis would only show their start.
ERRORS = ("mae", "mse", "relative_error", "rounded_mae", "loss")
_LENGTH = re.compile(r"(length|digits)_(\d+)")
_RANGE = re.compile(r"range_(-?[\d.]+)_(-?[\d.]+)")


def metric_words(metric: str) -> str:
    """A metric in words: `mae` as `mean absolute error`.

    Args:
        metric: the metric's name; one that is not listed has its underscores replaced by blanks.
    """
    return METRICS.get(metric, metric.replace("_", " "))


def split_words(split: str) -> str:
    """A split in words: `length_1000` as `length 1,000`, `range_9_99` as `inputs 9 to 99`.

    Args:
        split: the split's name; one of another form has its underscores replaced by blanks.
    """
    if match := _LENGTH.fullmatch(split):
        return f"{match[1]} {int(match[2]):,}"
    if match := _RANGE.fullmatch(split):
        return f"inputs {match[1]} to {match[2]}"
    return split.replace("_", " ")


def is_error(metric: str) -> bool:
    """Whether a metric is an error, which is better the smaller and needs a logarithmic axis.

    Args:
        metric: the metric's name.
    """
    return metric in ERRORS
