"""NACMul, the accumulator in log space: NAC* of Madsen & Johansen 2020."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.nac import NAC, nac_weights
from nalu_seq.units.weights import log_abs


@keras.saving.register_keras_serializable("nalu_seq")
class NACMul(NAC):
    """Products, quotients and powers of the magnitudes of its inputs; their signs are lost.

        W = tanh(w_hat) * sigmoid(m_hat),    y = exp(log(|x| + eps) W)

    The output is positive. It overflows to inf where the true product leaves the float range:
    float32 ends at 3.4e38, so two inputs of 1e30 are already too much. float16 ends at 65504, where
    even 1 / eps is too much: there an input of 0 may give inf, and NaN gradients.

    Args:
        units: size of the output.
        eps: what keeps the logarithm finite at 0.
        **kwargs: `w_hat_initializer`, `m_hat_initializer` as for `NAC`; `name`, `dtype`,
            `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Example:
        >>> y = NACMul(1)(keras.ops.convert_to_tensor([[2.0, -3.0]]))
        >>> tuple(y.shape)
        (1, 1)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, or the input has no known
            feature size.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 3, as the sub-unit m of the NALU; named
    and measured alone by Madsen & Johansen 2020 (arXiv 2001.05016).
    """

    def __init__(self, units: int, eps: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        if not eps > 0:
            raise ValueError(f"NACMul: eps must be positive, not {eps!r}")
        self.eps = eps

    def call(self, x: Any) -> Any:
        """`[..., in] -> [..., units]`."""
        logs = log_abs(ops.cast(x, self.compute_dtype), self.eps)
        w = ops.cast(nac_weights(self.w_hat, self.m_hat), logs.dtype)
        return ops.cast(ops.exp(ops.matmul(logs, w)), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "eps": self.eps}
