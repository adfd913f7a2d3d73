"""NAU, the neural addition unit of Madsen & Johansen 2020."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.weights import Clip, nau_uniform, own_initializer, sparsity


@keras.saving.register_keras_serializable("nalu_seq")
class NAU(Unit):
    """Sums and differences of its inputs, with weights clamped to [-1, 1].

        y = x W,    W in [-1, 1]

    The clamp stands in the forward pass and, as a constraint, after each update. No bias.

    Args:
        units: size of the output.
        w_initializer: initial `w`; by default `U(-r, r)` of `weights.nau_uniform`.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, the mean of min(|W|, |1 - |W||).

    Example:
        >>> y = NAU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, or the input has no known feature size.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), section 2.
    """

    def __init__(self, units: int, w_initializer: Any = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.w_initializer = own_initializer(w_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`."""
        super().build(input_shape)
        self.w = self.add_matrix(
            "w", self.w_initializer or nau_uniform(self.features, self.units), Clip(-1.0, 1.0)
        )

    def call(self, x: Any) -> Any:
        """`[..., in] -> [..., units]`."""
        return ops.matmul(x, ops.clip(self.w, -1.0, 1.0))

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of the weights."""
        return {"sparsity": sparsity(self.w)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_initializer": keras.initializers.serialize(self.w_initializer),
        }
