"""The identity: an MLP learns it inside its range of training, and is measured outside too."""

from typing import Any

import numpy as np
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

EXAMPLES = 1000
TOLERANCE = 0.1


class IdentityAutoencoder(ExampleTask):
    """The target is the input itself, one number.

    `validation` has 1,000 numbers from the range of training; `at_<x>` is one point of a grid over
    the tested range. A member has solved a split when its mae is below 0.1.

    Example: the input `[-3.5]` has the target `[-3.5]`.

    Args:
        range: the range of training, `[low, high]`.
        tested: the tested range, `[low, high]`.
        points: how many points the grid has, both ends included.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), figure 1.
    """

    input_size = output_size = 1
    criterion = Criterion("mae", TOLERANCE)

    def __init__(
        self,
        range: list[float] | None = None,
        tested: list[float] | None = None,
        points: int = 9,
    ) -> None:
        self.low, self.high = _check_range("range", [-5, 5] if range is None else range)
        low, high = _check_range("tested", [-20, 20] if tested is None else tested)
        positive_integer("points", points)
        grid = np.linspace(low, high, points)
        self.splits = {"validation": Split(EXAMPLES, low=self.low, high=self.high)}
        self.splits |= {f"at_{x:g}": Split(1, low=float(x), high=float(x)) for x in grid}

    def train_batch(self, draws: Draws) -> Batch:
        """Fresh numbers from the range of training."""
        x = draws.uniform(self.low, self.high, 1)
        return Batch(x, x)

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed numbers of a split."""
        where = self.splits[split]
        x = draws.uniform(where.low, where.high, 1)
        return Batch(x, x)

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse` and `mae`."""
        error = tf.abs(prediction - y)
        return {"mse": mean_per_member(tf.square(error)), "mae": mean_per_member(error)}


def _check_range(name: str, value: Any) -> tuple[float, float]:
    numbers = isinstance(value, list) and all(type(v) in (int, float) for v in value)
    if not numbers or len(value) != 2 or not -np.inf < value[0] < value[1] < np.inf:
        raise ValueError(f"{name} must be [low, high] with low < high, not {value!r}")
    return float(value[0]), float(value[1])
