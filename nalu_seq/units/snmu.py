"""SNMU, the stochastic NMU of Mistry et al. 2022: sNMU in the paper."""

from typing import Any

import keras

from nalu_seq.units.nmu import NMU


@keras.saving.register_keras_serializable("nalu_seq")
class SNMU(NMU):
    """An NMU that multiplies its input by noise, and divides the noise's product out again.

        y = NMU(x * noise) / NMU(noise) with noise,    y = NMU(x) without

    With weights of 0 and 1 the noise cancels; with others it does not, so that it drives them
    there. The product overflows to inf where the true one does.

    The noise is an input, for training: `U(1, 1 + 1 / sd(x))` for each element, or `U(1, 5)`. The
    unit draws none itself: a random operation inside a model that is mapped over members would
    give all members one draw. Without noise it is the plain NMU, in training too.

    Args:
        units: size of the output.
        **kwargs: `w_initializer`, `clip` as for `NMU`; `name`, `dtype`, `trainable`.

    Call arguments: x, and optionally `noise` of the same shape (or one that broadcasts to it).

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: as for `NMU`.

    Example:
        >>> x = keras.ops.ones((8, 3))
        >>> y = SNMU(2)(x, noise=keras.random.uniform((8, 3), 1.0, 5.0))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `clip` is no boolean, or the input has no known
            feature size.

    Source: Mistry, Farrahi & Hare 2022 (arXiv 2211.05624).
    """

    def call(self, x: Any, noise: Any = None) -> Any:
        """`[..., in] -> [..., units]`."""
        if noise is None:
            return super().call(x)
        return super().call(x * noise) / super().call(noise)
