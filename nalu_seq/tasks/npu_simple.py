"""NPU's simple task: the sum, product, quotient and root of two numbers by one network."""

from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch, Criterion, ExampleTask, Split
from nalu_seq.tasks.ranges import is_range

OPERATIONS = ("add", "mul", "div", "root")
TRAINED = np.linspace(0.1, 2.0, 20)
TESTED = np.linspace(-4.1, 3.9, 41)
ROOTED = np.linspace(0.1, 4.0, 40)  # a root wants positive numbers
SOLVED = 0.01


class NpuSimple(ExampleTask):
    """`f(x, y) = (x + y, x y, x / y, sqrt x)`, trained on positive numbers.

    Every step draws new numbers. `validation` is measured on a grid of 20 x 20 pairs from 0.1 to 2,
    all four outputs together. Each operation has a split of its own, on a grid of 41 x 41 pairs
    from -4.1 to 3.9 in steps of 0.2 (`root`: 40 x 40 pairs from 0.1 to 4), where the other three
    outputs have the target NaN and count for nothing. A member has solved a split when its mean
    absolute error is below 0.01; the paper has no success, only mean errors.

    Example: the input `[4, 2]` has the targets `[6, 8, 2, 2]`.

    Args:
        range: `[low, high]` of both numbers in training. The published script has [0.1, 2.1]; the
            paper prints 0.1 to 2.

    Raises:
        ValueError: the range is none, or begins at 0 or below.

    Source: Heim, Pevny & Smidl 2020 (arXiv 2006.01681), section 4.2, and their code.
    """

    input_size, output_size = 2, 4
    criterion = Criterion("mae", SOLVED)

    def __init__(self, range: list[float] | None = None) -> None:
        range = [0.1, 2.1] if range is None else range
        if not is_range(range) or range[0] <= 0:
            raise ValueError(f"range must be [low, high] with 0 < low < high, not {range!r}")
        self.low, self.high = map(float, range)
        grids = {"validation": TRAINED} | {
            operation: ROOTED if operation == "root" else TESTED for operation in OPERATIONS
        }
        self.grids = {split: _pairs(grid) for split, grid in grids.items()}
        self.splits = {split: Split(len(pairs)) for split, pairs in self.grids.items()}

    def train_batch(self, draws: Draws) -> Batch:
        """Fresh pairs."""
        x = draws.uniform(self.low, self.high, 2)
        return Batch(x, _targets(x))

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The grid of a split, the same for all members."""
        x = tf.gather(tf.constant(self.grids[split]), draws.examples)
        x = tf.tile(x[None], [len(draws.cases), 1, 1])
        y = _targets(x)
        if split in OPERATIONS:
            own = tf.one_hot(OPERATIONS.index(split), len(OPERATIONS)) > 0
            y = tf.where(own, y, float("nan"))
        return Batch(x, y)

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error of all four outputs."""
        return tf.reduce_mean(tf.square(prediction - y), axis=[1, 2])

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse` and `mae`, of the outputs that have a target."""
        error = tf.where(tf.math.is_nan(y), 0.0, prediction - y)
        measured = tf.cast(~tf.math.is_nan(y), error.dtype)
        count = tf.reduce_sum(measured, axis=[1, 2])
        return {
            "mse": tf.reduce_sum(tf.square(error), axis=[1, 2]) / count,
            "mae": tf.reduce_sum(tf.abs(error), axis=[1, 2]) / count,
        }


def _pairs(grid: np.ndarray) -> np.ndarray:
    """All pairs of a grid's numbers, float32 `[pairs, 2]`."""
    return np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2).astype("f4")


def _targets(x: Any) -> Any:
    a, b = x[..., :1], x[..., 1:]
    return tf.concat([a + b, a * b, a / b, tf.sqrt(a)], axis=-1)
