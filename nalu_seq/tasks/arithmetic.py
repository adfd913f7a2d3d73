"""Arithmetic on sums of inputs: the field's main benchmark, all its ablations by config."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    ExampleTask,
    Split,
    mean_per_member,
)
from nalu_seq.tasks.ranges import Ranges, parse_ranges, scale
from nalu_seq.tasks.thresholds import OPERATIONS, two_layers
from nalu_seq.units.weights import positive_integer

EXAMPLES = 10_000
THRESHOLDS = ("published", "exact")


class Arithmetic(ExampleTask):
    """`a op b` of two sums of neighbouring inputs; every step draws new inputs.

        a = sum of x over the first subset,  b = sum of x over the second,
        y = a + b, a - b, a * b, a / b, a^2 or sqrt(a)

    A subset has `floor(subset * inputs)` inputs; the two share `floor(overlap * that)` of them.
    They lie side by side, at an offset that each seed draws once. With `nested`, the first subset
    is all inputs and the second their first half, as in the benchmark with 4 inputs.

    Example: with `nested`, `mul` and 4 inputs, `[1, 2, 1, 1]` has a = 5, b = 3, target `[15]`.

    Each pair of ranges is a case. `validation` has 10,000 examples from the range of training,
    `extrapolation` 10,000 from the other one; all members of a case are measured on the same
    inputs. A member has solved the extrapolation when its mse, at the step where its validation mse
    is lowest, is below that of a solution whose every weight is off by 1e-5.

    Args:
        operation: add, sub, mul, div, square or root.
        inputs: how many inputs.
        subset: the share of the inputs in each subset.
        overlap: the share of a subset that is in the other as well.
        nested: whether the first subset is all inputs, and the second their first half.
        ranges: `[[low, high], [low, high]]`: trained, and tested; two tested ones make a union.
        threshold: "published", computed with subsets larger by one as Madsen & Johansen's script
            does, or "exact", with the subsets that the inputs are drawn with.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), section 4.1, after Trask et al. 2018.
    """

    input_size: int
    output_size = 1
    operations: tuple[str, ...] = tuple(OPERATIONS)

    def __init__(
        self,
        operation: str = "mul",
        inputs: int = 100,
        subset: float = 0.25,
        overlap: float = 0.5,
        nested: bool = False,
        ranges: list[Any] | None = None,
        threshold: str = "published",
    ) -> None:
        if operation not in self.operations:
            raise ValueError(
                f"operation must be one of {', '.join(self.operations)}, not {operation!r}"
            )
        if threshold not in THRESHOLDS:
            raise ValueError(f"threshold must be published or exact, not {threshold!r}")
        self.operation = operation
        self.input_size = positive_integer("inputs", inputs)
        self.subsets = Subsets(self.input_size, subset, overlap, nested)
        self.ranges = parse_ranges(ranges if ranges is not None else [[[1, 2], [2, 6]]])
        for case in self.ranges.values():
            self._check_range(case)
        self.cases = tuple(self.ranges)
        self.splits = {"validation": Split(EXAMPLES), "extrapolation": Split(EXAMPLES)}
        self.criterion = Criterion(
            "mse",
            {"extrapolation": self._thresholds(published=threshold == "published")},
            selected_by="validation",
        )

    def train_batch(self, draws: Draws) -> Batch:
        """Fresh inputs from each member's range of training."""
        return self._train_sample(draws.uniform(0.0, 1.0, self.input_size), draws)

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed inputs of a split, the same for every member of a case."""
        draws_of_all = Stream([0], ["shared"], split).at(0, EXAMPLES).at(0, draws.examples)
        unit = draws_of_all.uniform(0.0, 1.0, self.input_size)  # [1, B, inputs]
        if split == "validation":
            return self._train_sample(unit, draws)
        intervals = [self.ranges[case].test for case in draws.cases]
        coin = draws_of_all.uniform(0.0, 1.0, self.input_size, channel=1)
        return self._batch(scale(unit, intervals, coin), draws)

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse` and `mae`."""
        error = prediction - y
        return {"mse": mean_per_member(tf.square(error)), "mae": mean_per_member(tf.abs(error))}

    def _train_sample(self, unit: Any, draws: Draws) -> Batch:
        intervals = [(self.ranges[case].train,) for case in draws.cases]
        x = scale(unit, intervals)
        if self.operation == "div":
            # Of 2^24 numbers between -2 and 2 one is 0, which a continuous range never gives:
            # over a whole training a third of the members would meet an infinite target.
            x = tf.where(x == 0, 2.0**-25, x)
        return self._batch(x, draws)

    def _batch(self, x: Any, draws: Draws) -> Batch:
        a, b = self.subsets.sums(x, draws)  # [M, B, 1]
        return Batch(x, OPERATIONS[self.operation](a, b))

    def _check_range(self, case: Ranges) -> None:
        if self.operation == "div" and not _one_sign(case.test):
            raise ValueError(
                f"ranges: {case.name} is tested where the divisor can be 0; for div a tested range "
                "must lie on one side of 0"
            )
        if self.operation == "root" and min(low for low, _ in (case.train, *case.test)) < 0:
            raise ValueError(f"ranges: {case.name} has negative numbers, which have no root")

    def _thresholds(self, published: bool) -> Mapping[str, float]:
        groups = self.subsets.groups(inclusive=published)
        return {
            name: two_layers(self.operation, case.test, groups)
            for name, case in self.ranges.items()
        }


