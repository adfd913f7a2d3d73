"""GNALU, the NALU with the golden ratio for e: G-NALU in the Primer."""

import math
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from nalu_seq.units.facts import PRIMER, Facts
from nalu_seq.units.nalu import NALU

LOG_PHI = math.log((1 + math.sqrt(5)) / 2)


def golden_sigmoid(x: Any) -> Any:
    """The sigmoid with base phi, the golden ratio: sigma_phi(x) = 1 / (1 + phi^-x).

    Args:
        x: a tensor of any shape.
    """
    return ops.sigmoid(x * LOG_PHI)


def golden_weights(w_hat: Any, m_hat: Any) -> Any:
    """W = tanh_phi(w_hat) * sigma_phi(m_hat), with tanh_phi(x) = (phi^2x - 1) / (phi^2x + 1).

    Args:
        w_hat: raw weights `[in, units]`.
        m_hat: raw weights `[in, units]`.
    """
    return ops.tanh(w_hat * LOG_PHI) * golden_sigmoid(m_hat)


@keras.saving.register_keras_serializable("nalu_seq")
class GNALU(NALU):
    """The NALU with powers of the golden ratio phi = (1 + sqrt 5) / 2 in the place of e.

        W = tanh_phi(w_hat) * sigma_phi(m_hat)
        tanh_phi(x) = (phi^2x - 1) / (phi^2x + 1),    sigma_phi(x) = 1 / (1 + phi^-x)
        a = x W,    m = phi^(log_phi(|x| + eps) W),    g = sigma_phi(x G)
        y = g * a + (1 - g) * m

    Only the slopes of the squashings differ from NALU's: phi^log_phi is exp(log), and is computed
    so. Signs are lost on the multiplying path; it overflows to inf or NaN where NALU does.

    Args:
        units: size of the output.
        **kwargs: `w_hat_initializer`, `m_hat_initializer`, `g_initializer`, `eps`, `tied`, `gate`,
            `multiplier` as for `NALU`; `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `inalu`, as for `INALU`.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), GNALU(1)])
        >>> model.compile(optimizer="adam", loss="mse")

    Raises:
        ValueError: as for `NALU`.

    Source: Mistry et al. 2022 (arXiv 2101.09530), their code; initial values as for NALU.
    """

    matrix = staticmethod(golden_weights)
    squash = staticmethod(golden_sigmoid)

    def facts(self) -> Facts:
        """Published in the Primer; otherwise NALU's."""
        return replace(super().facts(), paper=PRIMER)
