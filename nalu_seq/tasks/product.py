"""Products of two small integers: the job of the notebook that this project replaces."""

from typing import Any

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    ExampleTask,
    Split,
    mean_per_member,
)
from nalu_seq.units.weights import positive_integer

TOLERANCE = 1e-4
LARGEST = 2**24  # float32 holds every integer up to here


class Product(ExampleTask):
    """The product of two integers from 0 to `high - 1`.

    Each member has a fixed set of pairs, which training goes through in order, again and again.

    The loss is 0.5 times the sum of squares over the batch. `accuracy` is the share of predictions
    p with `|p - y| <= 1e-4 + 1e-4 |p|`; a member has solved a split when it is 1. Splits:
    `validation`, all `high^2` pairs, and `range_<a>_<b>`, 1,000 fixed pairs of larger integers.

    Example: the input `[7, 6]` has the target `[42]`.

    Args:
        pairs: how many pairs the training set of each member holds.
        high: integers below this.
        extrapolate: `[a, b]`, the smallest and the largest integer of the extrapolation.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    input_size, output_size, sums = 2, 1, True
    criterion = Criterion("accuracy", 1.0, above=True)

    def __init__(
        self, pairs: int = 10_000, high: int = 9, extrapolate: list[int] | None = None
    ) -> None:
        self.pairs = positive_integer("pairs", pairs)
        self.high = positive_integer("high", high)
        if high > LARGEST:
            raise ValueError(f"high must be at most {LARGEST}, not {high}")
        self.splits = {"validation": Split(high * high)}
        if extrapolate:
            a, b = _check_ends(extrapolate)
            self.splits[f"range_{a}_{b}"] = Split(1000, low=a, high=b + 1)

    def train_batch(self, draws: Draws) -> Batch:
        """The next pairs of the training set; it starts again when it is through."""
        step, examples = tf.cast(draws.step, tf.int64), tf.cast(draws.examples, tf.int64)
        place = (step * draws.batch_size + examples) % self.pairs
        # The training set is drawn at step 0; each step goes on to the next examples in it.
        return _products(draws.at(0, place).integers(0, self.high, 2))

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed pairs of a split."""
        if split == "validation":
            # Every pair once, by its number.
            pairs = tf.stack([draws.examples % self.high, draws.examples // self.high], axis=-1)
            return _products(tf.repeat(pairs[None], len(draws.cases), axis=0))
        return _products(
            draws.integers(int(self.splits[split].low), int(self.splits[split].high), 2)
        )

    def loss(self, y: Any, prediction: Any) -> Any:
        """Half the sum of squares over the batch."""
        return 0.5 * tf.reduce_sum(tf.square(prediction - y), axis=[1, 2])

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse`, `mae`, and `accuracy` within the tolerance."""
        error = tf.abs(prediction - y)
        right = error <= TOLERANCE + TOLERANCE * tf.abs(prediction)
        return {
            "mse": mean_per_member(tf.square(error)),
            "mae": mean_per_member(error),
            "accuracy": mean_per_member(tf.cast(right, tf.float32)),
        }


def _check_ends(ends: Any) -> tuple[int, int]:
    whole = isinstance(ends, list) and all(type(v) is int for v in ends)
    if not whole or len(ends) != 2 or not -LARGEST <= ends[0] < ends[1] <= LARGEST:
        raise ValueError(
            f"extrapolate must be two integers [a, b], a < b, at most {LARGEST}, not {ends!r}"
        )
    return ends[0], ends[1]


def _products(pairs: Any) -> Batch:
    x = tf.cast(pairs, tf.float32)  # [M, B, 2]
    return Batch(x, tf.reduce_prod(x, axis=2, keepdims=True))
