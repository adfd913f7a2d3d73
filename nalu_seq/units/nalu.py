"""NALU, the neural arithmetic logic unit of Trask et al. 2018, and its published variants."""

from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.nac import NAC, nac_weights
from nalu_seq.units.nac_mul import log_product
from nalu_seq.units.weights import (
    nac_uniform,
    near_zero,
    one_of,
    own_initializer,
    positive,
    weighted_sums,
)


@keras.saving.register_keras_serializable("nalu_seq")
class NALU(NAC):
    """A learned gate between adding (NAC) and multiplying (by default NAC in log space).

        W = tanh(w_hat) * sigmoid(m_hat),    W_m = W, or of its own w_hat_m and m_hat_m
        a = x W,    m = exp(log(|x| + eps) W_m),    g = sigmoid(x G) or sigmoid(g)
        y = g * a + (1 - g) * m

    No bias, neither in the sums nor in the gate. Signs are lost on the multiplying path, and where
    `NACMul` overflows it gives inf or NaN. Its gradient is huge where an input is near 0: clip each
    model's gradient norm. A gate by the input (x G) turns with the input's sign.

    Args:
        units: size of the output.
        eps: what keeps the logarithm finite at 0.
        g_initializer: initial gate `g`; Glorot uniform by default.
        tied: one W for both paths, or two.
        gate: `"input"`, g `[in, units]`, or `"independent"` of the input, g `[units]`.
        multiplier: `"nac_mul"` as above, or with `tied=False` another unit of the same size for
            m: an instance, or `{class_name: NMU, config: {...}}`.
        **kwargs: `w_hat_initializer`, `m_hat_initializer` as for `NAC`; `name`, `dtype`,
            `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `inalu`, as for `INALU`; those of another unit inside.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), NALU(1)])
        >>> model.compile(optimizer="adam", loss="mse")

    Raises:
        ValueError: `units` is no positive integer, `eps` is not positive, `tied`, `gate` or
            `multiplier` is unknown or does not fit, or the input has no known feature size.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 3; tied weights, initial values and NMU
    inside as in Madsen & Johansen 2020 (arXiv 2001.05016).
    """

    matrix = staticmethod(nac_weights)
    squash = staticmethod(ops.sigmoid)

    def __init__(
        self,
        units: int,
        g_initializer: Any = "glorot_uniform",
        eps: float = 1e-7,
        tied: bool = True,
        gate: str = "input",
        multiplier: Any = "nac_mul",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.g_initializer = own_initializer(g_initializer)
        self.eps = positive("NALU: eps", eps)
        self.tied = one_of("NALU: tied", tied, (True, False))
        self.gate = one_of("NALU: gate", gate, ("input", "independent"))
        self.multiplier = self._multiplier(multiplier)

    def _multiplier(self, given: Any) -> Any:
        """`"nac_mul"`, or the other unit."""
        if given == "nac_mul":
            return given
        if isinstance(given, dict) and "class_name" in given:
            name = given.get("registered_name") or f"nalu_seq>{given['class_name']}"
            config = {"units": self.units, "dtype": self.dtype_policy, **given.get("config", {})}
            cls = keras.saving.get_registered_object(name)
            given = cls.from_config(config) if cls else given
        if not isinstance(given, Unit) or given.units != self.units or self.tied:
            raise ValueError(
                f"NALU: multiplier must be 'nac_mul', or with tied=False a unit of {self.units} "
                f"units or its {{class_name, config}}, not {given!r}"
            )
        return given

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_hat`, `m_hat`, `g`, and what the multiplying path has of its own."""
        super().build(input_shape)
        shape = (self.features, self.units) if self.gate == "input" else (self.units,)
        self.g = self.add_weight(name="g", shape=shape, initializer=self.g_initializer)
        if isinstance(self.multiplier, Unit):
            if not self.multiplier.built:
                self.multiplier.build(input_shape)
        elif not self.tied:
            fans = self.features, self.units
            w_hat, m_hat = map(own_initializer, (self.w_hat_initializer, self.m_hat_initializer))
            self.w_hat_m = self.add_matrix("w_hat_m", w_hat or nac_uniform(*fans))
            self.m_hat_m = self.add_matrix("m_hat_m", m_hat or nac_uniform(*fans))

    def matrices(self) -> dict[str, Any]:
        """`W`, or untied `W_a` and `W_m`; those of another unit inside end in `_m` too."""
        w = self.matrix(self.w_hat, self.m_hat)
        if self.tied:
            return {"W": w}
        if isinstance(self.multiplier, Unit):
            inside = self.multiplier.matrices().items()
            return {"W_a": w, **{f"{name}_m": matrix for name, matrix in inside}}
        return {"W_a": w, "W_m": self.matrix(self.w_hat_m, self.m_hat_m)}

    def call(self, x: Any) -> Any:
        """`[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        w = self.matrices()
        a = weighted_sums(x, w["W"] if self.tied else w["W_a"])
        if isinstance(self.multiplier, Unit):
            m = self.multiplier(x)
        else:
            m = log_product(x, w["W"] if self.tied else w["W_m"], self.eps)
        m = ops.cast(m, a.dtype)
        g = self.squash(weighted_sums(x, self.g) if self.gate == "input" else self.g)
        return g * a + (1 - g) * m

    def penalties(self) -> dict[str, Any]:
        """`inalu`: iNALU's R, as its authors ran NALU; those of another unit inside."""
        inside = self.multiplier.penalties() if isinstance(self.multiplier, Unit) else {}
        return {"inalu": near_zero(self.variables), **inside}

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """None, though NAC has one: another unit inside is seen, and has its own."""
        del mean_input
        return {}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        multiplier = self.multiplier
        if isinstance(multiplier, Unit):
            multiplier = keras.saving.serialize_keras_object(multiplier)
            multiplier.pop("build_config", None)  # it is built with this layer
        return {
            **super().get_config(),
            "g_initializer": keras.initializers.serialize(self.g_initializer),
            "eps": self.eps,
            "tied": self.tied,
            "gate": self.gate,
            "multiplier": multiplier,
        }
