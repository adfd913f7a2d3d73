"""SNMU, the stochastic NMU of Mistry et al. 2022: sNMU in the paper."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import draw_noise
from nalu_seq.units.facts import Facts, Paper
from nalu_seq.units.nmu import NMU
from nalu_seq.units.weights import positive


@keras.saving.register_keras_serializable("nalu_seq")
class SNMU(NMU):
    """An NMU that multiplies its inputs by noise, and divides the output by the noise's product.

        y = NMU(x * N) / NMU(N) with noise,    y = NMU(x) without
        N = 1 + U[0, 1) (high - 1) for each element,    high = 1 + 1 / sd(x) by default

    With weights of 0 and 1 the noise cancels; with others it does not, so that it drives them
    there. The product overflows to inf where the true one does.

    Noise is for training, and comes from outside: the unit draws none itself, because a random
    operation inside a model that is mapped over members would give all members one draw. The
    population draws it for each member; elsewhere `noise_source` does, or the call's argument.
    Without it this is the plain NMU.

    Args:
        units: size of the output.
        high: upper end of the noise's range, above 1, such as the paper's 5; None for
            `1 + 1 / sd(x)`, with the standard deviation over the whole input (all axes, no
            correction for the mean's degree of freedom, no gradient), which must not be constant.
        **kwargs: `w_initializer`, `clip`, `sparsity` as for `NMU`; `name`, `dtype`, `trainable`.

    Call arguments: x, and optionally `noise`, N itself, of the same shape (or one that broadcasts).

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: as for `NMU`.

    Example:
        >>> x = keras.ops.ones((8, 3))
        >>> y = SNMU(2)(x, noise=keras.random.uniform((8, 3), 1.0, 5.0))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `high` is no number above 1, `clip` is no
            boolean, or the input has no known feature size.

    Source: Mistry, Farrahi & Hare 2022 (arXiv 2211.05624).
    """

    noisy = True

    def __init__(self, units: int, high: float | None = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        if high is not None and positive("SNMU: high", high) <= 1:
            raise ValueError(f"SNMU: high must be above 1, or None for 1 + 1 / sd(x), not {high!r}")
        self.high = high

    @property
    def whole_batch(self) -> bool:  # type: ignore[override]
        """Whether the range of the noise depends on the standard deviation over the batch."""
        return self.high is None

    def call(self, x: Any, noise: Any = None) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        if noise is None and (uniform := draw_noise(x.shape)) is not None:
            noise = 1 + ops.cast(uniform, x.dtype) * self.width(x)
        if noise is None:
            return super().call(x)
        return super().call(x * noise) / super().call(noise)

    def width(self, x: Any) -> Any:
        """The width of the noise's range, `high - 1`; by default 1 / sd(x).

        Args:
            x: the inputs `[..., in]`.
        """
        if self.high is not None:
            return self.high - 1
        return 1 / ops.stop_gradient(ops.std(x))

    def facts(self) -> Facts:
        """Published by Mistry et al. 2022; otherwise NMU's."""
        return replace(super().facts(), paper=Paper("Mistry et al. 2022", "2211.05624"))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "high": self.high}
