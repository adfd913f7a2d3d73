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
# They fall over many decades while a run trains: a linear axis would show their start alone.
ERRORS = ("mae", "mse", "relative_error", "rounded_mae", "loss")
_LENGTH = re.compile(r"(length|digits)_(\d+)")
_RANGE = re.compile(r"range_(-?[\d.]+)_(-?[\d.]+)")


def metric_words(metric: str) -> str:
    """`mae` as `mean absolute error`; a metric of a user's own by its name."""
    return METRICS.get(metric, metric.replace("_", " "))


def split_words(split: str) -> str:
    """`length_1000` as `length 1,000`, `range_9_99` as `inputs 9 to 99`."""
    if match := _LENGTH.fullmatch(split):
        return f"{match[1]} {int(match[2]):,}"
    if match := _RANGE.fullmatch(split):
        return f"inputs {match[1]} to {match[2]}"
    return split.replace("_", " ")


def is_error(metric: str) -> bool:
    """Whether less is better, over decades."""
    return metric in ERRORS
