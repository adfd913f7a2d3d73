"""Linear, a baseline that can express every weighted sum and favours no weights."""

from typing import Any

import keras

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import SUM_WEIGHTS, Facts
from nalu_seq.units.weights import weighted_sums


@keras.saving.register_keras_serializable("nalu_seq")
class Linear(Unit):
    """An affine map, the baseline without any arithmetic bias.

        y = x W + b

    Args:
        units: size of the output.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Example:
        >>> y = Linear(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, or the input has no known feature size.

    Source: the baseline of Madsen & Johansen 2020 (arXiv 2001.05016); Glorot uniform W, b = 0.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`, and `b`, `[units]`."""
        super().build(input_shape)
        self.w = self.add_matrix("w", "glorot_uniform")
        self.b = self.add_weight(name="b", shape=(self.units,), initializer="zeros")

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`."""
        return {"W": self.w.value}

    def facts(self) -> Facts:
        """A baseline: it computes sums and differences, and favours no weights."""
        return Facts(solutions={o: {"W": w, "b": [0.0]} for o, w in SUM_WEIGHTS.items()})

    def effective(self, x: Any) -> dict[str, Any]:
        """The effective weights and gates: `W`, and `b`, `[units]`."""
        del x
        return {"W": self.w.value, "b": self.b.value}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return weighted_sums(x, self.matrices()["W"]) + self.b
