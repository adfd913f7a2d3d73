"""How many digits, or how many even ones, a picture of several digits shows."""

from typing import Any

import tensorflow as tf

from nalu_seq.data.images import Data
from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    ExampleTask,
    Split,
    mean_per_member,
)
from nalu_seq.units.weights import positive_integer

EXAMPLES = 1000
TARGETS = ("even", "digits")


class MnistParity(ExampleTask):
    """Pictures of several digits, each in its own cell of a square grid; the target is a number.

    How many digits there are, which, and in which cells is drawn independently; the digits are
    pictures of the data set. `accuracy` is the share of pictures whose number rounds to the truth.
    A member has solved a split when it is at least 0.99. Splits: `validation`, as trained, and
    `digits_<n>`, exactly n digits in each picture, from the test part.

    Example: a picture of the digits 4, 7 and 8 has the target `[2]` for "even", `[3]` for "digits".

    Args:
        data: the pictures of single digits.
        target: "even", how many of the digits are even, or "digits", how many there are.
        grid: cells in a row and in a column.
        most: how many digits a training picture has at most; it has at least 1.
        counts: the numbers of digits in a picture that are measured.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.6, after Segui et al. 2015. Their
    pictures and sizes are not known to us: ours are of the same kind, not the same.
    """

    output_size = 1
    criterion = Criterion("accuracy", 0.99, above=True)

    def __init__(
        self,
        data: Data,
        target: str = "even",
        grid: int = 3,
        most: int = 5,
        counts: list[int] | None = None,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(f"target must be {' or '.join(TARGETS)}, not {target!r}")
        self.target, self.grid, self.most = target, positive_integer("grid", grid), most
        self.cells = grid * grid
        if positive_integer("most", most) > self.cells:
            raise ValueError(f"most must be at most {self.cells}, the cells of the grid")
        if not isinstance(counts, list | None):
            raise ValueError(f"counts must be a list of numbers of digits, not {counts!r}")
        self.mean, self.deviation = data.mean, data.deviation
        self.parts = {n: tuple(map(tf.constant, images)) for n, images in data.parts.items()}
        height, width, _ = data.parts["train"].pixels.shape[1:]
        self.height, self.width = grid * height, grid * width
        self.input_size = (self.height, self.width, 1)
        self.splits = {"validation": Split(EXAMPLES, low=1, high=most, part="validation")}
        for n in counts or []:
            if positive_integer("counts", n) > self.cells:
                raise ValueError(f"counts must be at most {self.cells}, the cells of the grid")
            self.splits[f"digits_{n}"] = Split(EXAMPLES, low=n, high=n, part="test")

    def train_batch(self, draws: Draws) -> Batch:
        """Fresh pictures of 1 to `most` digits."""
        return self._compose(Split(EXAMPLES, low=1, high=self.most, part="train"), draws)

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed pictures of a split."""
        return self._compose(self.splits[split], draws)

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `accuracy` of the rounded number."""
        right = tf.round(prediction) == y
        return {
            "mae": mean_per_member(tf.abs(prediction - y)),
            "accuracy": mean_per_member(tf.cast(right, tf.float32)),
        }

    def _compose(self, split: Split, draws: Draws) -> Batch:
        pixels, labels = self.parts[split.part]
        count = draws.integers(int(split.low), int(split.high) + 1, 1)  # [M, B, 1]
        picture_indices = draws.integers(0, len(labels), self.cells, channel=1)  # [M, B, cells]
        # The cells' order is a permutation; the first `count` of it hold a digit.
        words = tf.cast(draws.bits(self.cells, channel=2), tf.int64)
        order = tf.argsort(tf.argsort(words))
        has_digit = order < count  # [M, B, cells]
        digits = tf.cast(tf.gather(pixels, picture_indices)[..., 0], tf.float32)
        digits = tf.where(has_digit[..., None, None], digits, 0.0)
        x = (self._lay_out(digits) / 255 - self.mean) / self.deviation
        counts_digit = has_digit
        if self.target == "even":
            counts_digit &= tf.gather(labels, picture_indices) % 2 == 0
        return Batch(x, tf.reduce_sum(tf.cast(counts_digit, tf.float32), axis=2, keepdims=True))

    def _lay_out(self, digits: Any) -> Any:
        """Cells `[M, B, cells, height, width]` side by side: `[M, B, height, width, 1]`."""
        shape = tf.shape(digits)
        members, examples, height, width = shape[0], shape[1], digits.shape[3], digits.shape[4]
        rows = tf.reshape(digits, [members, examples, self.grid, self.grid, height, width])
        rows = tf.transpose(rows, [0, 1, 2, 4, 3, 5])
        return tf.reshape(rows, [members, examples, self.height, self.width, 1])
