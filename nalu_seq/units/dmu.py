"""DMU, the domain mixed unit of Curry 2025."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    LESS,
    POWER_WEIGHTS,
    POWERS,
    PRODUCT_WEIGHTS,
    SATURATED,
    SUM_WEIGHTS,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    products,
    saturating_weights,
    sums,
)
from nalu_seq.units.weights import (
    at_least_float32,
    copy_initializer,
    cosine,
    log_max,
    one_of,
    positive,
    positive_integer,
)

# The weights of the first two inputs, which are all that a frozen selector lets through.
FROZEN = {"add": (1.0, 1.0), "sub": (1.0, -1.0)}
NORM_EPS = 1e-5  # of the normalised input
LENGTH_EPS = 1e-8  # keeps the gradient of |R_lin| finite at 0
SHARPNESS = 1e4  # of the sign of R_lin


def root_mean_square(x: Any, eps: float) -> Any:
    """`sqrt(mean(x^2) + eps)` over the last axis, which stays; finite where x^2 would overflow.

    Args:
        x: `[..., n]`.
        eps: what keeps the gradient finite at 0.
    """
    largest = ops.max(ops.abs(x), axis=-1, keepdims=True)
    size = ops.stop_gradient(ops.maximum(largest, 1.0))
    return size * ops.sqrt(ops.mean(ops.square(x / size), axis=-1, keepdims=True) + eps / size**2)


@keras.saving.register_keras_serializable("nalu_seq")
class DMU(Unit):
    """A gated mix of a sum of its inputs and of a product of their powers, signs included.

        n = LayerNorm(x) * gain + shift
        G = sigmoid(n g + b_g),    O_i = tanh(n w_sign + b_sign)_i softplus(n w_mag + b_mag)_i
        R_lin = sum_i O_i x_i,    R_log = sum_i O_i log(max(|x_i|, eps))
        m = G sqrt(R_lin^2 + 1e-8) + (1 - G) exp(R_log)
        s = G tanh(1e4 R_lin) + (1 - G) cos(pi sum_{x_i < 0} |O_i|)
        y = s m

    The gate G chooses the domain, linear or logarithmic, the selector O the terms. Both depend on
    the input. The paper freezes the selector, by the operation that is to be learned: `"add"` is
    O = (1, 1, 0, ...) and leaves the gate to choose between a + b and a * b, `"sub"` is
    O = (1, -1, 0, ...), between a - b and a / b. What remains to be learned is the gate alone. With
    `None` the selector is learned too. With `hard`, G becomes 0 or 1 and O becomes -1, 0 or 1
    outside training, as where the published figures were measured.

    The code behind the published figures mixes the logarithms of the two magnitudes instead, which
    is `mean="geometric"`: m = exp(G log sqrt(R_lin^2 + 1e-8) + (1 - G) R_log). For a gate of 0 or 1
    both are the same. In training they are not: where the sum is -30 and the product 225, the
    arithmetic mean gives y a second best place at G = 1, where a gate stays that begins above 0.83.
    That code also normalises its input eleven times in a row (`norms=11`; the ten gains and shifts
    in between have no effect and are left out). With one normalisation, n of two inputs shrinks
    towards 0 where they are nearly equal, and the gate goes smoothly from one order of the inputs
    to the other. With eleven n is -1 or 1 for all pairs, and neither order helps the other.

    With a learned selector the output overflows to inf or NaN where a power leaves the float range.
    With a frozen one it overflows to inf where the true product or quotient does.

    Args:
        units: size of the output.
        selector: `"add"`, `"sub"`, or None for one that is learned.
        hard: whether gate and selector are rounded outside training.
        mean: how the gate mixes the magnitudes of both domains, `"arithmetic"` or `"geometric"`.
        norms: how many times in a row LayerNorm is applied, the last time with gain and shift.
        eps: the magnitude below which an input counts as eps in the logarithm.
        g_initializer: initial gate matrix `g`, `[in, units]`; Glorot uniform by default.
        o_initializer: initial `w_sign` and `w_mag`, `[in, in * units]`; Glorot uniform by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`, of at least two features if the selector is frozen.
    Output shape: `[batch, ..., units]`.

    Example:
        >>> y = DMU(2, selector="add")(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` or `norms` is no positive integer, `selector`, `hard` or `mean` is none
            of the valid values, `eps` is not positive, or the input has no known feature size or
            too few.

    Source: Curry 2025 (arXiv 2509.08180), equations as in their code with one node and without its
    limits on magnitudes (4e5 in training, 1e20 otherwise).
    """

    def __init__(
        self,
        units: int,
        selector: str | None = None,
        hard: bool = False,
        mean: str = "arithmetic",
        norms: int = 1,
        eps: float = 1e-11,
        g_initializer: Any = "glorot_uniform",
        o_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.selector = one_of("DMU: selector", selector, (None, *FROZEN))
        self.hard = one_of("DMU: hard", hard, (True, False))
        self.mean = one_of("DMU: mean", mean, ("arithmetic", "geometric"))
        self.norms = positive_integer("DMU: norms", norms)
        self.eps = positive("DMU: eps", eps)
        self.g_initializer = copy_initializer(g_initializer)
        self.o_initializer = copy_initializer(o_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `gain`, `shift`, `g`, `b_g`, and of a learned selector `w_sign` to `b_mag`."""
        super().build(input_shape)
        if self.selector and self.features < 2:
            raise ValueError(f"DMU: selector={self.selector!r} needs an input of two features")
        self.gain = self.add_weight(name="gain", shape=(self.features,), initializer="ones")
        self.shift = self.add_weight(name="shift", shape=(self.features,), initializer="zeros")
        self.g = self.add_matrix("g", self.g_initializer)
        self.b_g = self.add_weight(name="b_g", shape=(self.units,), initializer="zeros")
        if self.selector is None:
            self.w_sign, self.b_sign = self._head("sign")
            self.w_mag, self.b_mag = self._head("mag")

    def _head(self, name: str) -> tuple[Any, Any]:
        """The matrix and the bias by which one factor of the selector depends on the input."""
        count = self.features * self.units
        return (
            self.add_weight(
                name=f"w_{name}",
                shape=(self.features, count),
                initializer=copy_initializer(self.o_initializer),
            ),
            self.add_weight(name=f"b_{name}", shape=(count,), initializer="zeros"),
        )

    def matrices(self) -> dict[str, Any]:
        """`O` where all inputs are equal, so that only `shift` is left of n."""
        o = self._selector(ops.convert_to_tensor(self.shift))
        return {"O": ops.broadcast_to(o, (self.features, self.units))}

    def call(self, x: Any, training: bool = False) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = at_least_float32(ops.cast(x, self.compute_dtype))
        g, o = self.gate_and_selector(x, self.hard and not training)
        x = ops.expand_dims(x, -1)  # [..., in, 1]
        linear = ops.sum(o * x, axis=-2)  # [..., units]
        log_powers = ops.sum(o * log_max(x, self.eps), axis=-2)
        turns = ops.sum(ops.abs(o) * ops.cast(x < 0, x.dtype), axis=-2)
        size = ops.squeeze(root_mean_square(ops.expand_dims(linear, -1), LENGTH_EPS), -1)
        if self.mean == "geometric":
            m = ops.exp(g * ops.log(size) + (1 - g) * log_powers)
        else:
            m = g * size + (1 - g) * ops.exp(log_powers)
        s = g * ops.tanh(SHARPNESS * linear) + (1 - g) * cosine(math.pi * turns)
        return ops.cast(s * m, self.compute_dtype)

    def gate_and_selector(self, x: Any, rounded: bool) -> tuple[Any, Any]:
        """G and O for some inputs.

        Args:
            x: the inputs `[..., in]`.
            rounded: whether G is made 0 or 1, and O -1, 0 or 1.

        Returns:
            G, `[..., units]`, and O, `[..., in, units]`; a frozen O is `[in, 1]`.
        """
        n = x
        for _ in range(self.norms):
            centred = n - ops.mean(n, axis=-1, keepdims=True)
            n = centred / root_mean_square(centred, NORM_EPS)
        n = n * ops.cast(self.gain, x.dtype) + ops.cast(self.shift, x.dtype)
        g, o = ops.sigmoid(_affine(n, self.g, self.b_g)), self._selector(n)
        if rounded:
            g, o = ops.cast(g > 0.5, x.dtype), ops.clip(ops.round(o), -1.0, 1.0)
        return g, o

    def _selector(self, n: Any) -> Any:
        """O for normalised inputs `[..., in]`: `[..., in, units]`; a frozen O is `[in, 1]`."""
        if self.selector:
            rest = [0.0] * (self.features - 2)
            return ops.cast(np.array([*FROZEN[self.selector], *rest])[:, None], n.dtype)
        sign = _affine(n, self._per_input(self.w_sign), self._per_input(self.b_sign))
        mag = _affine(n, self._per_input(self.w_mag), self._per_input(self.b_mag))
        return ops.tanh(sign) * ops.softplus(mag)

    def _per_input(self, w: Any) -> Any:
        """A weight of a selector's head with an axis for the inputs: `[..., in, units]`."""
        return ops.reshape(w, (*w.shape[:-1], self.features, self.units))

    def facts(self) -> Facts:
        """Published by Curry 2025; both operations of a frozen selector, or all."""
        sum_, product = {
            "add": ({"a + b": SUM_WEIGHTS["a + b"]}, PRODUCT_WEIGHTS),
            "sub": ({"a - b": LESS}, {"a / b": LESS}),
            None: (SUM_WEIGHTS, POWER_WEIGHTS),
        }[self.selector]
        overflows = {"add": ("product",), "sub": (), None: ("product", "power")}[self.selector]
        return Facts(
            paper=Paper("Curry 2025", "2509.08180"),
            solutions={
                **{o: {"O": w, "gate": [1.0]} for o, w in sum_.items()},
                **{o: {"O": w, "gate": [0.0]} for o, w in product.items()},
            },
            overflows=(*overflows, "float16"),
            favours={"O": POWERS, "gate": UNSIGNED},
        )

    def effective(self, x: Any) -> dict[str, Any]:
        """`O`, `[in, units]`, and `gate`, `[units]`: means over the sample of inputs."""
        g, o = self.gate_and_selector(ops.convert_to_tensor(x, self.dtype), rounded=False)
        o = ops.broadcast_to(o, (*g.shape[:-1], self.features, self.units))
        return {"O": ops.mean(o, axis=0), "gate": ops.mean(g, axis=0)}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """Gates and selectors that do not depend on the input: all is in the biases."""
        del x
        nothing = np.zeros(self.features)
        gate = [nothing, nothing, np.zeros(self.g.shape), saturating_weights(effective["gate"])]
        if self.selector:
            return gate
        o, nothing = np.reshape(effective["O"], -1), np.zeros(self.w_sign.shape)
        size = np.log(np.expm1(np.where(o == 0, 1.0, np.abs(o))))  # softplus of it is |O|
        return [*gate, nothing, SATURATED * np.sign(o), nothing, size]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The domain that each output's gate leaves: `x O`, or `prod_i x_i^O_i`."""
        o = np.broadcast_to(effective["O"], (self.features, self.units))
        paths = zip(effective["gate"], sums(x, o), products(x, o), strict=True)
        return [one if gate else other for gate, one, other in paths]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "selector": self.selector,
            "hard": self.hard,
            "mean": self.mean,
            "norms": self.norms,
            "eps": self.eps,
            "g_initializer": keras.initializers.serialize(self.g_initializer),
            "o_initializer": keras.initializers.serialize(self.o_initializer),
        }


def _affine(n: Any, w: Any, b: Any) -> Any:
    """`n w + b`: n is `[..., in]`, w is `[in, *b.shape]`, the result `[..., *b.shape]`."""
    w, b = ops.cast(w, n.dtype), ops.cast(b, n.dtype)
    axes = tuple(range(-len(b.shape), 0))
    return ops.sum(ops.expand_dims(n, axes) * w, axis=axes[0] - 1) + b
