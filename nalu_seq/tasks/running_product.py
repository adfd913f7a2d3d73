"""Running products of real numbers, extrapolated in length and in range."""

import math
from typing import Any

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    EVALUATION_EXAMPLES,
    Batch,
    Criterion,
    SequenceTask,
    Split,
    length_splits,
    mean_per_member,
)
from nalu_seq.tasks.ranges import is_range
from nalu_seq.units.weights import positive_integer

LARGEST_LOG = 87.0  # exp(87) and exp(-87) are float32 numbers of full precision
DEVIATIONS = 6.0  # a product leaves this many standard deviations once in 500 million sequences


class RunningProduct(SequenceTask):
    """Numbers whose product so far is the target, at every step.

        x_t = +-u or +-1/u with u ~ U[low, high],    y_t = x_1 x_2 ... x_t

    As a number is as often 1/u as u, products neither grow nor shrink on the whole. The targets are
    kept as a sign and a float64 logarithm, so that no product on the way is lost. Ranges and
    lengths with which a product would leave float32 are refused.

    The loss and the error are relative, as products differ by many powers of ten: the mean of
    `|prediction / target - 1|`, squared in the loss, over all steps, and at the last step in
    `relative_error`. A member has solved a split when it is below 1e-3.

    Example: the numbers `2 -0.5 -1.5` have the targets `2 -1 1.5`.

    Args:
        negative: the share of the numbers that are negative.
        length: the training length.
        lengths: the lengths to be measured at; the training length is put first if missing.
        range: the training range `[low, high]` of u, with low above 0.
        ranges: the ranges to be measured at, at the training length.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    input_size = output_size = numbers = 1
    combine = staticmethod(tf.multiply)
    criterion = Criterion("relative_error", 1e-3)

    def __init__(
        self,
        negative: float = 0.5,
        length: int = 10,
        lengths: list[int] | None = None,
        range: list[float] | None = None,
        ranges: list[list[float]] | None = None,
    ) -> None:
        number = isinstance(negative, int | float) and not isinstance(negative, bool)
        if not number or not 0 <= negative <= 1:
            raise ValueError(f"negative must be a number from 0 to 1, not {negative!r}")
        self.negative = float(negative)
        self.length = positive_integer("length", length)
        low, high = _check_range("range", [1.0, 2.0] if range is None else range)
        self.splits = length_splits(length, lengths, low=low, high=high)
        if not isinstance(ranges, list | None):
            raise ValueError(f"ranges must be a list of [low, high], not {ranges!r}")
        for wide in ranges or []:
            a, b = _check_range("ranges", wide)
            self.splits[f"range_{a:g}_{b:g}"] = Split(EVALUATION_EXAMPLES, length, a, b)
        for split in self.splits.values():
            _check_float32(split)
        self.train_split = Split(EVALUATION_EXAMPLES, length, low, high)
        reach = max(high, 1 / low)
        self.initial_totals = 1 / reach, reach

    def target_state(self, members: int, examples: int) -> Any:
        """The sign of the product so far and its logarithm, each `[M, B]` in float64."""
        return (
            tf.ones([members, examples], tf.float64),
            tf.zeros([members, examples], tf.float64),
        )

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Numbers `[M, B, T, 1]` and their products `[M, B, T, 1]`."""
        sign, log = state
        u = draws.uniform(split.low, split.high, count, start)  # [M, B, T]
        inverse = draws.uniform(0.0, 1.0, count, start, channel=1) < 0.5
        negative = draws.uniform(0.0, 1.0, count, start, channel=2) < self.negative
        # A quotient has the same bits compiled and not, which an exponential has not.
        x = tf.where(negative, -1.0, 1.0) * tf.where(inverse, 1.0 / u, u)
        exact = tf.cast(x, tf.float64)
        signs = sign[:, :, None] * tf.math.cumprod(tf.sign(exact), axis=2)
        logs = log[:, :, None] + tf.cumsum(tf.math.log(tf.abs(exact)), axis=2)
        y = tf.cast(signs * tf.exp(logs), tf.float32)
        return Batch(x[..., None], y[..., None]), (signs[:, :, -1], logs[:, :, -1])

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared relative error over every step."""
        return mean_per_member(tf.square(prediction / y - 1.0))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`relative_error`, the mean of `|prediction / target - 1|`."""
        return {"relative_error": mean_per_member(tf.abs(prediction / y - 1.0))}


def _check_range(name: str, value: Any) -> tuple[float, float]:
    if not is_range(value) or not value[0] > 0:
        raise ValueError(f"{name} must be [low, high] with 0 < low < high, not {value!r}")
    return float(value[0]), float(value[1])


def _check_float32(split: Split) -> None:
    """Raise ValueError if a product of a split's numbers can leave float32."""
    low, high = split.low, split.high
    largest = max(math.log(high), -math.log(low))

    def integral(u: float) -> float:
        """The integral of log(u)^2."""
        return u * (math.log(u) ** 2 - 2 * math.log(u) + 2)

    deviation = math.sqrt((integral(high) - integral(low)) / (high - low))
    longest = int(max(LARGEST_LOG / largest, (LARGEST_LOG / (DEVIATIONS * deviation)) ** 2))
    if split.length > longest:
        raise ValueError(
            f"lengths: products of {split.length} numbers from the range [{low:g}, {high:g}] can "
            f"leave float32: take at most {longest} numbers, or a range nearer to 1"
        )
