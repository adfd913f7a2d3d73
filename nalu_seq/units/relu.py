"""ReLU, a baseline unit."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.facts import ONES, Facts
from nalu_seq.units.linear import Linear


@keras.saving.register_keras_serializable("nalu_seq")
class ReLU(Linear):
    """An affine map and a rectifier: `y = max(x W + b, 0)`.

    Args, shapes, initial values and errors as for `Linear`.

    Example:
        >>> y = ReLU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Source: the baseline of Trask et al. 2018 and of Madsen & Johansen 2020.
    """

    def facts(self) -> Facts:
        """A baseline: it computes sums of positive numbers."""
        return Facts(solutions={"a + b": {"W": ONES, "b": [0.0]}}, negatives="positive only")

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return ops.relu(super().call(x))
