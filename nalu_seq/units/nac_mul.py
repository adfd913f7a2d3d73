"""NACMul, the accumulator in log space: NAC* of Madsen & Johansen 2020, and its variants."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    MADSEN,
    POWER_WEIGHTS,
    POWERS,
    ROOTS,
    TRASK,
    Effective,
    Facts,
    products,
    saturating_weights,
)
from nalu_seq.units.nac import NAC
from nalu_seq.units.weights import (
    Clip,
    copy_initializer,
    log_abs,
    one_of,
    positive,
    r_z,
    sparsity,
    weighted_sums,
)


def log_product(x: Any, w: Any, eps: float) -> Any:
    """`exp(log(|x| + eps) w)` in float32 at least: the product of the powers of the magnitudes.

    Args:
        x: `[..., in]`.
        w: `[in, units]`.
        eps: what keeps the logarithm finite at 0.
    """
    logs = log_abs(x, eps)
    return ops.exp(weighted_sums(logs, ops.cast(w, logs.dtype)))


@keras.saving.register_keras_serializable("nalu_seq")
class NACMul(NAC):
    """Products, quotients and powers of the magnitudes of its inputs; their signs are lost.

        y = exp(log(|x| + eps) W)
        weights="nac":      W = tanh(w_hat) * sigmoid(m_hat), NAC* in the paper
        weights="sigmoid":  W = sigmoid(w_hat), NAC*,sigma: products and roots only
        weights="nmu":      W = w in [0, 1], clamped, NAC*,NMU

    The output is positive. It overflows to inf where the true product leaves the float range:
    float32 ends at 3.4e38, so two inputs of 1e30 are already too much. float16 ends at 65504, where
    even 1 / eps is too much: there an input of 0 may give inf, and NaN gradients.

    Args:
        units: size of the output.
        eps: what keeps the logarithm finite at 0.
        weights: `"nac"`, `"sigmoid"` or `"nmu"`.
        w_initializer: initial `w` of `"nmu"`; `U(0.25, 0.75)` by default.
        **kwargs: `w_hat_initializer`, `m_hat_initializer` as for `NAC`, but Glorot normal by
            default for `"sigmoid"`; `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties, for `"nmu"` only: `sparsity`, the mean of min(W, 1 - W); of the input `r_z`, with z
    the mean of log(|x| + eps) the mean of (1 - W) (1 - z)^2. That is NMU's form on the logarithms,
    as in the code behind the published figures, although what is neutral to them is 0.

    Example:
        >>> y = NACMul(1)(keras.ops.convert_to_tensor([[2.0, -3.0]]))
        >>> tuple(y.shape)
        (1, 1)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, `weights` is unknown, or
            the input has no known feature size.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 3, as the sub-unit m of the NALU; named
    and measured alone, with the variants, by Madsen & Johansen 2020 (arXiv 2001.05016).
    """

    penalty_names = ("sparsity", "r_z")

    def __init__(
        self,
        units: int,
        eps: float = 1e-7,
        weights: str = "nac",
        w_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive("NACMul: eps", eps)
        # Not `weights`, which is Keras' name for the list of a layer's variables.
        self.variant = one_of("NACMul: weights", weights, ("nac", "sigmoid", "nmu"))
        self.w_initializer = copy_initializer(w_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_hat` and `m_hat`, `w_hat`, or `w`, all `[in, units]`."""
        if self.variant == "nac":
            super().build(input_shape)
            return
        Unit.build(self, input_shape)
        if self.variant == "sigmoid":
            self.w_hat = self.add_matrix("w_hat", self.w_hat_initializer or "glorot_normal")
        else:
            initializer = self.w_initializer or keras.initializers.RandomUniform(0.25, 0.75)
            self.w = self.add_matrix("w", initializer, Clip(0.0, 1.0))

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W` of the variant."""
        if self.variant == "nac":
            return super().matrices()
        if self.variant == "sigmoid":
            return {"W": ops.sigmoid(self.w_hat)}
        return {"W": ops.clip(self.w, 0.0, 1.0)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        return ops.cast(log_product(x, self.matrices()["W"], self.eps), self.compute_dtype)

    def facts(self) -> Facts:
        """Published by Trask et al. 2018, the variants by Madsen & Johansen 2020; powers."""
        signed = self.variant == "nac"
        powers = {o: w for o, w in POWER_WEIGHTS.items() if signed or min(w) >= 0}
        return Facts(
            paper=TRASK if signed else MADSEN,
            solutions={o: {"W": w} for o, w in powers.items()},
            negatives="sign lost",
            overflows=("product", "float16"),
            favours={"W": POWERS if signed else ROOTS},
        )

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Saturated `w_hat` and `m_hat`, `w_hat` alone, or `w`."""
        if self.variant == "nac":
            return super().raw_weights(effective, x)
        return [saturating_weights(effective["W"]) if self.variant == "sigmoid" else effective["W"]]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i |x_i|^W_i`."""
        return products([abs(x_i) for x_i in x], effective["W"])

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of the weights, where they are clamped and not squashed."""
        return {"sparsity": sparsity(self.w)} if self.variant == "nmu" else {}

    def weighted_input(self, x: Any) -> Any:
        """The logarithms of the inputs' magnitudes, which the weights are multiplied with.

        Args:
            x: the inputs `[..., in]`.
        """
        return log_abs(x, self.eps)

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """`r_z`: R_z of the weights, where they are clamped and not squashed."""
        if self.variant != "nmu":
            return {}
        return {"r_z": r_z(1 - self.matrices()["W"], mean_input, neutral=1.0)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "eps": self.eps,
            "weights": self.variant,
            "w_initializer": keras.initializers.serialize(self.w_initializer),
        }
