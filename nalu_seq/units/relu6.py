"""ReLU6, a baseline unit."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.facts import Facts
from nalu_seq.units.linear import Linear


@keras.saving.register_keras_serializable("nalu_seq")
class ReLU6(Linear):
    """An affine map and a rectifier cut at 6: `y = min(max(x W + b, 0), 6)`.

    It cannot exceed 6, so it cannot extrapolate beyond: that is what it is here to show.
    Args, shapes, initial values and errors as for `Linear`.

    Example:
        >>> y = ReLU6(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Source: the baseline of Trask et al. 2018 and of Madsen & Johansen 2020.
    """

    def facts(self) -> Facts:
        """A baseline: it computes no operation, because its output ends at 6."""
        return Facts()

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return ops.relu6(super().call(x))
