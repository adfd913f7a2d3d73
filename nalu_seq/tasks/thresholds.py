"""Thresholds of success: the error of a solution that is perfect but for `eps` in each weight.

    threshold = E[(f(W_eps) - f(W*))^2]

over the inputs of the extrapolation. W_eps has 1 - eps where W* has 1, and eps where it has 0.
Expectations are computed, not sampled: closed forms, or quadrature over sums of inputs.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

EPS = 1e-5
Interval = tuple[float, float]

OPERATIONS: dict[str, Callable] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "square": lambda a, b: a * a,
    "root": lambda a, b: a**0.5,
}


def single_module(
    operation: str, intervals: Sequence[Interval], inputs: int = 2, eps: float = EPS
) -> float:
    """The threshold of one module that computes `x_1 op x_2` from `inputs` inputs.

        add, sub:  E[(eps sum_i |x_i|)^2]
        mul:       E[((1 - eps)^2 x_1 x_2 prod_{i > 2} (1 - eps |x_i|) - x_1 x_2)^2]
        div:       the same with (1 - eps) / (1 + eps) * x_1 / x_2

    Args:
        operation: add, sub, mul or div.
        intervals: each input is uniform in one of these, drawn with equal probability.
        inputs: how many inputs there are, two of them relevant.
        eps: the error of each weight.

    Raises:
        ValueError: an operation that a single module is not asked for.

    Source: the Primer (Mistry et al. 2022, arXiv 2101.09530), their code.
    """
    size = _moment(intervals, 1, absolute=True)
    square = _moment(intervals, 2)
    if operation in ("add", "sub"):
        return eps**2 * (inputs * square + inputs * (inputs - 1) * size**2)
    # The irrelevant inputs' factor P = prod (1 - eps |x|): (c P - 1)^2 = c^2 P^2 - 2 c P + 1.
    mean = (1 - eps * size) ** (inputs - 2)
    mean_square = (1 - 2 * eps * size + eps**2 * square) ** (inputs - 2)
    if operation == "mul":
        factor, scale = (1 - eps) ** 2, square**2
    elif operation == "div":
        factor, scale = (1 - eps) / (1 + eps), square * _moment(intervals, -2)
    else:
        raise ValueError(f"a single module computes add, sub, mul or div, not {operation!r}")
    return scale * (factor**2 * mean_square - 2 * factor * mean + 1)


def two_layers(
    operation: str, intervals: Sequence[Interval], groups: Sequence[int], eps: float = EPS
) -> float:
    """The threshold of two layers that compute `a op b` of two sums of inputs.

        a_eps = a + eps (T - 2 a),    b_eps = b + eps (T - 2 b),    T the sum of all inputs
        threshold = E[(a_eps op b_eps - a op b)^2]

    The second layer is perfect. The expectation is a quadrature over the sums of four groups of
    inputs, of three nodes each, exact up to the fifth power of each sum.

    Args:
        operation: a key of `OPERATIONS`.
        intervals: each input is uniform in one of these, drawn with equal probability; as a whole
            symmetric about their mean.
        groups: how many inputs are in a alone, in a and b, in b alone, in neither.
        eps: the error of each weight of the first layer.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), section 4.1; by simulation in their code.
    """
    nodes, weights = zip(*(_sum_nodes(intervals, size) for size in groups), strict=True)
    only_a, both, only_b, neither = np.meshgrid(*nodes, indexing="ij")
    weight = np.prod(np.meshgrid(*weights, indexing="ij"), axis=0)
    a, b = only_a + both, only_b + both
    total = a + only_b + neither
    compute = OPERATIONS[operation]
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = compute(a, b)
        error = compute(a + eps * (total - 2 * a), b + eps * (total - 2 * b)) - exact
    return float(np.sum(weight * error**2))


def _moment(intervals: Sequence[Interval], order: int, absolute: bool = False) -> float:
    """E[x^order], or E[|x|], of an input."""

    def of_one(low: float, high: float) -> float:
        if absolute:
            return (high * abs(high) - low * abs(low)) / (2 * (high - low))
        if order == -2:
            return 1 / (low * high) if low * high > 0 else math.inf
        return (high ** (order + 1) - low ** (order + 1)) / ((order + 1) * (high - low))

    return sum(of_one(*interval) for interval in intervals) / len(intervals)


def _sum_nodes(intervals: Sequence[Interval], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Three nodes and weights with the first five moments of a sum of `size` inputs."""
    if size == 0:
        return np.zeros(1), np.ones(1)
    mean = _moment(intervals, 1)
    centred_intervals = [(low - mean, high - mean) for low, high in intervals]
    variance = _moment(centred_intervals, 2)
    # The kurtosis of a sum: its excess over a normal's falls with the number of summands.
    kurtosis = 3 + (_moment(centred_intervals, 4) / variance**2 - 3) / size
    reach = math.sqrt(kurtosis * variance * size)
    centre = size * mean
    outer = 1 / (2 * kurtosis)
    return np.array([centre - reach, centre, centre + reach]), np.array(
        [outer, 1 - 2 * outer, outer]
    )
