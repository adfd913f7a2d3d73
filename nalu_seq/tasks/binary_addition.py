"""The sum of two numbers, bit by bit from the lowest."""

from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch, Split
from nalu_seq.tasks.step_accuracy import StepAccuracy
from nalu_seq.units.weights import positive_integer

LARGEST = 2**20
BEYOND = 250


class BinaryAddition(StepAccuracy):
    """Two numbers in binary, one bit of each a step, the lowest first; the target is their sum.

    What has to be remembered is the carry, 0 or 1. The loss is the cross-entropy of a sigmoid. The
    training set is all pairs of numbers below `below`, which training goes through in order. Two
    splits are measured: `training`, all these pairs, and `test`, pairs of the 250 numbers from
    `below` + 1 on, drawn for each seed. `accuracy` is the share of bits on the right side of 1/2; a
    member has solved a split when it is 1.

    Example: 3 + 1 with three bits has the steps `[1, 1]`, `[1, 0]`, `[0, 0]` and the targets `0`,
    `0`, `1`.

    Args:
        below: numbers below this are trained on, at least 2.
        examples: how many pairs the test has.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Lan, Geyer, Chemla & Katzir 2022 (arXiv 2111.00600), section 5, and their code.
    """

    input_size, output_size = 2, 1

    def __init__(self, below: int = 20, examples: int = 1000) -> None:
        if not 2 <= positive_integer("below", below) <= LARGEST:
            raise ValueError(f"below must be from 2 to {LARGEST}, not {below}")
        self.below = below
        self.length = _bits(2 * (below - 1))
        largest = below + BEYOND
        self.splits = {
            "training": Split(below**2, self.length, 0, below),
            "test": Split(
                positive_integer("examples", examples), _bits(2 * largest), below + 1, largest + 1
            ),
        }
        self.train_split = self.splits["training"]

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Bits `[M, B, T, 2]` of both numbers, and those of their sum, `[M, B, T, 1]`."""
        if split.low:
            pairs = draws.integers(int(split.low), int(split.high), 2)  # [M, B, 2]
        else:
            step, examples = tf.cast(draws.step, tf.int64), tf.cast(draws.examples, tf.int64)
            place = tf.cast((step * draws.batch_size + examples) % split.examples, tf.int32)
            pairs = tf.stack([place // self.below, place % self.below], axis=-1)
            pairs = tf.tile(pairs[None], [len(draws.cases), 1, 1])
        numbers = tf.concat([pairs, tf.reduce_sum(pairs, axis=2, keepdims=True)], axis=2)
        places = tf.range(start, start + count)[:, None]
        bits = tf.bitwise.right_shift(numbers[:, :, None], places) % 2  # [M, B, T, 3]
        bits = tf.cast(bits, tf.float32)
        return Batch(bits[..., :2], bits[..., 2:]), state

    def loss(self, y: Any, prediction: Any) -> Any:
        """The cross-entropy of the sum's bits, the mean over all steps, in nats."""
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(y, prediction)
        return tf.reduce_mean(entropy, axis=[1, 2, 3])

    def judge_steps(self, y: Any, prediction: Any) -> tuple[Any, Any, Any]:
        """Every bit of the sum is measured, and right if it is on the right side of 1/2."""
        bits = tf.nn.sigmoid_cross_entropy_with_logits(y, prediction) / np.log(2)
        right = tf.cast((prediction > 0) == (y > 0), tf.float32)
        return tf.ones_like(y), right, bits


def _bits(largest: int) -> int:
    """The steps of a sum, as the published code counts them: one more than log2, rounded up."""
    return (largest - 1).bit_length() + 1
