"""NPU, the neural power unit of Heim et al. 2020."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from nalu_seq.units.facts import NONE, Facts
from nalu_seq.units.real_npu import RealNPU, log_and_phase
from nalu_seq.units.weights import copy_initializer, cosine, weighted_sums


@keras.saving.register_keras_serializable("nalu_seq")
class NPU(RealNPU):
    """The real part of products of complex powers of its inputs, each input behind a gate.

        r = g * (|x| + eps) + 1 - g,    k = g * (pi if x < 0 else 0),    g in [0, 1]
        y = exp(log(r) W_r - k W_i) * cos(k W_r + log(r) W_i)

    It overflows to inf or NaN where a power leaves the float range: nothing bounds the weights, and
    with a weight of -4 an input of 0 is 1e27 already. Four real matrix products, as written: one of
    twice the size is no faster, a complex one slower (docs/performance.md).

    Args:
        units: size of the output.
        w_i_initializer: initial `w_i`, `[in, units]`; 0 by default, which makes it a `RealNPU`.
        **kwargs: `eps`, `clip` (of `w_i` too), `w_r_initializer`, `g_initializer` as for
            `RealNPU`; `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `l1`, the sum of the magnitudes of all parameters, gate included.

    Example:
        >>> y = NPU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, `clip` is no boolean, or
            the input has no known feature size.

    Source: Heim, Pevny & Smidl 2020 (arXiv 2006.01681); eps, initial values and clip as in the
    Primer (arXiv 2101.09530), their code.
    """

    def __init__(self, units: int, w_i_initializer: Any = "zeros", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.w_i_initializer = copy_initializer(w_i_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_r`, `[in, units]`, `g`, `[in]`, and `w_i`, `[in, units]`."""
        super().build(input_shape)
        self.w_i = self.add_matrix("w_i", self.w_i_initializer, self.clip_constraint)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W_r`, `W_i`, and `g`, clamped, `[in]`."""
        return {**super().matrices(), "W_i": self.w_i.value}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        w = self.matrices()
        logs, k = log_and_phase(ops.cast(x, self.compute_dtype), w["g"], self.eps)
        w_r, w_i = (ops.cast(w[name], logs.dtype) for name in ("W_r", "W_i"))
        size = ops.exp(weighted_sums(logs, w_r) - weighted_sums(k, w_i))
        phase = weighted_sums(k, w_r) + weighted_sums(logs, w_i)
        return ops.cast(size * cosine(phase), self.compute_dtype)

    def facts(self) -> Facts:
        """As for `RealNPU`, with no imaginary powers."""
        real = super().facts()
        solutions = {o: {**w, "W_i": NONE} for o, w in real.solutions.items()}
        return replace(real, solutions=solutions, favours={**real.favours, "W_i": (0.0,)})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_i_initializer": keras.initializers.serialize(self.w_i_initializer),
        }
