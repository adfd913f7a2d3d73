"""Initial values, clips and penalties that several units share."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

PI_ABOVE = 3.140625  # the first ten bits of pi
FEW = 8  # up to so many inputs, terms are faster than a product of matrices


def copy_initializer(identifier: Any) -> Any:
    """Keras' initializer for an identifier; an instance is copied, because others may use it too.

    An instance makes the same numbers each time: if two weights shared it, or the members of a
    population, they would be equal.

    Args:
        identifier: a name, a config, an instance, or None.

    Returns:
        The initializer; None for None.
    """
    if isinstance(identifier, keras.initializers.Initializer):
        return identifier.clone()
    return keras.initializers.get(identifier)


def nac_uniform(fan_in: int, fan_out: int) -> keras.initializers.Initializer:
    """U(-r, r) for `w_hat` and for `m_hat`, so that their W has Glorot's variance.

    r solves `max(in + out, 5) * V(r) = 2`, where
    `V(r) = (1 - tanh(r) / r) * (r - tanh(r / 2)) / (2 r)` is the variance of
    tanh(w_hat) * sigmoid(m_hat). Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code.

    Args:
        fan_in: the number of inputs.
        fan_out: the number of outputs.
    """
    target = 2 / max(fan_in + fan_out, 5)

    def excess(r: float) -> float:
        return (1 - np.tanh(r) / r) * (r - np.tanh(r / 2)) / (2 * r) - target

    # V rises from 0 to 1/2, and the target is 2/5 at most, so that there is always one root. It is
    # found by bisection, to the last bit of float32, so that the units need Keras and no SciPy.
    low, high = 1e-4, 1e3
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return keras.initializers.RandomUniform(-high, high)


def nau_uniform(fan_in: int, fan_out: int) -> keras.initializers.Initializer:
    """U(-r, r) with `r = min(1/2, sqrt(6 / (in + out)))`, the initial values of NAU.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016).

    Args:
        fan_in: the number of inputs.
        fan_out: the number of outputs.
    """
    r = min(0.5, (6 / (fan_in + fan_out)) ** 0.5)
    return keras.initializers.RandomUniform(-r, r)


def weighted_sums(x: Any, w: Any) -> Any:
    """`x w`, as terms and their sum where there are few: `[..., in] -> [..., units]`.

    A compiler fuses terms with the operations around them, but not a product of matrices. Compiled
    by XLA, a population of NALUs trains 1.7 times as fast on two inputs, 1.5 times on seven, and
    on ten as fast as by products of matrices (docs/performance.md).

    Args:
        x: inputs `[..., in]`.
        w: weights `[in, units]`.
    """
    if w.shape[0] > FEW:
        return ops.matmul(x, w)
    return ops.sum(ops.multiply(ops.expand_dims(x, -1), w), axis=-2)


def cosine(x: Any) -> Any:
    """cos(x) in float32 to 3e-7, from terms that a compiler makes vectors of.

        n = round(x / pi),    r = x - n pi,    cos(x) = (-1)^n cos(r)

    with the Taylor series of cos(r) up to r^12, which is exact at multiples of pi, where the cosine
    is a sign. XLA would call the C library for the cosine of each number, and again for the sine in
    its gradient; with these terms a population of RealNPUs trains 1.3 times as fast
    (docs/performance.md). The result is bounded however large x is. For dtypes other than float32
    it is `keras.ops.cos`.

    Args:
        x: angles in radians, of any shape.
    """
    if keras.backend.standardize_dtype(x.dtype) != "float32":
        return ops.cos(x)
    n = ops.round(x * (1 / math.pi))
    # Pi is split into two parts, so that n times the first is exact.
    r = (x - n * PI_ABOVE) - n * (math.pi - PI_ABOVE)
    square = ops.square(ops.clip(r, -math.pi / 2, math.pi / 2))  # r of a huge x is only rounding
    series = 1 / math.factorial(12)
    for power in (10, 8, 6, 4, 2, 0):
        series = series * square + (1 - power % 4) / math.factorial(power)
    odd = n - 2 * ops.floor(0.5 * n)
    return (1 - 2 * odd) * series


@keras.saving.register_keras_serializable("nalu_seq")
class Clip(keras.constraints.Constraint):
    """Weights clamped to `[low, high]` after each update, element by element.

    The clip is elementwise, so that it means the same on one member's weight and on a stack of
    members.

    Args:
        low: the smallest weight.
        high: the largest weight.
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
    """The penalty `sparsity` of a weight, times a constant, which Keras' `fit` adds to the loss.

    Args:
        weight: the constant.
        signed: whether weights are drawn to -1 too, as for `sparsity`.
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

    Args:
        w: weights of any shape.
        signed: whether weights may be -1 too; if not, the distance is that from 0 and 1.

    Returns:
        A scalar.
    """
    magnitude = ops.abs(w)
    return ops.mean(ops.minimum(magnitude, ops.abs(1 - (magnitude if signed else w))))


