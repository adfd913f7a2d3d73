"""RealNPU, the neural power unit of Heim et al. 2020 with real weights."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    FIRST,
    ONES,
    POWER_WEIGHTS,
    POWERS,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    products,
)
from nalu_seq.units.weights import (
    Clip,
    at_least_float32,
    copy_initializer,
    cosine,
    one_of,
    positive,
    weighted_sums,
)


def log_and_phase(x: Any, g: Any, eps: float) -> tuple[Any, Any]:
    """`log r` and `k`, both `[..., in]`, of the gated input, in float32 at least.

        r = g * (|x| + eps) + 1 - g,    k = g * (pi if x < 0 else 0)

    Args:
        x: `[..., in]`.
        g: `[in]`, in [0, 1].
        eps: what keeps the logarithm finite at 0.
    """
    x = at_least_float32(x)
    g = ops.cast(g, x.dtype)
    return ops.log(g * (ops.abs(x) + eps) + (1 - g)), g * math.pi * ops.cast(x < 0, x.dtype)


@keras.saving.register_keras_serializable("nalu_seq")
class RealNPU(Unit):
    """Products of powers of its inputs, signs included, each input behind a gate.

        r = g * (|x| + eps) + 1 - g,    k = g * (pi if x < 0 else 0),    g in [0, 1]
        y = exp(log(r) W_r) * cos(k W_r)

    The real part of the complex power. It overflows to inf or NaN where a power leaves the float
    range: nothing bounds the weights, and with a weight of -4 an input of 0 is 1e27 already.

    Args:
        units: size of the output.
        eps: what keeps the logarithm finite at 0; float32's epsilon.
        clip: clamp the weights to [-1, 1] and g to [0, 1] after each update.
        w_r_initializer: initial `w_r`, `[in, units]`; Glorot uniform by default.
        g_initializer: initial `g`, `[in]`; 1/2 by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `l1`, the sum of the magnitudes of all parameters, gate included.

    Example:
        >>> y = RealNPU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, `clip` is no boolean, or
            the input has no known feature size.

    Source: Heim, Pevny & Smidl 2020 (arXiv 2006.01681); eps, initial values and clip as in the
    Primer (arXiv 2101.09530), their code.
    """

    penalty_names = ("l1",)

    def __init__(
        self,
        units: int,
        eps: float = 1.1920928955078125e-07,
        clip: bool = False,
        w_r_initializer: Any = "glorot_uniform",
        g_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive(f"{type(self).__name__}: eps", eps)
        self.clip = one_of(f"{type(self).__name__}: clip", clip, (True, False))
        self.w_r_initializer = copy_initializer(w_r_initializer)
        self.g_initializer = copy_initializer(g_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_r`, `[in, units]`, and `g`, `[in]`."""
        super().build(input_shape)
        self.w_r = self.add_matrix("w_r", self.w_r_initializer, self.clip_constraint)
        self.g = self.add_weight(
            name="g",
            shape=(self.features,),
            initializer=self.g_initializer or keras.initializers.Constant(0.5),
            constraint=Clip(0.0, 1.0) if self.clip else None,
        )

    @property
    def clip_constraint(self) -> Clip | None:
        """The constraint that clamps a weight matrix after each update; None without `clip`."""
        return Clip(-1.0, 1.0) if self.clip else None

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W_r`, and `g`, clamped, `[in]`."""
        return {"W_r": self.w_r.value, "g": ops.clip(self.g, 0.0, 1.0)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        w = self.matrices()
        logs, k = log_and_phase(ops.cast(x, self.compute_dtype), w["g"], self.eps)
        w_r = ops.cast(w["W_r"], logs.dtype)
        y = ops.exp(weighted_sums(logs, w_r)) * cosine(weighted_sums(k, w_r))
        return ops.cast(y, self.compute_dtype)

    def facts(self) -> Facts:
        """Published by Heim et al. 2020; products of powers."""
        # For a root, the gate of the second input is shut.
        gates = {o: FIRST if o == "sqrt a" else ONES for o in POWER_WEIGHTS}
        return Facts(
            paper=Paper("Heim et al. 2020", "2006.01681"),
            solutions={o: {"W_r": w, "g": gates[o]} for o, w in POWER_WEIGHTS.items()},
            overflows=("product", "power"),
            favours={"W_r": (-2.0, *POWERS, 2.0), "g": UNSIGNED},
        )

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i x_i^(g_i W_r,i)`."""
        return products(x, effective["g"][:, None] * effective["W_r"])

    def penalties(self) -> dict[str, Any]:
        """`l1`: the sum of the magnitudes of all parameters."""
        return {"l1": sum(ops.sum(ops.abs(v)) for v in self.variables)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "eps": self.eps,
            "clip": self.clip,
            "w_r_initializer": keras.initializers.serialize(self.w_r_initializer),
            "g_initializer": keras.initializers.serialize(self.g_initializer),
        }
