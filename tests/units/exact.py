"""Ideal weights: what each unit computes exactly, the one place that says so.

`tests/units/test_exact.py` checks it, `scripts/units_table.py` prints it.
"""

from collections.abc import Callable

import hydra.utils
import keras
import numpy as np

from nalu_seq import units
from nalu_seq.config.options import shipped

Weights = list[list[float]]

# Two inputs: a^2 gets a twice, as the first layer of the published task gives it; sqrt ignores b.
OPERATIONS: dict[str, Callable] = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a / b": lambda a, b: a / b,
    "a^2": lambda a, b: a * a,
    "sqrt a": lambda a, b: np.sqrt(a),
}
PAIRS = [(3.7, 2.3), (2.3, 3.7), (0.2, 11.0)]

BIG = 50.0  # a sigmoid or tanh of it is 1 in float32, and with base phi too
ONES, LESS, FIRST, HALF = [1.0, 1.0], [1.0, -1.0], [1.0, 0.0], [0.5, 0.0]
UP, NONE = [BIG, BIG], [0.0, 0.0]
# [w_hat, m_hat] of tanh(w_hat) * sigmoid(m_hat) = ONES, LESS, HALF
NAC_ONES, NAC_LESS, NAC_HALF = [UP, UP], [[BIG, -BIG], UP], [[BIG, 0.0], NONE]
OPEN, SHUT = [BIG], [-BIG]
GATE = 500.0  # of NALU's gate, which is multiplied by inputs down to 0.2

SUMS = {"a + b": ONES, "a - b": LESS}
POWERS = {"a * b": ONES, "a / b": LESS, "a^2": ONES, "sqrt a": HALF}
PRODUCTS = {"a * b": ONES, "a^2": ONES}
NAC_SUMS = {"a + b": NAC_ONES, "a - b": NAC_LESS}
NAC_POWERS = {"a * b": NAC_ONES, "a / b": NAC_LESS, "a^2": NAC_ONES, "sqrt a": NAC_HALF}

NALU = {
    **{o: [*w, [GATE, GATE]] for o, w in NAC_SUMS.items()},
    **{o: [*w, [-GATE, -GATE]] for o, w in NAC_POWERS.items()},
    "sqrt a": [*NAC_HALF, [-GATE, 0.0]],
}
NPU = {o: [w, FIRST if o == "sqrt a" else ONES] for o, w in POWERS.items()}
MASS = [NONE, OPEN, [0.0]]  # r, w_o, b_o

# Option of conf/unit -> operation -> its weights for two inputs and one output, in build's order.
SOLUTIONS: dict[str, dict[str, Weights]] = {
    "nac": NAC_SUMS,
    "nac_mul": NAC_POWERS,
    "nac_mul_sigmoid": {"a * b": [UP], "a^2": [UP], "sqrt a": [[0.0, -BIG]]},
    "nac_mul_nmu": {o: [w] for o, w in POWERS.items() if o != "a / b"},
    "nalu": NALU,
    "nalu_independent": {
        **{o: [*w, OPEN, *NAC_ONES] for o, w in NAC_SUMS.items()},
        **{o: [*NAC_ONES, SHUT, *w] for o, w in NAC_POWERS.items()},
    },
    "nalu_nmu": {
        **{o: [*w, [GATE, GATE], ONES] for o, w in NAC_SUMS.items()},
        **{o: [*NAC_ONES, [-GATE, -GATE], w] for o, w in PRODUCTS.items()},
    },
    "gnalu": NALU,
    "inalu": {
        **{o: [*w, *NAC_ONES, OPEN] for o, w in NAC_SUMS.items()},
        **{o: [*NAC_ONES, *w, SHUT] for o, w in NAC_POWERS.items()},
    },
    "inalu_shared": {
        **{o: [*w, OPEN] for o, w in NAC_SUMS.items()},
        **{o: [*w, SHUT] for o, w in NAC_POWERS.items()},
    },
    "nau": {o: [w] for o, w in SUMS.items()},
    "nmu": {o: [w] for o, w in PRODUCTS.items()},
    "snmu": {o: [w] for o, w in PRODUCTS.items()},
    "gated_nau_nmu": {
        **{o: [w, ONES, [GATE, GATE]] for o, w in SUMS.items()},
        **{o: [ONES, w, [-GATE, -GATE]] for o, w in PRODUCTS.items()},
    },
    "npu": {o: [*w, NONE] for o, w in NPU.items()},
    "real_npu": NPU,
    "nru": {"a * b": [ONES], "a / b": [LESS], "a^2": [ONES]},
    "nmru": {"a * b": [ONES + NONE], "a / b": [FIRST + FIRST[::-1]], "a^2": [ONES + NONE]},
    "mcfc": {"a + b": MASS},
    "mul_mcfc": {o: [*MASS, [0.0]] for o in PRODUCTS},
    "mul_mcfc_inalu": {o: [*MASS, [0.0]] for o in PRODUCTS},
    "mul_mcfc_real_npu": {o: [*MASS, [0.0], ONES] for o in PRODUCTS},
    "linear": {o: [w, [0.0]] for o, w in SUMS.items()},
    "relu": {"a + b": [ONES, [0.0]]},
    "relu6": {},
}


def solved(option: str, operation: str) -> units.Unit:
    """The unit with the ideal weights for an operation."""
    layer = hydra.utils.instantiate(shipped("unit", option), _convert_="all")(units=1)
    layer.build((None, 2))
    ideal = SOLUTIONS[option][operation]
    pairs = zip(layer.weights, ideal, strict=True)
    layer.set_weights([np.reshape(values, weight.shape) for weight, values in pairs])
    return layer


def worst_error(layer: units.Unit, operation: str, signs: list, magnitude: bool = False) -> float:
    """The largest relative error over `PAIRS` with each of the signs of (a, b)."""
    points = [(s * a, t * b) for a, b in PAIRS for s, t in signs]
    exact = np.array([OPERATIONS[operation](a, b) for a, b in points])
    x = np.array([(a, a if operation == "a^2" else b) for a, b in points], "float32")
    y = keras.ops.convert_to_numpy(layer(x))[:, 0]
    if magnitude:
        exact, y = np.abs(exact), np.abs(y)
    return float(np.max(np.abs(y - exact) / np.abs(exact)))


def verdict(option: str, operation: str, tolerance: float = 1e-5) -> str:
    """`exact`, `sign lost`, `positive only` or `-`, which is not representable."""
    if operation not in SOLUTIONS[option]:
        return "-"
    layer = solved(option, operation)
    negative = [(1, -1)] if operation == "sqrt a" else [(1, -1), (-1, 1), (-1, -1)]
    assert worst_error(layer, operation, [(1, 1)]) < tolerance, (option, operation)
    if worst_error(layer, operation, negative) < tolerance:
        return "exact"
    if worst_error(layer, operation, negative, magnitude=True) < tolerance:
        return "sign lost"
    return "positive only"
