"""Arithmetic on sums over inputs and time: the benchmark presented step by step."""

from typing import Any

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.arithmetic import Subsets
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
from nalu_seq.tasks.thresholds import OPERATIONS
from nalu_seq.units.weights import positive_integer


class ArithmeticRecurrent(SequenceTask):
    """`a op b` of two sums over inputs and time: every step adds to both.

        a_t = sum_{s <= t} of x_s over the first subset,  b_t = sum_{s <= t} of x_s over the second,
        y_t = a_t op b_t

    The subsets are those of `Arithmetic`. Only the last step is trained. The error is relative:
    mean absolute error over mean absolute target at the last step; a member has solved a split when
    it is below 1e-3.

    Example: where a sums the first input and b the second, the steps `[1, 2]`, `[2, 2]` have the
    targets `1 * 2 = 2` and `(1 + 2) * (2 + 2) = 12` for `mul`.

    Args:
        operation: add, sub, mul, div, square or root.
        inputs: how many inputs a step has.
        subset: the share of the inputs in each subset.
        overlap: the share of a subset that is in the other as well.
        length: the training length.
        lengths: the lengths to be measured at; the training length is put first if missing.
        range: the inputs' range `[low, high]`, of positive numbers.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.1, which leaves the details open.
    """

    output_size = 1
    criterion = Criterion("relative_error", 1e-3)

    def __init__(
        self,
        operation: str = "add",
        inputs: int = 100,
        subset: float = 0.25,
        overlap: float = 0.5,
        length: int = 10,
        lengths: list[int] | None = None,
        range: list[float] | None = None,
    ) -> None:
        if operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, not {operation!r}")
        self.operation = operation
        self.input_size = positive_integer("inputs", inputs)
        self.subsets = Subsets(self.input_size, subset, overlap, nested=False)
        self.length = positive_integer("length", length)
        low, high = _check_range([1.0, 2.0] if range is None else range)
        self.splits = length_splits(length, lengths, low=low, high=high)
        self.train_split = Split(EVALUATION_EXAMPLES, length, low, high)

    def target_state(self, members: int, examples: int) -> Any:
        """Both sums so far, `[M, B, 2]`, in float64: rounding is not to be measured."""
        return tf.zeros([members, examples, 2], tf.float64)

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Inputs `[M, B, T, inputs]` and targets `[M, B, T, 1]`."""
        words = draws.uniform(
            split.low, split.high, count * self.input_size, start * self.input_size
        )  # [M, B, T * inputs]
        shape = tf.shape(words)
        a, b = self.subsets.sums(
            tf.reshape(words, [shape[0], shape[1] * count, self.input_size]), draws
        )
        steps = tf.reshape(tf.concat([a, b], axis=2), [shape[0], shape[1], count, 2])
        sums = state[:, :, None] + tf.cumsum(tf.cast(steps, tf.float64), axis=2)  # [M, B, T, 2]
        y = OPERATIONS[self.operation](sums[..., :1], sums[..., 1:])
        x = tf.reshape(words, [shape[0], shape[1], count, self.input_size])
        return Batch(x, tf.cast(y, tf.float32)), sums[:, :, -1]

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error at the last step."""
        return mean_per_member(tf.square(prediction[:, :, -1] - y[:, :, -1]))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse`, `mae`, and `relative_error`: the latter over the mean absolute target."""
        error = tf.abs(prediction - y)
        mae = mean_per_member(error)
        return {
            "mse": mean_per_member(tf.square(error)),
            "mae": mae,
            "relative_error": mae / mean_per_member(tf.abs(y)),
        }


def _check_range(value: Any) -> tuple[float, float]:
    if not is_range(value) or value[0] <= 0:
        raise ValueError(f"range must be [low, high] with 0 < low < high, not {value!r}")
    return float(value[0]), float(value[1])
