"""INALU, the improved NALU of Schlör et al. 2020: iNALU in the paper."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    ONES,
    POWER_WEIGHTS,
    POWERS,
    SIGNED,
    SUM_WEIGHTS,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    products,
    saturating_weights,
    sums,
)
from nalu_seq.units.nac import nac_weights, raw_nac
from nalu_seq.units.nmu import gated_product
from nalu_seq.units.weights import (
    at_least_float32,
    log_max,
    near_zero,
    one_of,
    positive,
    weighted_sums,
)


@keras.saving.register_keras_serializable("nalu_seq")
class INALU(Unit):
    """A learned gate between adding and multiplying with signs, which does not see the input.

        W_a = tanh(w_hat_a) * sigmoid(m_hat_a),    W_m = tanh(w_hat_m) * sigmoid(m_hat_m)
        a = x W_a,    m = exp(min(log(max(|x|, eps)) W_m, omega))
        s = clip(prod_i (sign(x_i) |W_m,i| + 1 - |W_m,i|), -1, 1)
        y = g * a + (1 - g) * m * s,    g = sigmoid(g)

    The product is cut at exp(omega), 4.9e8: beyond it and below eps it has no gradient. Finite
    wherever a is. An input of 0 has the sign 0: with a weight of 1 the product is 0.

    Args:
        units: size of the output.
        eps: the magnitude below which an input counts as eps.
        omega: the largest logarithm of a product.
        tied: one W for both paths ("shared weights"), named `w_hat`, `m_hat`; or two.
        w_mean: mean of the normal initial `w_hat`.
        m_mean: mean of the normal initial `m_hat`.
        g_mean: mean of the normal initial `g`.
        stddev: standard deviation of all three.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `inalu`, 1 / 20 of the sum over variables of mean(max(20 - |v|, 0)): it drives the
    raw weights away from 0. The paper applies it after 10 epochs and where the loss is below 1.

    The paper also starts anew where training gets nowhere: the config's `restart` does that.

    Example:
        >>> y = INALU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `eps`, `omega` or `stddev` is not positive,
            `tied` is no boolean, or the input has no known feature size.

    Source: Schlör et al. 2020 (arXiv 2003.07629), with the values of their experiments 1, 2 and 4.
    The Primer's port (arXiv 2101.09530) draws with w_mean=0.88, m_mean=0.5, g_mean=0, stddev=0.2.
    """

    penalty_names = ("inalu",)

    def __init__(
        self,
        units: int,
        eps: float = 1e-7,
        omega: float = 20.0,
        tied: bool = False,
        w_mean: float = 1.0,
        m_mean: float = -1.0,
        g_mean: float = 0.0,
        stddev: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.eps = positive("INALU: eps", eps)
        self.omega = positive("INALU: omega", omega)
        self.tied = one_of("INALU: tied", tied, (True, False))
        self.w_mean, self.m_mean, self.g_mean = w_mean, m_mean, g_mean
        self.stddev = positive("INALU: stddev", stddev)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w_hat` and `m_hat` for each path, all `[in, units]`, and `g`, `[units]`."""
        super().build(input_shape)

        for path in ("",) if self.tied else ("_a", "_m"):
            for name, mean in (("w_hat", self.w_mean), ("m_hat", self.m_mean)):
                initializer = keras.initializers.RandomNormal(mean, self.stddev)
                setattr(self, name + path, self.add_matrix(name + path, initializer))
        normal = keras.initializers.RandomNormal(self.g_mean, self.stddev)
        self.g = self.add_weight(name="g", shape=(self.units,), initializer=normal)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, or untied `W_a` and `W_m`."""
        if self.tied:
            return {"W": nac_weights(self.w_hat, self.m_hat)}
        return {
            "W_a": nac_weights(self.w_hat_a, self.m_hat_a),
            "W_m": nac_weights(self.w_hat_m, self.m_hat_m),
        }

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = at_least_float32(ops.cast(x, self.compute_dtype))
        if self.tied:
            w_a = w_m = ops.cast(self.matrices()["W"], x.dtype)
        else:
            w_a, w_m = (ops.cast(w, x.dtype) for w in self.matrices().values())
        a = weighted_sums(x, w_a)
        m = ops.exp(ops.minimum(weighted_sums(log_max(x, self.eps), w_m), self.omega))
        s = ops.clip(gated_product(ops.sign(x), ops.abs(w_m)), -1.0, 1.0)
        g = ops.cast(ops.sigmoid(self.g), x.dtype)
        return ops.cast(g * a + (1 - g) * m * s, self.compute_dtype)

    def facts(self) -> Facts:
        """Published by Schlör et al. 2020; sums behind an open gate, powers behind a shut one."""
        names = ("W", "W") if self.tied else ("W_a", "W_m")
        favours = {"W": POWERS} if self.tied else {"W_a": SIGNED, "W_m": POWERS}
        # The weights of the path that the gate shuts do not matter; they are set too.
        other = dict.fromkeys(favours, ONES)
        return Facts(
            paper=Paper("Schlör et al. 2020", "2003.07629"),
            solutions={
                **{o: {**other, names[0]: w, "gate": [1.0]} for o, w in SUM_WEIGHTS.items()},
                **{o: {**other, names[1]: w, "gate": [0.0]} for o, w in POWER_WEIGHTS.items()},
            },
            favours={**favours, "gate": UNSIGNED},
        )

    def effective(self, x: Any) -> dict[str, Any]:
        """The effective weights and gates: `matrices()`, and `gate`, g, `[units]`."""
        del x
        return {**self.matrices(), "gate": ops.sigmoid(self.g)}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Saturated weights of both paths, and the gate."""
        del x
        names = ("W",) if self.tied else ("W_a", "W_m")
        return [
            *(raw for n in names for raw in raw_nac(effective[n])),
            saturating_weights(effective["gate"]),
        ]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The path that each output's gate leaves: `x W_a`, or `prod_i x_i^W_m,i`."""
        a = sums(x, effective["W" if self.tied else "W_a"])
        m = products(x, effective["W" if self.tied else "W_m"])
        paths = zip(effective["gate"], a, m, strict=True)
        return [one if gate else other for gate, one, other in paths]

    def penalties(self) -> dict[str, Any]:
        """`inalu`: R of the raw weights and the gate, not conditioned on anything."""
        return {"inalu": near_zero(self.variables)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("eps", "omega", "tied", "w_mean", "m_mean", "g_mean", "stddev")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