def sparsity_error(w: Any) -> Any:
    """`max(min(|w|, |1 - |w||))`: how far the worst weight is from -1, 0 and 1.

    In [0, 1/2] for weights in [-1, 1]. Source: Madsen & Johansen 2020 (arXiv 2001.05016).

    Args:
        w: weights of any shape.

    Returns:
        A scalar.
    """
    magnitude = ops.abs(w)
    return ops.max(ops.minimum(magnitude, ops.abs(1 - magnitude)))


def near_zero(variables: Iterable[Any], t: float = 20.0) -> Any:
    """The R of iNALU, `(1/t) sum_v mean(max(t - |v|, 0))`, a penalty for raw weights near 0.

    Source: Schlör et al. 2020 (arXiv 2003.07629), section 4.

    Args:
        variables: the raw weights, tensors of any shape.
        t: the magnitude from which on a weight has no penalty.

    Returns:
        A scalar.
    """
    return sum(ops.mean(ops.maximum(t - ops.abs(v), 0.0)) for v in variables) / t


def out_of_bounds(w: Any, low: float, high: float) -> Any:
    """R_oob, the mean distance of the weights from the interval `[low, high]`.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code, linear form.

    Args:
        w: raw weights of any shape.
        low: the lower bound.
        high: the upper bound.

    Returns:
        A scalar.
    """
    return ops.mean(ops.relu(w - high) + ops.relu(low - w))


def r_z(ignored: Any, mean_input: Any, neutral: float) -> Any:
    """R_z, `mean(ignored_ij (z_i - neutral)^2)`: an input that is ignored should be neutral.

    Args:
        ignored: how far each weight ignores its input, `[in, units]`: 1 - W for W in [0, 1], or
            1 - |W|, which has no gradient where W is 0.
        mean_input: z, `[in]`, the mean of the inputs as `mean_inputs` records it.
        neutral: the input that makes no difference, 0 for a sum and 1 for a product.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), their code.
    """
    distance = ops.expand_dims(ops.square(mean_input - neutral), -1)
    return ops.mean(ops.multiply(ignored, distance))  # `multiply` allows for different dtypes


def at_least_float32(x: Any) -> Any:
    """A tensor in float32 if it is float16 or bfloat16, else the tensor itself.

    Args:
        x: a tensor of any shape.
    """
    if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16"):
        return ops.cast(x, "float32")
    return x


def log_abs(x: Any, eps: float) -> Any:
    """`log(|x| + eps)`, in float32 at least: in float16 an eps of 1e-7 would vanish.

    Args:
        x: a tensor of any shape.
        eps: a small positive number, which keeps the logarithm finite at 0.
    """
    return ops.log(ops.abs(at_least_float32(x)) + eps)


def log_max(x: Any, eps: float) -> Any:
    """`log(max(|x|, eps))`, in float32 at least: exact above eps, with gradient 0 below.

    Args:
        x: a tensor of any shape.
        eps: the smallest magnitude that is distinguished from 0.
    """
    return ops.log(ops.maximum(ops.abs(at_least_float32(x)), eps))


def not_negative(name: str, value: float) -> float:
    """Check that an argument is 0 or a positive number.

    Args:
        name: the argument's name in the message, such as `NMU: sparsity`.
        value: its value.

    Returns:
        The value.

    Raises:
        ValueError: it is negative, or no number.
    """
    return value if value == 0 and not isinstance(value, bool) else positive(name, value)


def positive(name: str, value: float) -> float:
    """Check that an argument is a positive number.

    Args:
        name: the argument's name in the message, such as `NALU: eps`.
        value: its value.

    Returns:
        The value.

    Raises:
        ValueError: it is 0, negative, or no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name} must be positive, a number above 0, not {value!r}")
    return value


def positive_integer(name: str, value: int) -> int:
    """Check that an argument is a whole number of at least 1.

    Args:
        name: the argument's name in the message, such as `DMU: norms`.
        value: its value.

    Returns:
        The value.

    Raises:
        ValueError: it is 0, negative, or no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")
    return value


def one_of(name: str, value: Any, valid: tuple[Any, ...]) -> Any:
    """Check that an argument has one of its valid values.

    Args:
        name: the argument's name in the message, such as `NALU: gate`.
        value: its value.
        valid: all valid values.

    Returns:
        The value.

    Raises:
        ValueError: it is none of them; the message lists them.
    """
    if value not in valid:
        choices = ", ".join(repr(v) for v in valid)
        raise ValueError(f"{name} must be one of {choices}, not {value!r}")
    return value