class Subsets:
    """Which inputs make up a and b."""

    def __init__(self, inputs: int, subset: float, overlap: float, nested: bool) -> None:
        _check_share("subset", subset)
        _check_share("overlap", overlap, zero=True)
        if not isinstance(nested, bool):
            raise ValueError(f"nested must be true or false, not {nested!r}")
        self.inputs, self.nested = inputs, nested
        # The factor makes up for rounding, by which the product may fall short of a whole number.
        self.size = inputs if nested else math.floor(subset * inputs * (1 + 1e-12))
        self.shared = inputs // 2 if nested else math.floor(overlap * self.size * (1 + 1e-12))
        self.used = inputs if nested else 2 * self.size - self.shared
        if nested and inputs < 2:
            raise ValueError(f"nested needs at least 2 inputs, not {inputs}")
        if self.size < 1:
            raise ValueError(f"subset={subset} of {inputs} inputs is none: give a larger share")
        if self.used > inputs:
            raise ValueError(
                f"subset={subset} and overlap={overlap} need {self.used} inputs, and there are "
                f"{inputs}: give a smaller subset or a larger overlap"
            )

    def sums(self, x: Any, draws: Draws) -> tuple[Any, Any]:
        """The sums a and b of two subsets of each example's inputs.

        Args:
            x: inputs `[M, B, inputs]`.
            draws: the draws of the examples, from whose streams each member's subsets are drawn.

        Returns:
            a and b, `[M, B, 1]` each.
        """
        if self.inputs == self.used == 2 and self.size == 1:
            return x[:, :, :1], x[:, :, 1:]
        offset = draws.elsewhere("offset").integers(0, self.inputs - self.used + 1, 1)  # [M, 1, 1]
        place = np.arange(self.inputs) - offset[:, 0]  # [M, inputs]
        second = 0 if self.nested else self.size - self.shared
        starts_ends = [(0, self.size), (second, self.shared if self.nested else self.used)]
        masks = [tf.cast((place >= s) & (place < e), x.dtype) for s, e in starts_ends]
        sums = tf.matmul(x, tf.stack(masks, axis=2))  # [M, B, 2]
        return sums[:, :, :1], sums[:, :, 1:]

    def groups(self, inclusive: bool) -> tuple[int, int, int, int]:
        """How many inputs are in a alone, in both, in b alone, in neither.

        Args:
            inclusive: whether to count a subset's end as part of it, as Madsen & Johansen's
                simulation does.
        """
        if self.nested:
            return self.size - self.shared, self.shared, 0, 0
        more = int(inclusive)
        alone, both = self.size - self.shared, self.shared + more
        return alone, both, alone, max(self.inputs - 2 * alone - both, 0)


def _check_share(name: str, value: Any, zero: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (value == 0 and not zero):
        lowest = "from" if zero else "above"
        raise ValueError(f"{name} must be a number {lowest} 0 and at most 1, not {value!r}")


def _one_sign(intervals: tuple[tuple[float, float], ...]) -> bool:
    return all(low > 0 for low, _ in intervals) or all(high < 0 for _, high in intervals)
