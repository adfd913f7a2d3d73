"""Initial values, clips and penalties that several units share."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

PI_ABOVE = 3.140625  # the first ten bits of pi
FEW = 8  # inputs, of which terms are faster than a product of matrices


def own_initializer(identifier: Any) -> Any:
    """Keras' initializer for an identifier; a copy of an instance, which others may use too.

    An instance gives the same numbers each time: shared by two weights, or by the members of a
    population, it would make them equal.
    """
    if isinstance(identifier, keras.initializers.Initializer):
        return identifier.clone()
    return keras.initializers.get(identifier)


def nac_uniform(fan_in: int, fan_out: int) -> keras.initializers.Initializer:
    """U(-r, r) for `w_hat` and for `m_hat`, so that their W has Glorot's variance.

    r solves `max(in + out, 5) * V(r) = 2`, where
    `V(r) = (1 - tanh(r) / r) * (r - tanh(r / 2)) / (2 r)` is the variance of
    tanh(w_hat) * sigmoid(m_hat). Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code.
    """
    target = 2 / max(fan_in + fan_out, 5)

    def excess(r: float) -> float:
        return (1 - np.tanh(r) / r) * (r - np.tanh(r / 2)) / (2 * r) - target

    # V rises from 0 to 1/2, and the target is 2/5 at most: there is always one root. It is bisected
    # here, to float32's last bit as SciPy finds it, so that the units need Keras alone.
    low, high = 1e-4, 1e3
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return keras.initializers.RandomUniform(-high, high)


def nau_uniform(fan_in: int, fan_out: int) -> keras.initializers.Initializer:
    """U(-r, r) with `r = min(1/2, sqrt(6 / (in + out)))`. Source: Madsen & Johansen 2020."""
    r = min(0.5, (6 / (fan_in + fan_out)) ** 0.5)
    return keras.initializers.RandomUniform(-r, r)


def weighted_sums(x: Any, w: Any) -> Any:
    """`x w`, as terms and their sum where there are few: `[..., in] -> [..., units]`.

    A compiler fuses terms with what stands around them, and a product of matrices it does not:
    compiled by XLA, a population of NALUs on two inputs trains 1.7 times as fast, on seven 1.5,
    and on ten as fast as by products (docs/performance.md).

    Args:
        x: `[..., in]`.
        w: `[in, units]`.
    """
    if w.shape[0] > FEW:
        return ops.matmul(x, w)
    return ops.sum(ops.multiply(ops.expand_dims(x, -1), w), axis=-2)


def cosine(x: Any) -> Any:
    """cos(x) in float32 to 3e-7, from terms that a compiler makes vectors of.

        n = round(x / pi),    r = x - n pi,    cos(x) = (-1)^n cos(r)

    with cos(r)'s Taylor series up to r^12, so that it is exact where a sign is meant. XLA calls the
    C library for each number's cosine, and again for its gradient's sine: so a population of
    RealNPUs trains 1.3 times as fast (docs/performance.md). Bounded however large x is; of what is
    not float32 it is Keras' own.
    """
    if keras.backend.standardize_dtype(x.dtype) != "float32":
        return ops.cos(x)
    n = ops.round(x * (1 / math.pi))
    # Pi in two pieces, so that n times the first is exact.
    r = (x - n * PI_ABOVE) - n * (math.pi - PI_ABOVE)
    square = ops.square(ops.clip(r, -math.pi / 2, math.pi / 2))  # of huge x nothing is left
    series = 1 / math.factorial(12)
    for power in (10, 8, 6, 4, 2, 0):
        series = series * square + (1 - power % 4) / math.factorial(power)
    odd = n - 2 * ops.floor(0.5 * n)
    return (1 - 2 * odd) * series


@keras.saving.register_keras_serializable("nalu_seq")
class Clip(keras.constraints.Constraint):
    """Weights clamped to `[low, high]` after each update, element by element.

    Elementwise on purpose: it means the same on one member's weight and on a stack of members.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, w: Any) -> Any:
        """The clamped weights."""
        return ops.clip(w, self.low, self.high)

    def get_config(self) -> dict[str, float]:
        """The constructor's arguments."""
        return {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable("nalu_seq")
class Sparsity(keras.regularizers.Regularizer):
    """R_sparse of a weight, times a constant: what Keras' `fit` adds to the loss.

    Args:
        weight: the constant.
        signed: as for `sparsity`.
    """

    def __init__(self, weight: float, signed: bool = True) -> None:
        self.weight, self.signed = weight, signed

    def __call__(self, w: Any) -> Any:
        """The penalty, a scalar."""
        return self.weight * sparsity(w, self.signed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"weight": self.weight, "signed": self.signed}


def sparsity(w: Any, signed: bool = True) -> Any:
    """R_sparse, `mean(min(|w|, |1 - |w||))`: how far weights are from -1, 0 and 1, on average.

    Unsigned, `mean(min(|w|, |1 - w|))`: how far from 0 and 1. On [0, 1] the two are the same.
    Source: Madsen & Johansen 2020 (arXiv 2001.05016).
    """
    magnitude = ops.abs(w)
    return ops.mean(ops.minimum(magnitude, ops.abs(1 - (magnitude if signed else w))))


def sparsity_error(w: Any) -> Any:
    """`max(min(|w|, |1 - |w||))`: how far the worst weight is from -1, 0 and 1.

    In [0, 1/2] for weights in [-1, 1]. Source: Madsen & Johansen 2020 (arXiv 2001.05016).
    """
    magnitude = ops.abs(w)
    return ops.max(ops.minimum(magnitude, ops.abs(1 - magnitude)))


def near_zero(variables: Iterable[Any], t: float = 20.0) -> Any:
    """The R of iNALU, `(1/t) sum_v mean(max(t - |v|, 0))` over raw weights: what keeps them from 0.

    Source: Schlör et al. 2020 (arXiv 2003.07629), section 4.
    """
    return sum(ops.mean(ops.maximum(t - ops.abs(v), 0.0)) for v in variables) / t


def out_of_bounds(w: Any, low: float, high: float) -> Any:
    """R_oob, the mean of what of the weights is above high or below low.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code, linear form.
    """
    return ops.mean(ops.relu(w - high) + ops.relu(low - w))


def r_z(ignored: Any, mean_input: Any, neutral: float) -> Any:
    """R_z, `mean(ignored_ij (z_i - neutral)^2)`: an input that is ignored should be neutral.

    Args:
        ignored: how far each weight ignores its input, `[in, units]`: 1 - W for W in [0, 1], or
            1 - |W|, which has no gradient where W is 0.
        mean_input: z, `[in]`.
        neutral: the input that makes no difference, 0 for a sum and 1 for a product.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code.
    """
    distance = ops.expand_dims(ops.square(mean_input - neutral), -1)
    return ops.mean(ops.multiply(ignored, distance))  # which may be of different precision


def at_least_float32(x: Any) -> Any:
    """`x` itself, or in float32 where it is float16 or bfloat16."""
    if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16"):
        return ops.cast(x, "float32")
    return x


def log_abs(x: Any, eps: float) -> Any:
    """`log(|x| + eps)`, in float32 at least: in float16 an eps of 1e-7 would vanish."""
    return ops.log(ops.abs(at_least_float32(x)) + eps)


def log_max(x: Any, eps: float) -> Any:
    """`log(max(|x|, eps))`, in float32 at least: exact above eps, and no gradient below."""
    return ops.log(ops.maximum(ops.abs(at_least_float32(x)), eps))


def not_negative(name: str, value: float) -> float:
    """The value of a unit's argument, which must be 0 or a number above."""
    return value if value == 0 and not isinstance(value, bool) else positive(name, value)


def positive(name: str, value: float) -> float:
    """The value of a unit's argument, which must be a number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name} must be positive, a number above 0, not {value!r}")
    return value


def one_of(name: str, value: Any, valid: tuple[Any, ...]) -> Any:
    """The value of a unit's argument, which must be one of those that are valid."""
    if value not in valid:
        choices = ", ".join(repr(v) for v in valid)
        raise ValueError(f"{name} must be one of {choices}, not {value!r}")
    return value
