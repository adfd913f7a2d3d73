"""The facts of a unit: its paper, which operations it computes exactly, which weights it favours.

Tests set the exact weights and measure the outputs, `scripts/units_table.py` prints the results,
and `nalu_seq.explain` rounds trained weights to the favoured values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

# Effective weights by name, as `Unit.effective` returns them.
Effective = Mapping[str, Any]

SIGNED = (-1.0, 0.0, 1.0)
UNSIGNED = (0.0, 1.0)
# A weight of 1/2 is a square root.
POWERS = (-1.0, -0.5, 0.0, 0.5, 1.0)
ROOTS = (0.0, 0.5, 1.0)

# Weights of the inputs a and b with which a unit computes an operation.
ONES, LESS, NONE = [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]
FIRST, HALF = [1.0, 0.0], [0.5, 0.0]
SUM_WEIGHTS = {"a + b": ONES, "a - b": LESS}
# For a^2 both inputs are a.
PRODUCT_WEIGHTS = {"a * b": ONES, "a^2": ONES}
POWER_WEIGHTS = {"a * b": ONES, "a / b": LESS, "a^2": ONES, "sqrt a": HALF}

# A raw weight whose sigmoid and tanh are 1 in float32, also with the golden ratio as base.
SATURATED = 50.0
# A raw weight of a gate sigmoid(x G) that saturates it even where the input x is small.
SATURATED_GATE = 1e4


class Paper(NamedTuple):
    """The paper that published a unit.

    Attributes:
        authors: the authors and the year.
        arxiv: the paper's number on arXiv.
    """

    authors: str
    arxiv: str


TRASK = Paper("Trask et al. 2018", "1808.00508")
MADSEN = Paper("Madsen & Johansen 2020", "2001.05016")
PRIMER = Paper("Mistry et al. 2022, Primer", "2101.09530")


@dataclass(frozen=True)
class Facts:
    """The facts of a unit.

    Attributes:
        paper: where it was published; None for a baseline or a variant of our own.
        solutions: the effective weights with which a unit of two inputs and one output computes an
            operation exactly for positive inputs: `{"a * b": {"W": [1, 1]}}`. Operations: a + b,
            a - b, a * b, a / b, a^2 (where both inputs are a) and sqrt a (where b is ignored).
        negatives: how exact these operations are if an input is negative: "exact", "sign lost", or
            "positive only".
        overflows: when the output leaves the float range, which the unit's docstring says too:
            "product" (large inputs), "power" (also one small input, as nothing bounds the weights),
            "float16" (in that dtype, an input of 0).
        favours: the values that the unit's definition draws effective weights to, by the weights'
            names; a unit that favours no values can't be rounded to a formula.
    """

    paper: Paper | None = None
    solutions: Mapping[str, Effective] = field(default_factory=dict)
    negatives: str = "exact"
    overflows: tuple[str, ...] = ()
    favours: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def saturating_weights(w: Any) -> Any:
    """Raw weights whose sigmoid is w, for w of 0, 1/2 or 1.

    Args:
        w: effective weights of any shape.
    """
    return SATURATED * np.sign(np.asarray(w) - 0.5)


def gate_weights(gate: Any, x: Any) -> np.ndarray:
    """Raw weights G, `[in, units]`, that open (1) or shut (0) a gate sigmoid(x G) on some inputs.

    Only an input that never changes its sign can hold a gate open or shut; the others get weight 0.

    Args:
        gate: the gate of each output, `[units]`, 0 or 1.
        x: a sample of inputs, `[examples, in]`.
    """
    sign = np.all(x >= 0, axis=0) * 1.0 - np.all(x <= 0, axis=0)  # [in]
    return SATURATED_GATE * sign[:, None] * (2 * np.asarray(gate) - 1)


def sums(x: Any, w: Any) -> list[Any]:
    """`x w` in symbols, an expression for each output.

    Args:
        x: an expression for each input.
        w: rounded weights `[in, units]`.
    """
    return [sum((exact(v) * x_i for x_i, v in zip(x, column, strict=True)), 0) for column in w.T]


def products(x: Any, w: Any) -> list[Any]:
    """`prod_i x_i^w_i` in symbols, an expression for each output.

    Args:
        x: an expression for each input.
        w: rounded weights `[in, units]`.
    """
    outputs = []
    for column in w.T:
        product: Any = 1
        for x_i, power in zip(x, column, strict=True):
            product = product * x_i ** exact(power)
        outputs.append(product)
    return outputs


def exact(value: float) -> int | Fraction:
    """A rounded weight as an integer or a fraction in halves, which SymPy keeps exact.

    Args:
        value: a multiple of 1/2, but for rounding.
    """
    halves = Fraction(round(2 * float(value)), 2)
    return int(halves) if halves.denominator == 1 else halves
