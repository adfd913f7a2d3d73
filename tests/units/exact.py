"""Whether a unit computes exactly what it says: its solutions set by hand, and measured.

`tests/units/test_exact.py` checks every option, `scripts/units_table.py` prints what it finds.
"""

from collections.abc import Callable

import hydra.utils
import keras
import numpy as np

from nalu_seq import units
from nalu_seq.config.options import shipped_config

OPERATIONS: dict[str, Callable] = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a / b": lambda a, b: a / b,
    "a^2": lambda a, b: a * a,
    "sqrt a": lambda a, b: np.sqrt(a),
}
PAIRS = [(3.7, 2.3), (2.3, 3.7), (0.2, 11.0)]
BOTH_POSITIVE = [(1, 1)]


def unsolved(option: str) -> units.Unit:
    """The option's unit of two inputs and one output, with its initial weights."""
    layer = hydra.utils.instantiate(shipped_config("unit", option), _convert_="all")(units=1)
    layer.build((None, 2))
    return layer


def solved(option: str, operation: str) -> units.Unit:
    """The unit with its own ideal weights for an operation."""
    layer = unsolved(option)
    # A root has no use for b, whose sign may be any: a gate must not depend on it.
    x = inputs(operation, [(1, 1), (1, -1)] if operation == "sqrt a" else BOTH_POSITIVE)
    shapes = {name: w.shape for name, w in layer.effective(x).items()}
    ideal = layer.facts().solutions[operation]
    assert ideal.keys() == shapes.keys(), (option, operation)
    effective = {name: np.reshape(w, shapes[name]) for name, w in ideal.items()}
    layer.set_weights(layer.raw_weights(effective, x))
    return layer


def points(signs: list) -> list[tuple[float, float]]:
    """`PAIRS` with each of the signs of (a, b)."""
    return [(s * a, t * b) for a, b in PAIRS for s, t in signs]


def inputs(operation: str, signs: list) -> np.ndarray:
    """The unit's inputs at `points`: a^2 gets a twice, as from the first layer of two."""
    return np.array([(a, a if operation == "a^2" else b) for a, b in points(signs)], "float32")


def worst_error(layer: units.Unit, operation: str, signs: list, magnitude: bool = False) -> float:
    """The largest relative error at `points`."""
    exact = np.array([OPERATIONS[operation](a, b) for a, b in points(signs)])
    y = keras.ops.convert_to_numpy(layer(inputs(operation, signs)))[:, 0]
    if magnitude:
        exact, y = np.abs(exact), np.abs(y)
    return float(np.max(np.abs(y - exact) / np.abs(exact)))


def verdict(option: str, operation: str, tolerance: float = 1e-5) -> str:
    """`exact`, `sign lost`, `positive only` or `-`, which is not representable."""
    if operation not in unsolved(option).facts().solutions:
        return "-"
    layer = solved(option, operation)
    negative = [(1, -1)] if operation == "sqrt a" else [(1, -1), (-1, 1), (-1, -1)]
    assert worst_error(layer, operation, BOTH_POSITIVE) < tolerance, (option, operation)
    if worst_error(layer, operation, negative) < tolerance:
        return "exact"
    if worst_error(layer, operation, negative, magnitude=True) < tolerance:
        return "sign lost"
    return "positive only"
