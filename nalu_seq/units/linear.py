"""Linear, a baseline that can express every weighted sum and favours no weights."""

from typing import Any

import keras

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import SUM_WEIGHTS, Facts
from nalu_seq.units.weights import copy_initializer, one_of, weighted_sums


@keras.saving.register_keras_serializable("nalu_seq")
class Linear(Unit):
    """An affine map, the baseline without any arithmetic bias.

        y = x W + b

    Args:
        units: size of the output.
        bias: whether there is a b; without one, y is a plain weighted sum.
        w_initializer: initial `w`, `[in, units]`; Glorot uniform by default.
        b_initializer: initial `b`, `[units]`; zeros by default. Under `ReLU6` a bias between 0 and
            6 keeps small inputs off both ends, where nothing has a gradient.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Example:
        >>> y = Linear(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `bias` is no boolean, or the input has no known
            feature size.

    Source: the baseline of Madsen & Johansen 2020 (arXiv 2001.05016); Glorot uniform W, b = 0.
    """

    def __init__(
        self,
        units: int,
        bias: bool = True,
        w_initializer: Any = "glorot_uniform",
        b_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.bias = one_of("Linear: bias", bias, (True, False))
        self.w_initializer = copy_initializer(w_initializer)
        self.b_initializer = copy_initializer(b_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`, and with a bias `b`, `[units]`."""
        super().build(input_shape)
        self.w = self.add_matrix("w", self.w_initializer)
        if self.bias:
            self.b = self.add_weight(name="b", shape=(self.units,), initializer=self.b_initializer)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`."""
        return {"W": self.w.value}

    def facts(self) -> Facts:
        """A baseline: it computes sums and differences, and favours no weights."""
        b = {"b": [0.0]} if self.bias else {}
        return Facts(solutions={o: {"W": w, **b} for o, w in SUM_WEIGHTS.items()})

    def effective(self, x: Any) -> dict[str, Any]:
        """The effective weights: `W`, and `b`, `[units]`, where there is one."""
        del x
        return self.matrices() | ({"b": self.b.value} if self.bias else {})

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        y = weighted_sums(x, self.matrices()["W"])
        return y + self.b if self.bias else y

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "bias": self.bias,
            "w_initializer": keras.initializers.serialize(self.w_initializer),
            "b_initializer": keras.initializers.serialize(self.b_initializer),
        }
