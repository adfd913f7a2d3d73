"""NALU, the neural arithmetic logic unit of Trask et al. 2018."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.nac import nac_weights
from nalu_seq.units.nac_mul import NACMul
from nalu_seq.units.weights import log_abs, own_initializer


@keras.saving.register_keras_serializable("nalu_seq")
class NALU(NACMul):
    """A learned gate between adding (NAC) and multiplying (NAC in log space), weights tied.

        W = tanh(w_hat) * sigmoid(m_hat)
        a = x W,    m = exp(log(|x| + eps) W),    g = sigmoid(x G)
        y = g * a + (1 - g) * m

    No bias, neither in the sums nor in the gate. Signs are lost on the multiplying path, and where
    `NACMul` overflows it gives inf or NaN. Its gradient is huge where an input is near 0: clip each
    model's gradient norm.

    Args:
        units: size of the output.
        eps: what keeps the logarithm finite at 0.
        g_initializer: initial gate matrix `g`; Glorot uniform by default.
        **kwargs: `w_hat_initializer`, `m_hat_initializer` as for `NAC`; `name`, `dtype`,
            `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), NALU(1)])
        >>> model.compile(optimizer="adam", loss="mse")

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, or the input has no known
            feature size.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 3; tied weights and initial values as in
    Madsen & Johansen 2020 (arXiv 2001.05016).
    """

    def __init__(self, units: int, g_initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.g_initializer = own_initializer(g_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_hat`, `m_hat` and `g`, all `[in, units]`."""
        super().build(input_shape)
        self.g = self.add_matrix("g", self.g_initializer)

    def call(self, x: Any) -> Any:
        """`[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        w = nac_weights(self.w_hat, self.m_hat)
        logs = log_abs(x, self.eps)
        a = ops.matmul(x, w)
        m = ops.cast(ops.exp(ops.matmul(logs, ops.cast(w, logs.dtype))), a.dtype)
        g = ops.sigmoid(ops.matmul(x, self.g))
        return g * a + (1 - g) * m

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "g_initializer": keras.initializers.serialize(self.g_initializer),
        }
