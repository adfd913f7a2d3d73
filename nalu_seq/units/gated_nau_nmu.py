"""GatedNAUNMU, a NAU and an NMU behind NALU's gate: Madsen & Johansen 2020."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    MADSEN,
    ONES,
    PRODUCT_WEIGHTS,
    SIGNED,
    SUM_WEIGHTS,
    UNSIGNED,
    Effective,
    Facts,
    gate_weights,
    products,
    sums,
)
from nalu_seq.units.nmu import gated_product
from nalu_seq.units.weights import Clip, copy_initializer, nau_uniform, sparsity, weighted_sums


@keras.saving.register_keras_serializable("nalu_seq")
class GatedNAUNMU(Unit):
    """A learned gate between adding (NAU) and multiplying (NMU), each with its own weights.

        a = x W_a,    m = prod_i (W_m,i x_i + 1 - W_m,i),    g = sigmoid(x G)
        y = g * a + (1 - g) * m,    W_a in [-1, 1],    W_m in [0, 1]

    The clamps stand in the forward pass and, as constraints, after each update. No bias. Where the
    product overflows it gives inf or NaN. The gate turns with the sign of the input.

    Args:
        units: size of the output.
        w_a_initializer: initial `w_a`; by default `U(-r, r)` of `weights.nau_uniform`.
        w_m_initializer: initial `w_m`; `U(0.25, 0.75)` by default.
        g_initializer: initial gate matrix `g`; Glorot uniform by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, that of NAU's weights plus that of NMU's.

    Example:
        >>> y = GatedNAUNMU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, or the input has no known feature size.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), the gated NAU/NMU of their comparison.
    """

    penalty_names = ("sparsity",)

    def __init__(
        self,
        units: int,
        w_a_initializer: Any = None,
        w_m_initializer: Any = None,
        g_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.w_a_initializer = copy_initializer(w_a_initializer)
        self.w_m_initializer = copy_initializer(w_m_initializer)
        self.g_initializer = copy_initializer(g_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_a`, `w_m` and `g`, all `[in, units]`."""
        super().build(input_shape)
        w_a = self.w_a_initializer or nau_uniform(self.features, self.units)
        w_m = self.w_m_initializer or keras.initializers.RandomUniform(0.25, 0.75)
        self.w_a = self.add_matrix("w_a", w_a, Clip(-1.0, 1.0))
        self.w_m = self.add_matrix("w_m", w_m, Clip(0.0, 1.0))
        self.g = self.add_matrix("g", self.g_initializer)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W_a` and `W_m`, clamped."""
        return {"W_a": ops.clip(self.w_a, -1.0, 1.0), "W_m": ops.clip(self.w_m, 0.0, 1.0)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        w = self.matrices()
        a, m = weighted_sums(x, w["W_a"]), gated_product(x, w["W_m"])
        g = ops.sigmoid(weighted_sums(x, self.g))
        return g * a + (1 - g) * m

    def facts(self) -> Facts:
        """Published by Madsen & Johansen 2020; sums behind an open gate, products otherwise."""
        # The weights of the path that the gate shuts do not matter; they are set too.
        return Facts(
            paper=MADSEN,
            solutions={
                **{o: {"W_a": w, "W_m": ONES, "gate": [1.0]} for o, w in SUM_WEIGHTS.items()},
                **{o: {"W_a": ONES, "W_m": w, "gate": [0.0]} for o, w in PRODUCT_WEIGHTS.items()},
            },
            negatives="positive only",
            overflows=("product",),
            favours={"W_a": SIGNED, "W_m": UNSIGNED, "gate": UNSIGNED},
        )

    def effective(self, x: Any) -> dict[str, Any]:
        """`matrices()`, and `gate`, the mean of g over the sample of inputs, `[units]`."""
        g = ops.sigmoid(weighted_sums(x, self.g))
        return {**self.matrices(), "gate": ops.mean(g, axis=0)}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Both matrices themselves, and the gate open or shut on the sample of inputs."""
        return [effective["W_a"], effective["W_m"], gate_weights(effective["gate"], x)]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The path that each output's gate leaves: `x W_a`, or `prod_i x_i^W_m,i`."""
        a, m = sums(x, effective["W_a"]), products(x, effective["W_m"])
        paths = zip(effective["gate"], a, m, strict=True)
        return [one if gate else other for gate, one, other in paths]

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of both matrices, summed."""
        return {"sparsity": sparsity(self.w_a) + sparsity(self.w_m)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_a_initializer": keras.initializers.serialize(self.w_a_initializer),
            "w_m_initializer": keras.initializers.serialize(self.w_m_initializer),
            "g_initializer": keras.initializers.serialize(self.g_initializer),
        }
