"""NALU, the neural arithmetic logic unit of Trask et al. 2018, and its published variants."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    MADSEN,
    ONES,
    POWER_WEIGHTS,
    POWERS,
    SIGNED,
    SUM_WEIGHTS,
    TRASK,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    gate_weights,
    products,
    saturating_weights,
    sums,
)
from nalu_seq.units.nac import NAC, nac_weights, raw_nac
from nalu_seq.units.nac_mul import log_product
from nalu_seq.units.weights import (
    copy_initializer,
    nac_uniform,
    near_zero,
    one_of,
    positive,
    weighted_sums,
)


def _ending_in_m(inner: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the inner unit's dictionary, under names that end in `_m`."""
    return {f"{name}_m": value for name, value in inner.items()}


@keras.saving.register_keras_serializable("nalu_seq")
class NALU(NAC):
    """A learned gate between adding (NAC) and multiplying (by default NAC in log space).

        W = tanh(w_hat) * sigmoid(m_hat),    W_m = W, or of its own w_hat_m and m_hat_m
        a = x W,    m = exp(log(|x| + eps) W_m),    g = sigmoid(x G) or sigmoid(g)
        y = g * a + (1 - g) * m

    There is no bias, neither in the sums nor in the gate. Signs are lost on the multiplying path,
    and where `NACMul` overflows, the output is inf or NaN. The gradient is huge where an input is
    near
    0: clip the gradient norm of each model. A gate by the input (x G) turns with the input's sign.

    Args:
        units: size of the output.
        eps: the number that keeps the logarithm finite at 0.
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

    penalty_names = ("inalu",)

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
        self.g_initializer = copy_initializer(g_initializer)
        self.eps = positive("NALU: eps", eps)
        self.tied = one_of("NALU: tied", tied, (True, False))
        self.gate = one_of("NALU: gate", gate, ("input", "independent"))
        self.multiplier = self._multiplier(multiplier)

    def _multiplier(self, value: Any) -> Any:
        """`"nac_mul"`, or the other unit, which is made here if it comes as a config."""
        if value == "nac_mul":
            return value
        if isinstance(value, dict) and "class_name" in value:
            name = value.get("registered_name") or f"nalu_seq>{value['class_name']}"
            config = {"units": self.units, "dtype": self.dtype_policy, **value.get("config", {})}
            cls = keras.saving.get_registered_object(name)
            value = cls.from_config(config) if cls else value
        if not isinstance(value, Unit) or value.units != self.units or self.tied:
            raise ValueError(
                f"NALU: multiplier must be 'nac_mul', or with tied=False a unit of {self.units} "
                f"units or its {{class_name, config}}, not {value!r}"
            )
        return value

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
            w_hat, m_hat = map(copy_initializer, (self.w_hat_initializer, self.m_hat_initializer))
            self.w_hat_m = self.add_matrix("w_hat_m", w_hat or nac_uniform(*fans))
            self.m_hat_m = self.add_matrix("m_hat_m", m_hat or nac_uniform(*fans))

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, or untied `W_a` and `W_m`; an inner unit's end in `_m`."""
        w = self.matrix(self.w_hat, self.m_hat)
        if self.tied:
            return {"W": w}
        if isinstance(self.multiplier, Unit):
            return {"W_a": w, **_ending_in_m(self.multiplier.matrices())}
        return {"W_a": w, "W_m": self.matrix(self.w_hat_m, self.m_hat_m)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
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

    def facts(self) -> Facts:
        """Published by Trask et al. 2018; sums behind an open gate, powers behind a shut one."""
        favours: dict[str, tuple[float, ...]] = {"W_a": SIGNED, "W_m": POWERS}
        if self.tied:
            favours = {"W": POWERS}
        powers: dict[str, Any] = {o: {"W": w, "W_m": w} for o, w in POWER_WEIGHTS.items()}
        if isinstance(self.multiplier, Unit):
            inner = self.multiplier.facts()
            favours = {"W_a": SIGNED, **_ending_in_m(inner.favours)}
            powers = {o: _ending_in_m(w) for o, w in inner.solutions.items()}
        # The weights of the path that the gate shuts do not matter; they are set too.
        other = {**dict.fromkeys(favours, ONES), "gate": [0.0]}
        solutions = {
            **{o: {**other, "W": w, "W_a": w, "gate": [1.0]} for o, w in SUM_WEIGHTS.items()},
            **{o: {**other, **w} for o, w in powers.items()},
        }
        favours["gate"] = UNSIGNED
        return Facts(
            paper=self._paper(),
            solutions={o: {name: w[name] for name in favours} for o, w in solutions.items()},
            negatives="positive only" if self.gate == "input" else "sign lost",
            overflows=("product", "float16"),
            favours=favours,
        )

    def _paper(self) -> Paper | None:
        if self.gate == "independent":
            return None
        return MADSEN if isinstance(self.multiplier, Unit) else TRASK

    def effective(self, x: Any) -> dict[str, Any]:
        """`matrices()`, and `gate`, the mean of g over the sample of inputs, `[units]`."""
        g = self.squash(weighted_sums(x, self.g) if self.gate == "input" else self.g)
        gate = ops.mean(g, axis=0) if self.gate == "input" else g
        inner = self.multiplier.effective(x) if isinstance(self.multiplier, Unit) else {}
        return {**self.matrices(), **_ending_in_m(inner), "gate": gate}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Saturated weights of both paths, and the gate open or shut on the sample of inputs."""
        gate = effective["gate"]
        g = gate_weights(gate, x) if self.gate == "input" else saturating_weights(gate)
        if self.tied:
            return [*raw_nac(effective["W"]), g]
        if isinstance(self.multiplier, Unit):
            inner = {n.removesuffix("_m"): w for n, w in effective.items() if n.endswith("_m")}
            return [*raw_nac(effective["W_a"]), g, *self.multiplier.raw_weights(inner, x)]
        return [*raw_nac(effective["W_a"]), g, *raw_nac(effective["W_m"])]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The path that each output's gate leaves: `x W_a`, or `prod_i |x_i|^W_m,i`."""
        w_a = effective["W" if self.tied else "W_a"]
        m: list[Any] | None
        if isinstance(self.multiplier, Unit):
            inner = {n.removesuffix("_m"): w for n, w in effective.items() if n.endswith("_m")}
            m = self.multiplier.formula(x, inner)
        else:
            m = products([abs(x_i) for x_i in x], effective["W" if self.tied else "W_m"])
        if m is None:
            return None
        paths = zip(effective["gate"], sums(x, w_a), m, strict=True)
        return [a if gate else product for gate, a, product in paths]

    def penalties(self) -> dict[str, Any]:
        """`inalu`: iNALU's R, as its authors ran NALU; those of another unit inside."""
        inner = self.multiplier.penalties() if isinstance(self.multiplier, Unit) else {}
        return {"inalu": near_zero(self.variables), **inner}

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """No penalties, unlike NAC; an inner unit is called as a layer and has its own."""
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
