"""A ledger: symbols say how the numbers beside them count; the target is the balance."""

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

# The factor of the numbers from a symbol's step on.
FACTORS = {"add": 1.0, "subtract": -1.0, "ignore": 0.0, "double": 2.0, "halve": 0.5}


class Ledger(SequenceTask):
    """A symbol and a number at each step; the target is the balance so far.

        balance_t = balance_{t-1} + factor(the last symbol so far) * number_t

    A symbol's factor is 1 for add, -1 for subtract, 0 for ignore, 2 for double, 1/2 for halve. A
    step without a symbol goes on with the last one; before the first, numbers are added. The error
    is relative: mean absolute error over mean absolute target at the last step. A member has solved
    a split when it is below 1e-2.

    Args:
        operations: the symbols, of add, subtract, ignore, double and halve.
        silent: the share of the steps without a symbol.
        length: the training length.
        lengths: the lengths to be measured at; the training length is put first if missing.
        range: the training range `[low, high]` of the numbers.
        ranges: the ranges to be measured at, at the longest of the lengths.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    output_size = 1
    numbers = 1
    combine = staticmethod(tf.add)
    criterion = Criterion("relative_error", 1e-2)

    def __init__(
        self,
        operations: list[str] | None = None,
        silent: float = 0.5,
        length: int = 10,
        lengths: list[int] | None = None,
        range: list[float] | None = None,
        ranges: list[list[float]] | None = None,
    ) -> None:
        self.operations = ["add", "subtract", "ignore"] if operations is None else operations
        valid = isinstance(self.operations, list) and self.operations
        if not valid or not all(name in FACTORS for name in self.operations):
            raise ValueError(
                f"operations must be a list of {', '.join(FACTORS)}, not {operations!r}"
            )
        if isinstance(silent, bool) or not isinstance(silent, int | float) or not 0 <= silent < 1:
            raise ValueError(f"silent must be a number from 0 to below 1, not {silent!r}")
        self.silent = float(silent)
        self.input_size = len(self.operations) + 2  # a symbol or none, one-hot, and a number
        self.length = positive_integer("length", length)
        low, high = _check_range("range", [-1.0, 1.0] if range is None else range)
        self.splits = length_splits(length, lengths, low=low, high=high)
        longest = max(split.length for split in self.splits.values())
        if not isinstance(ranges, list | None):
            raise ValueError(f"ranges must be a list of [low, high], not {ranges!r}")
        for wide in ranges or []:
            a, b = _check_range("ranges", wide)
            self.splits[f"length_{longest}_range_{a:g}_{b:g}"] = Split(
                EVALUATION_EXAMPLES, longest, a, b
            )
        self.train_split = Split(EVALUATION_EXAMPLES, length, low, high)
        reach = length * max(abs(low), abs(high))
        self.initial_totals = -reach, reach

    def target_state(self, members: int, examples: int) -> Any:
        """The factor in force `[M, B]`, and the balance `[M, B]` in float64."""
        return tf.ones([members, examples]), tf.zeros([members, examples], tf.float64)

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Symbols and numbers `[M, B, T, symbols + 2]`, balances `[M, B, T, 1]`."""
        factor, balance = state
        none = len(self.operations)
        symbols = draws.integers(0, none, count, start)  # [M, B, T]
        silent = draws.uniform(0.0, 1.0, count, start, channel=1) < self.silent
        symbols = tf.where(silent, none, symbols)
        numbers = draws.uniform(split.low, split.high, count, start, channel=2)
        own = tf.gather(tf.constant([FACTORS[name] for name in self.operations] + [0.0]), symbols)
        factors = _hold_last(own, ~silent, factor)
        entries = tf.cast(factors * numbers, tf.float64)
        balances = balance[:, :, None] + tf.cumsum(entries, axis=2)
        x = tf.concat([tf.one_hot(symbols, none + 1), numbers[..., None]], axis=3)
        y = tf.cast(balances, tf.float32)[..., None]
        return Batch(x, y), (factors[:, :, -1], balances[:, :, -1])

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error over every step."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `relative_error`: it over the mean absolute target."""
        mae = mean_per_member(tf.abs(prediction - y))
        return {"mae": mae, "relative_error": mae / mean_per_member(tf.abs(y))}


def _hold_last(values: Any, is_new: Any, before: Any) -> Any:
    """Each step's value if it is new, or else the last new one: `[M, B, T]`.

    Args:
        values: a value for each step, `[M, B, T]`.
        is_new: whether each of them holds from its step on, `[M, B, T]`.
        before: the value that holds before the first step, `[M, B]`.
    """
    values = tf.concat([before[:, :, None], values], axis=2)
    has_value = tf.concat([tf.ones_like(before[:, :, None], tf.bool), is_new], axis=2)

    def from_earlier(reach: Any, values: Any, has_value: Any) -> tuple[Any, Any, Any]:
        """Let each step hold the last new value of the 2 * reach steps up to it."""
        earlier, earlier_known = (
            tf.concat([tf.zeros_like(part[:, :, :reach]), part[:, :, :-reach]], axis=2)
            for part in (values, has_value)
        )
        return 2 * reach, tf.where(has_value, values, earlier), has_value | earlier_known

    steps = tf.shape(values)[2]
    shapes = tf.TensorShape([]), values.shape, has_value.shape
    _, values, _ = tf.while_loop(
        lambda reach, *_: reach < steps,
        from_earlier,
        (1, values, has_value),
        shape_invariants=shapes,
    )
    return values[:, :, 1:]


def _check_range(name: str, value: Any) -> tuple[float, float]:
    if not is_range(value):
        raise ValueError(f"{name} must be [low, high] with low < high, not {value!r}")
    return float(value[0]), float(value[1])
