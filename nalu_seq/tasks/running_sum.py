"""Running sums of real numbers, extrapolated in length and in range."""

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


class RunningSum(SequenceTask):
    """Numbers from U[low, high]; the target is their sum so far, at every step.

    The error is relative: mean absolute error over mean absolute target at the last step. A member
    has solved a split when it is below 1e-3.

    There are no symbols: under `encoder=routed` the recurrent layer reads a 1 at each step, so that
    it can't spoil a sum by the range of its numbers, and has nothing to say of them either.

    Example: the numbers `0.5 -0.2 1.0` have the targets `0.5 0.3 1.3`.

    Args:
        length: the training length.
        lengths: the lengths to be measured at; the training length is put first if missing.
        range: the training range `[low, high]`.
        ranges: the ranges to be measured at, at the training length.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    input_size = output_size = numbers = 1
    combine = staticmethod(tf.add)
    criterion = Criterion("relative_error", 1e-3, above=False)

    def __init__(
        self,
        length: int = 10,
        lengths: list[int] | None = None,
        range: list[float] | None = None,
        ranges: list[list[float]] | None = None,
    ) -> None:
        self.length = positive_integer("length", length)
        low, high = _check_range("range", [-1.0, 1.0] if range is None else range)
        self.splits = length_splits(length, lengths, low=low, high=high)
        if not isinstance(ranges, list | None):
            raise ValueError(f"ranges must be a list of [low, high], not {ranges!r}")
        for wide in ranges or []:
            a, b = _check_range("ranges", wide)
            self.splits[f"range_{a:g}_{b:g}"] = Split(EVALUATION_EXAMPLES, length, a, b)
        self.train_split = Split(EVALUATION_EXAMPLES, length, low, high)
        self.initial_totals = min(0.0, length * low), max(0.0, length * high)

    def target_state(self, members: int, examples: int) -> Any:
        """The sum so far, `[M, B, 1]`, in float64: the target's rounding is not to be measured."""
        return tf.zeros([members, examples, 1], tf.float64)

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Numbers `[M, B, T, 1]` and their sums `[M, B, T, 1]`."""
        x = draws.uniform(split.low, split.high, count, start)[..., None]
        sums = state[:, :, None] + tf.cumsum(tf.cast(x, tf.float64), axis=2)
        return Batch(x, tf.cast(sums, tf.float32)), sums[:, :, -1]

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error over every step."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `relative_error`: it over the mean absolute target."""
        mae = mean_per_member(tf.abs(prediction - y))
        return {"mae": mae, "relative_error": mae / mean_per_member(tf.abs(y))}


def _check_range(name: str, value: Any) -> tuple[float, float]:
    if not is_range(value):
        raise ValueError(
            f"{name} must be two finite numbers [low, high] with low < high, not {value!r}"
        )
    return float(value[0]), float(value[1])
