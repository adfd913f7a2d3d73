"""What a unit says of itself: its paper, what it computes exactly, which weights it is drawn to.

Tests set the exact weights and measure, `scripts/units_table.py` prints what they found, and
`nalu_seq.explain` rounds trained weights to the favoured values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

# Effective weights by name, as `Unit.effective` gives them.
Effective = Mapping[str, Any]

SIGNED = (-1.0, 0.0, 1.0)
UNSIGNED = (0.0, 1.0)
# 1/2 is a square root.
POWERS = (-1.0, -0.5, 0.0, 0.5, 1.0)
ROOTS = (0.0, 0.5, 1.0)

# Weights of the inputs a and b, each operation's own.
ONES, LESS, NONE = [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]
FIRST, HALF = [1.0, 0.0], [0.5, 0.0]
SUM_WEIGHTS = {"a + b": ONES, "a - b": LESS}
# a^2 gets a twice.
PRODUCT_WEIGHTS = {"a * b": ONES, "a^2": ONES}
POWER_WEIGHTS = {"a * b": ONES, "a / b": LESS, "a^2": ONES, "sqrt a": HALF}

# A sigmoid or tanh of it is 1 in float32, with base phi too.
SATURATED = 50.0
# The same for a gate that is multiplied by its inputs, which may be small.
SATURATED_GATE = 1e4


class Paper(NamedTuple):
    """Where a unit comes from.

    Attributes:
        authors: whose it is, and the year.
        arxiv: its number on arXiv.
    """

    authors: str
    arxiv: str


TRASK = Paper("Trask et al. 2018", "1808.00508")
MADSEN = Paper("Madsen & Johansen 2020", "2001.05016")
PRIMER = Paper("Mistry et al. 2022, Primer", "2101.09530")


@dataclass(frozen=True)
class Facts:
    """What a unit says of itself.

    Attributes:
        paper: where it was published; None for a baseline or a variant of our own.
        solutions: the effective weights with which a unit of two inputs and one output computes an
            operation exactly for positive inputs: `{"a * b": {"W": [1, 1]}}`. Operations: a + b,
            a - b, a * b, a / b, a^2 (which gets a twice) and sqrt a (which ignores b).
        negatives: what becomes of these operations where an input is negative: "exact",
            "sign lost", or "positive only".
        overflows: where the output leaves the float range, each said by the docstring as well:
            "product" (large inputs), "power" (also one small input, as nothing bounds the weights),
            "float16" (there an input of 0).
        favours: the values that the definition draws effective weights to, by their names; a unit
            without has no formula that rounding could find.
    """

    paper: Paper | None = None
    solutions: Mapping[str, Effective] = field(default_factory=dict)
    negatives: str = "exact"
    overflows: tuple[str, ...] = ()
    favours: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def saturated(w: Any) -> Any:
    """The raw weight whose sigmoid is w, for w of 0, 1/2 or 1."""
    return SATURATED * np.sign(np.asarray(w) - 0.5)


def opened(gate: Any, x: Any) -> np.ndarray:
    """Raw weights `[in, units]` that open (1) or shut (0) a gate sigmoid(x G) on such inputs.

    Only inputs that never change their sign can hold a gate; the others get 0.

    Args:
        gate: `[units]`, 0 or 1.
        x: a sample of inputs, `[examples, in]`.
    """
    sign = np.all(x >= 0, axis=0) * 1.0 - np.all(x <= 0, axis=0)  # [in]
    return SATURATED_GATE * sign[:, None] * (2 * np.asarray(gate) - 1)


def sums(x: Any, w: Any) -> list[Any]:
    """`x w` in symbols, an expression for each output.

    Args:
        x: the inputs' expressions.
        w: `[in, units]`, rounded.
    """
    return [sum((exact(v) * x_i for x_i, v in zip(x, column, strict=True)), 0) for column in w.T]


def products(x: Any, w: Any) -> list[Any]:
    """`prod_i x_i^w_i` in symbols, an expression for each output; arguments as for `sums`."""
    outputs = []
    for column in w.T:
        product: Any = 1
        for x_i, power in zip(x, column, strict=True):
            product = product * x_i ** exact(power)
        outputs.append(product)
    return outputs


def exact(value: float) -> int | Fraction:
    """A rounded weight as an integer or as halves, which SymPy keeps exact."""
    halves = Fraction(round(2 * float(value)), 2)
    return int(halves) if halves.denominator == 1 else halves
