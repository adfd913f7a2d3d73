"""Expressions of digits, plus and minus, symbol by symbol; the target is their value."""

from typing import Any

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    EVALUATION_EXAMPLES,
    Batch,
    Criterion,
    SequenceTask,
    Split,
    check_supervise,
    length_splits,
    mean_per_member,
    squared_error,
)
from nalu_seq.units.weights import positive_integer

DIGITS = 10
SYMBOLS = DIGITS + 2  # the digits, plus, minus


class Expression(SequenceTask):
    """Digits with a plus or a minus between them; the target is the value of what has been read.

        value_t = value_{t-1} + sign of the operator before * digit_t,    at a digit
        value_t = value_{t-1},                                            at an operator

    Symbols are one-hot, and nothing says that 7 is more than 6: what each digit is worth has to be
    learned, and an operator to be remembered until its digit. A member has solved a split when on
    its 64 fixed test sequences the value at the last step is right after rounding: `exact` is 1.

    Example: the symbols `3 + 5 - 9` have the targets `3 3 8 8 -1`.

    Args:
        length: the training length in symbols; odd steps, counted from 0, are operators.
        lengths: the lengths to be measured at; the training length is put first if missing.
        supervise: "every" step, or only the "last".

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    input_size, output_size = SYMBOLS, 1
    counts = True
    combine = staticmethod(tf.add)
    criterion = Criterion("exact", 1.0, above=True)

    def __init__(
        self, length: int = 11, lengths: list[int] | None = None, supervise: str = "every"
    ) -> None:
        self.length = positive_integer("length", length)
        self.supervise = check_supervise(supervise)
        self.splits = length_splits(length, lengths)
        self.train_split = Split(EVALUATION_EXAMPLES, length)
        reach = float((DIGITS - 1) * (length + 1) // 2)
        self.initial_totals = -reach, reach

    def target_state(self, members: int, examples: int) -> Any:
        """The value so far and the last operator's sign, each `[M, B]`."""
        return tf.zeros([members, examples], tf.int32), tf.ones([members, examples], tf.int32)

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """One-hot symbols `[M, B, T, 12]` and values `[M, B, T, 1]`."""
        value, sign = state
        digits = draws.integers(0, DIGITS, count, start)  # [M, B, T]
        minus = draws.integers(0, 2, count, start, channel=1)
        is_digit = (start + tf.range(count)) % 2 == 0  # [T]
        # A digit's sign is that of the step before, which is an operator's.
        signs = tf.concat([sign[:, :, None], 1 - 2 * minus], axis=2)  # [M, B, 1 + T]
        values = value[:, :, None] + tf.cumsum(
            tf.where(is_digit, signs[:, :, :-1] * digits, 0), axis=2
        )
        symbols = tf.where(is_digit, digits, DIGITS + minus)
        batch = Batch(tf.one_hot(symbols, SYMBOLS), tf.cast(values, tf.float32)[..., None])
        return batch, (values[:, :, -1], signs[:, :, -1])

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error, over every step or at the last."""
        return squared_error(y, prediction, self.supervise)

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `exact`: the share of sequences of which the value rounds to the truth."""
        right = tf.reduce_all(tf.round(prediction) == y, axis=2)
        return {
            "mae": mean_per_member(tf.abs(prediction - y)),
            "exact": mean_per_member(tf.cast(right, tf.float32)),
        }
