"""NPU's large task: sums of 50 of 100 inputs, added, multiplied, inverted or rooted."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch, Criterion, ExampleTask, Split, mean_per_member
from nalu_seq.tasks.ranges import Interval

INPUTS, SUBSET, SHARED = 100, 50, 12
EXAMPLES = 10_000
BITS = 30  # of one number of SciPy's sequence
POINTS_BITS = 24  # 2^24 points: 131,072 steps of 128 examples
SHARE = 1e-4
FIRST, FIRST_MEASURED = 1, 2  # places in the sequence; its point 0 is all zeros


class Operation(NamedTuple):
    """An operation on the sums a and b, and where its inputs lie.

    Attributes:
        compute: the target from a and b, which works on arrays and on tensors.
        train: the range of training and validation.
        test: the range of the extrapolation.
    """

    compute: Callable[[Any, Any], Any]
    train: Interval
    test: Interval


OPERATIONS = {
    "add": Operation(lambda a, b: a + b, (-1.0, 1.0), (-2.0, 2.0)),
    "mul": Operation(lambda a, b: a * b, (-1.0, 1.0), (-2.0, 2.0)),
    "inverse": Operation(lambda a, b: 1 / a, (0.0, 0.5), (-0.5, 0.0)),
    "root": Operation(lambda a, b: a**0.5, (0.0, 2.0), (0.0, 4.0)),
}


class NpuLarge(ExampleTask):
    """`a + b`, `a * b`, `1 / a` or `sqrt(a)` of two sums of 50 of 100 inputs, 12 of them shared.

        a = x_1 + ... + x_50,    b = x_39 + ... + x_88

    Training goes through Sobol's sequence, 128 points after 128: it fills the range evenly, and all
    members see the same points. `validation` has its first 10,000 points in the range of training;
    `extrapolation` has them in the range by which the published table was computed, which is not
    the one that the paper prints: (-2, 2) for add and mul (printed: -4 to 4), (-0.5, 0) for inverse
    (printed: -0.5 to 0.5). The mean square of the sums is 161.6 in (-2, 2) and 646 in (-4, 4); the
    published error of an NPU without gates, which answers about 0, is 161.65.

    The paper has no success; here a member has solved a split when its mse is below 1e-4 of the
    targets' mean square.

    Example: with `inverse`, inputs of 0.25 each have a = 12.5 and the target `[0.08]`.

    Args:
        operation: add, mul, inverse or root.

    Raises:
        ValueError: the operation is not known.

    Source: Heim, Pevny & Smidl 2020 (arXiv 2006.01681), section 4.3, and their code.
    """

    input_size, output_size = INPUTS, 1

    def __init__(self, operation: str = "add") -> None:
        if operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, not {operation!r}")
        self.operation = OPERATIONS[operation]
        self.splits = {"validation": Split(EXAMPLES), "extrapolation": Split(EXAMPLES)}
        self.directions = directions(INPUTS)
        limits = {
            split: {"default": SHARE * float(np.mean(np.square(self._batch(split).y)))}
            for split in self.splits
        }
        self.criterion = Criterion("mse", limits)

    def train_batch(self, draws: Draws) -> Batch:
        """The next points of the sequence, the same for all members."""
        step, examples = tf.cast(draws.step, tf.uint32), tf.cast(draws.examples, tf.uint32)
        place = FIRST + step * tf.cast(draws.batch_size, tf.uint32) + examples
        return self._for_all(sobol(place, self.directions), self.operation.train, draws)

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed inputs of a split, the same for all members."""
        places = FIRST_MEASURED + tf.cast(draws.examples, tf.uint32)
        unit = sobol(places, self.directions)
        return self._for_all(unit, self._range(split), draws)

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse` and `mae`."""
        error = prediction - y
        return {"mse": mean_per_member(tf.square(error)), "mae": mean_per_member(tf.abs(error))}

    def _range(self, split: str) -> Interval:
        return self.operation.train if split == "validation" else self.operation.test

    def _batch(self, split: str) -> Batch:
        """All examples of a split as arrays `[B, ...]`."""
        sequence = qmc.Sobol(INPUTS, scramble=False)
        sequence.fast_forward(FIRST_MEASURED)
        low, high = self._range(split)
        return self._targets(low + (high - low) * sequence.random(EXAMPLES), np.sum)

    def _for_all(self, unit: Any, interval: Interval, draws: Draws) -> Batch:
        """Points `[B, inputs]` of the unit cube as every member's examples `[M, B, inputs]`."""
        low, high = interval
        batch = self._targets(low + (high - low) * unit, tf.reduce_sum)
        members = len(draws.cases)
        return Batch(*(tf.tile(part[None], [members, 1, 1]) for part in batch))

    def _targets(self, x: Any, add: Callable[..., Any]) -> Batch:
        second = SUBSET - SHARED
        a = add(x[:, :SUBSET], axis=1, keepdims=True)
        b = add(x[:, second : second + SUBSET], axis=1, keepdims=True)
        return Batch(x, self.operation.compute(a, b))


@functools.cache
def directions(inputs: int) -> np.ndarray:
    """The direction numbers of Sobol's sequence, uint32 `[inputs, 24]`.

    Point n is the exclusive or of those whose bit is set in n's Gray code. That of n = 2^(j+1) - 1
    is 2^j, so that this point is the direction number j itself.

    Args:
        inputs: the number of dimensions.
    """
    sequence = qmc.Sobol(inputs, scramble=False, bits=BITS)
    columns, before = [], 0
    for j in range(POINTS_BITS):
        place = 2 ** (j + 1) - 1
        sequence.fast_forward(place - before)
        columns.append(sequence.random(1)[0] * 2**BITS)
        before = place + 1
    return np.stack(columns, axis=1).astype(np.uint32)


def sobol(places: Any, directions: np.ndarray) -> Any:
    """Points of Sobol's sequence, float32 `[B, inputs]`, from 0 to 1.

    Args:
        places: uint32 `[B]`, the points' places in the sequence, below 2^24.
        directions: the direction numbers, as the function of that name returns them.
    """
    gray = tf.bitwise.bitwise_xor(places, tf.bitwise.right_shift(places, tf.constant(1, tf.uint32)))
    point = tf.zeros([1, directions.shape[0]], tf.uint32)
    for j, column in enumerate(directions.T):
        bit = tf.bitwise.bitwise_and(gray, tf.constant(1 << j, tf.uint32))[:, None]
        chosen = tf.where(bit > 0, tf.constant(column)[None], tf.constant(0, tf.uint32))
        point = tf.bitwise.bitwise_xor(point, chosen)
    return tf.cast(point, tf.float32) * 2.0**-BITS
