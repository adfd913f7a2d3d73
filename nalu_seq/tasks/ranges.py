"""Ranges of inputs: where a benchmark trains and where it extrapolates to, one pair a case."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Interval = tuple[float, float]


class Ranges(NamedTuple):
    """A case: the range of training, and the tested one.

    Attributes:
        train: low and high end of the inputs in training and validation.
        test: one interval, or two of which each input takes one with probability 1/2.
    """

    train: Interval
    test: tuple[Interval, ...]

    @property
    def name(self) -> str:
        """The case's name: `U[1,2]`, after the range that is trained on."""
        return f"U[{self.train[0]:g},{self.train[1]:g}]"


def parse_ranges(ranges: Any) -> dict[str, Ranges]:
    """The cases that a config lists, by name.

    Args:
        ranges: a list of `[[low, high], [low, high]]`, what is trained and what is tested; a third
            pair makes the test a union of two intervals.

    Raises:
        ValueError: it is no such list, or names a range of training twice.
    """
    if not isinstance(ranges, list) or not ranges:
        raise ValueError(f"ranges must be a list of [[low, high], [low, high]], not {ranges!r}")
    cases: dict[str, Ranges] = {}
    for pair in ranges:
        if not isinstance(pair, list) or not 2 <= len(pair) <= 3 or not all(map(is_range, pair)):
            raise ValueError(
                "ranges must hold the range that is trained and one or two that are tested, as in "
                f"[[1, 2], [2, 6]], not {pair!r}"
            )
        train, *test = ((float(low), float(high)) for low, high in pair)
        case = Ranges(train, tuple(test))
        if case.name in cases:
            raise ValueError(f"ranges names {case.name} twice: each may stand once")
        cases[case.name] = case
    return cases


def is_range(value: Any) -> bool:
    """Whether a value is a list `[low, high]` of finite numbers, the first below the second.

    Args:
        value: any value, as it was read from a config.
    """
    numbers = isinstance(value, list) and len(value) == 2
    if not numbers or not all(type(v) in (int, float) and np.isfinite(v) for v in value):
        return False
    return bool(value[0] < value[1])


def scale(unit: Any, intervals: Sequence[tuple[Interval, ...]], coin: Any = None) -> Any:
    """Uniform numbers in each member's interval, or in one of its two.

    Args:
        unit: numbers of U[0, 1), `[M, ...]`, or `[1, ...]` if all members share the draw.
        intervals: one or two intervals for each member.
        coin: further numbers of U[0, 1), which choose between two intervals; None if each member
            has one.

    Returns:
        float32 `[M, ...]`.
    """
    shape = [-1] + [1] * (len(unit.shape) - 1)

    def ends(which: int) -> tuple[Any, Any]:
        interval_of_member = [pair[min(which, len(pair) - 1)] for pair in intervals]
        low, high = np.asarray(interval_of_member, np.float32).T
        return low.reshape(shape), (high - low).reshape(shape)

    low, width = ends(0)
    if all(len(pair) == 1 for pair in intervals):
        # The minimum keeps XLA from fusing product and sum into one rounding: see random.py.
        return low + tf.minimum(width * unit, width)
    other, other_width = ends(1)
    first = low + tf.minimum(width * unit, width)
    return tf.where(coin < 0.5, first, other + tf.minimum(other_width * unit, other_width))
