"""NAC, the neural accumulator of Trask et al. 2018."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    SATURATED,
    SIGNED,
    SUM_WEIGHTS,
    TRASK,
    Effective,
    Facts,
    saturating_weights,
    sums,
)
from nalu_seq.units.weights import copy_initializer, nac_uniform, r_z, weighted_sums


def nac_weights(w_hat: Any, m_hat: Any) -> Any:
    """W = tanh(w_hat) * sigmoid(m_hat), the matrix that is biased to -1, 0 and 1.

    Args:
        w_hat: raw weights `[in, units]`.
        m_hat: raw weights `[in, units]`.
    """
    return ops.tanh(w_hat) * ops.sigmoid(m_hat)


def raw_nac(w: Any) -> list[Any]:
    """The raw weights that lead to W, for values of -1, -1/2, 0, 1/2 and 1.

    Args:
        w: W, of any shape.

    Returns:
        `[w_hat, m_hat]`, saturated.
    """
    return [SATURATED * np.sign(w), saturating_weights(np.abs(w))]


@keras.saving.register_keras_serializable("nalu_seq")
class NAC(Unit):
    """Sums and differences of its inputs, with weights drawn to -1, 0 and 1.

        W = tanh(w_hat) * sigmoid(m_hat),    y = x W

    No bias. Finite for every finite input whose weighted sum is finite.

    Args:
        units: size of the output.
        w_hat_initializer: initial `w_hat`; by default `U(-r, r)` of `weights.nac_uniform`.
        m_hat_initializer: initial `m_hat`; the same by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: of the input `r_z`, with z the mean input the mean of (1 - |W|) z^2.

    Example:
        >>> y = NAC(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, or the input has no known feature size.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 3; initial values: Madsen & Johansen 2020.
    """

    penalty_names: tuple[str, ...] = ("r_z",)

    def __init__(
        self,
        units: int,
        w_hat_initializer: Any = None,
        m_hat_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.w_hat_initializer = copy_initializer(w_hat_initializer)
        self.m_hat_initializer = copy_initializer(m_hat_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_hat` and `m_hat`, both `[in, units]`."""
        super().build(input_shape)
        fans = self.features, self.units
        self.w_hat = self.add_matrix("w_hat", self.w_hat_initializer or nac_uniform(*fans))
        self.m_hat = self.add_matrix("m_hat", self.m_hat_initializer or nac_uniform(*fans))

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`."""
        return {"W": nac_weights(self.w_hat, self.m_hat)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return weighted_sums(x, self.matrices()["W"])

    def facts(self) -> Facts:
        """Published by Trask et al. 2018; sums and differences."""
        return Facts(
            paper=TRASK,
            solutions={o: {"W": w} for o, w in SUM_WEIGHTS.items()},
            favours={"W": SIGNED},
        )

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Saturated `w_hat` and `m_hat`."""
        del x
        return raw_nac(effective["W"])

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `x W`."""
        return sums(x, effective["W"])

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """`r_z`: R_z of the weights."""
        return {"r_z": r_z(1 - ops.abs(self.matrices()["W"]), mean_input, neutral=0.0)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_hat_initializer": keras.initializers.serialize(self.w_hat_initializer),
            "m_hat_initializer": keras.initializers.serialize(self.m_hat_initializer),
        }
