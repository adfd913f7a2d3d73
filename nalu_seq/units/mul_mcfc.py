"""MulMCFC, the mass-conserving layer in log space, with the sign variants of the Primer."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nalu_seq.units.facts import ONES, PRIMER, PRODUCT_WEIGHTS, UNSIGNED, Effective, Facts, products
from nalu_seq.units.mcfc import MCFC
from nalu_seq.units.nmu import gated_product
from nalu_seq.units.weights import (
    at_least_float32,
    cosine,
    log_max,
    one_of,
    positive,
    sparsity,
    weighted_sums,
)

# What becomes of the signs of the inputs, and how exact products of negative inputs are by it.
SIGNS = {
    None: "sign lost",
    "undefined": "positive only",
    "inalu": "exact",
    "real_npu": "exact",
}


@keras.saving.register_keras_serializable("nalu_seq")
class MulMCFC(MCFC):
    """Products of powers, 0 to 1, of the magnitudes of its inputs, with or without their sign.

        y = exp(sigmoid(w_o + b_o) * (log(max(|x|, eps)) R) + bias) * s,    R = softmax(r)
        sign=None:        s = 1
        sign="undefined": s = 1, or NaN where an input is negative
        sign="inalu":     s_j = prod_i (sign(x_i) R_ij + 1 - R_ij)
        sign="real_npu":  s = cos(k R),    k = g * (pi if x < 0 else 0),    g in [0, 1]

    Without a sign, the paper takes log(x), which is NaN for negative inputs; that is `"undefined"`.
    By default their sign is lost instead. The output overflows to inf where the product does.

    Args:
        units: size of the output.
        eps: the magnitude below which an input counts as eps (the paper has none).
        sign: `None`, `"undefined"`, `"inalu"` or `"real_npu"`.
        **kwargs: `r_initializer`, `w_o_initializer`, `b_o_initializer` as for `MCFC`; `name`,
            `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `mcfc` as for `MCFC`; for `"real_npu"` also `sparsity`, the mean of min(g, 1 - g).

    Example:
        >>> y = MulMCFC(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, `sign` is unknown, or the
            input has no known feature size.

    Source: Hoedt et al. 2021 (arXiv 2101.05186); without its spare output and with the signs as in
    the Primer (arXiv 2101.09530), their code.
    """

    penalty_names = ("mcfc", "sparsity")

    def __init__(
        self, units: int, eps: float = 1e-7, sign: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive("MulMCFC: eps", eps)
        self.sign = one_of("MulMCFC: sign", sign, tuple(SIGNS))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make MCFC's weights, `bias`, `[units]`, and for `"real_npu"` `g`, `[in]`."""
        super().build(input_shape)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        if self.sign == "real_npu":
            half = keras.initializers.Constant(0.5)
            self.g = self.add_weight(name="g", shape=(self.features,), initializer=half)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `R`, and for `"real_npu"` `g`, clamped, `[in]`."""
        gate = {"g": ops.clip(self.g, 0.0, 1.0)} if self.sign == "real_npu" else {}
        return {**super().matrices(), **gate}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = at_least_float32(ops.cast(x, self.compute_dtype))
        y = ops.exp(self.gated_sums(log_max(x, self.eps)) + ops.cast(self.bias, x.dtype))
        if self.sign is not None:
            y = y * self.signs(x)
        return ops.cast(y, self.compute_dtype)

    def signs(self, x: Any) -> Any:
        """The signs s of the outputs.

        Args:
            x: the inputs `[..., in]`.

        Returns:
            `[..., units]`.
        """
        w = {name: ops.cast(matrix, x.dtype) for name, matrix in self.matrices().items()}
        if self.sign == "undefined":
            any_negative = ops.any(x < 0, axis=-1, keepdims=True)
            return ops.where(any_negative, math.nan, ops.ones_like(x[..., :1]))
        if self.sign == "inalu":
            return gated_product(ops.sign(x), w["R"])
        return cosine(weighted_sums(w["g"] * math.pi * ops.cast(x < 0, x.dtype), w["R"]))

    def facts(self) -> Facts:
        """Published by Hoedt et al. 2021, the signs in the Primer; the product of all inputs."""
        sum_ = super().facts()
        ideal = {"R": ONES, "gate": [1.0], "bias": [0.0]}
        favours = {**sum_.favours, "bias": (0.0,)}
        if self.sign == "real_npu":
            ideal["g"], favours["g"] = ONES, UNSIGNED
        return Facts(
            paper=PRIMER if self.sign in ("inalu", "real_npu") else sum_.paper,
            solutions=dict.fromkeys(PRODUCT_WEIGHTS, ideal),
            negatives=SIGNS[self.sign],
            overflows=("product",),
            favours=favours,
        )

    def effective(self, x: Any) -> dict[str, Any]:
        """`matrices()`, `gate`, sigmoid(w_o + b_o), and `bias`, `[units]` each."""
        return {**super().effective(x), "bias": self.bias.value}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """A saturated softmax and gate, the bias, and the sign's gate."""
        gate = [effective["g"]] if self.sign == "real_npu" else []
        return [*super().raw_weights(effective, x), effective["bias"], *gate]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i x_i^R_i`, or of magnitudes if signs are lost."""
        signed = effective.get("g", np.full(len(x), self.sign is not None))
        x = [x_i if keeps else abs(x_i) for x_i, keeps in zip(x, signed, strict=True)]
        return products(x, effective["R"] * effective["gate"])

    def penalties(self) -> dict[str, Any]:
        """`mcfc`: minus the mean squares of MCFC's weights; `sparsity`: R_sparse of the gate."""
        gate = {"sparsity": sparsity(self.g, signed=False)} if self.sign == "real_npu" else {}
        return {**super().penalties(), **gate}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "eps": self.eps, "sign": self.sign}
