"""NMRU, the neural multiplicative reciprocal unit of Mistry et al. 2021."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    FIRST,
    NONE,
    PRODUCT_WEIGHTS,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    products,
)
from nalu_seq.units.nmu import gated_product
from nalu_seq.units.weights import (
    Clip,
    at_least_float32,
    copy_initializer,
    cosine,
    positive,
    sparsity,
    weighted_sums,
)


@keras.saving.register_keras_serializable("nalu_seq")
class NMRU(Unit):
    """Products and quotients of its inputs: an NMU on the inputs and their reciprocals.

        u = [x, 1 / (x + eps)] in training, [x, 1 / x] otherwise
        y = prod_i (W_i |u_i| + 1 - W_i) * cos(sum_i W_i k_i),    W in [0, 1]
        k_i = pi if u_i < 0 else 0

    The clamp stands in the forward pass and, as a constraint, after each update. Outside training
    an input whose magnitude is below eps has the reciprocal 1 / eps (the paper's grows to inf). The
    product overflows to inf where the true one does. In training an input of 0 has a reciprocal of
    8e6, whose gradients soon overflow too: keep zeros out of the training data.

    Args:
        units: size of the output.
        eps: what keeps the reciprocal finite at 0; float32's epsilon.
        w_initializer: initial `w`; `U(0.25, 0.75)` by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, the mean of min(W, 1 - W).

    Example:
        >>> y = NMRU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, or the input has no known
            feature size.

    Source: Mistry et al. 2021 (arXiv 2110.05177), their code with sign retrieval.
    """

    penalty_names = ("sparsity",)

    def __init__(
        self,
        units: int,
        eps: float = 1.1920928955078125e-07,
        w_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive("NMRU: eps", eps)
        self.w_initializer = copy_initializer(w_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[2 in, units]`: the weights of the inputs, then those of their reciprocals."""
        super().build(input_shape)
        self.w = self.add_weight(
            name="w",
            shape=(2 * self.features, self.units),
            initializer=self.w_initializer or keras.initializers.RandomUniform(0.25, 0.75),
            constraint=Clip(0.0, 1.0),
        )

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, clamped, `[2 in, units]`."""
        return {"W": ops.clip(self.w, 0.0, 1.0)}

    def call(self, x: Any, training: bool = False) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = at_least_float32(ops.cast(x, self.compute_dtype))
        w = ops.cast(self.matrices()["W"], x.dtype)
        inverted = x + self.eps if training else x
        size = ops.abs(inverted) if training else ops.maximum(ops.abs(x), self.eps)
        u = ops.concatenate([ops.abs(x), 1 / size], axis=-1)
        k = math.pi * ops.cast(ops.concatenate([x, inverted], axis=-1) < 0, x.dtype)
        y = gated_product(u, w) * cosine(weighted_sums(k, w))
        return ops.cast(y, self.compute_dtype)

    def facts(self) -> Facts:
        """Published by Mistry et al. 2021; products and quotients."""
        weights = {o: [*w, *NONE] for o, w in PRODUCT_WEIGHTS.items()}
        weights["a / b"] = [*FIRST, *FIRST[::-1]]
        return Facts(
            paper=Paper("Mistry et al. 2021", "2110.05177"),
            solutions={o: {"W": w} for o, w in weights.items()},
            overflows=("product",),
            favours={"W": UNSIGNED},
        )

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i x_i^W_i / prod_i x_i^W_(in + i)`."""
        factors, divisors = np.split(np.asarray(effective["W"]), 2)
        return products(x, factors - divisors)

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
