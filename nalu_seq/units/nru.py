"""NRU, the neural reciprocal unit of Mistry et al. 2021."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import LESS, PRODUCT_WEIGHTS, SIGNED, Effective, Facts, Paper, products
from nalu_seq.units.nmu import product
from nalu_seq.units.weights import (
    Clip,
    at_least_float32,
    copy_initializer,
    log_max,
    nau_uniform,
    positive,
    sparsity,
)


def reciprocal_product(x: Any, w: Any, a: Any, eps: float) -> Any:
    """`prod_i (sign(x_i) |x_i|^w_i a_i + 1 - a_i)`, in float32 at least.

    Args:
        x: `[..., in]`.
        w: the powers, `[in, units]`.
        a: how far an input counts, 0 to 1, `[in, units]`.
        eps: the magnitude below which an input counts as eps.
    """
    logs = ops.expand_dims(log_max(x, eps), -2)  # [..., 1, in]
    signs = ops.expand_dims(ops.sign(at_least_float32(x)), -2)
    w, a = (ops.cast(ops.transpose(m), logs.dtype) for m in (w, a))
    return product(signs * ops.exp(logs * w) * a + (1 - a))


@keras.saving.register_keras_serializable("nalu_seq")
class NRU(Unit):
    """Products and quotients of its inputs, signs included, with weights clamped to [-1, 1].

        y = prod_i (sign(x_i) |x_i|^W_i A(W_i) + 1 - A(W_i)),    W in [-1, 1]
        A(W) = tanh(1000 W)^2 in training, |W| otherwise

    A weight of 1 multiplies, -1 divides, 0 ignores. The clamp stands in the forward pass and, as a
    constraint, after each update. An input counts as eps where its magnitude is below (the paper
    has no eps), and an input of 0 has the sign 0. The product overflows to inf where the true one
    does.

    Args:
        units: size of the output.
        eps: the magnitude below which an input counts as eps.
        w_initializer: initial `w`; by default `U(-r, r)` of `weights.nau_uniform`.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, the mean of min(|W|, |1 - |W||).

    Example:
        >>> y = NRU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, or the input has no known
            feature size.

    Source: Mistry et al. 2021 (arXiv 2110.05177), their code; initial values as for NAU.
    """

    penalty_names = ("sparsity",)

    def __init__(
        self, units: int, eps: float = 1e-7, w_initializer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive("NRU: eps", eps)
        self.w_initializer = copy_initializer(w_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`."""
        super().build(input_shape)
        initializer = self.w_initializer or nau_uniform(self.features, self.units)
        self.w = self.add_matrix("w", initializer, Clip(-1.0, 1.0))

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, clamped."""
        return {"W": ops.clip(self.w, -1.0, 1.0)}

    def call(self, x: Any, training: bool = False) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        w = self.matrices()["W"]
        a = ops.square(ops.tanh(1000.0 * w)) if training else ops.abs(w)
        y = reciprocal_product(ops.cast(x, self.compute_dtype), w, a, self.eps)
        return ops.cast(y, self.compute_dtype)

    def facts(self) -> Facts:
        """Published by Mistry et al. 2021; products and quotients."""
        weights = {**PRODUCT_WEIGHTS, "a / b": LESS}
        return Facts(
            paper=Paper("Mistry et al. 2021", "2110.05177"),
            solutions={o: {"W": w} for o, w in weights.items()},
            overflows=("product",),
            favours={"W": SIGNED},
        )

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i x_i^W_i`."""
        return products(x, effective["W"])

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of the weights."""
        return {"sparsity": sparsity(self.w)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "eps": self.eps,
            "w_initializer": keras.initializers.serialize(self.w_initializer),
        }
