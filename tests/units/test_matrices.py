"""The effective weights of each unit, and how far they are from whole numbers."""

import keras
import numpy as np
import pytest

from nalu_seq import units
from nalu_seq.units.weights import FEW, cosine, sparsity_error, weighted_sums
from tests.units.exact import solved
from tests.units.layers import IN, OUT, array, built, each_option, with_weights
from tests.units.test_exact import SOLUTIONS

W1 = np.array([[0.3, -1.2], [2.0, 0.1]])
W2 = np.array([[-0.4, 0.8], [1.5, -2.0]])
W3 = np.array([[0.7, -0.2], [-0.5, 1.1]])
IN_0_1 = np.array([[0.3, 0.0], [1.0, 0.1]])  # W1, clamped
WITHIN_1 = np.array([[0.3, -1.0], [1.0, 0.1]])
GATE, OPEN = np.array([-0.5, 0.75]), np.array([0.0, 0.75])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


NAC = np.tanh(W1) * sigmoid(W2)
NAC_M = np.tanh(W2) * sigmoid(W3)
SHARES = np.exp(W1) / np.exp(W1).sum(axis=1, keepdims=True)


@each_option
def test_matrices_are_finite_and_of_the_documented_shape(option):
    layer = built(option)
    shapes = {"g": (IN,)} | ({"W": (2 * IN, OUT)} if isinstance(layer, units.NMRU) else {})
    matrices = layer.matrices()
    assert matrices
    for name, matrix in matrices.items():
        assert tuple(matrix.shape) == shapes.get(name, (IN, OUT))
        assert np.isfinite(array(matrix)).all()


# What maps members or mixes precisions swaps values for as long as a scope lasts.
@each_option
def test_matrices_are_those_of_the_scope(option):
    layer = built(option)
    values = [np.full(v.shape, 0.125, "float32") for v in layer.variables]
    mapping = zip(layer.variables, map(keras.ops.convert_to_tensor, values), strict=True)
    with keras.StatelessScope(state_mapping=list(mapping)):
        swapped = layer.matrices()
    kept = {name: array(matrix) for name, matrix in swapped.items()}
    layer.set_weights(values)
    for name, matrix in layer.matrices().items():
        np.testing.assert_array_equal(kept[name], array(matrix))


@pytest.mark.parametrize(
    ("layer", "weights", "expected"),
    [
        (units.NAC(2), {"w_hat": W1, "m_hat": W2}, {"W": NAC}),
        (units.NACMul(2), {"w_hat": W1, "m_hat": W2}, {"W": NAC}),
        (units.NACMul(2, weights="sigmoid"), {"w_hat": W1}, {"W": sigmoid(W1)}),
        (units.NACMul(2, weights="nmu"), {"w": W1}, {"W": IN_0_1}),
        (units.NALU(2), {"w_hat": W1, "m_hat": W2, "g": W3}, {"W": NAC}),
        (
            units.NALU(2, tied=False),
            {"w_hat": W1, "m_hat": W2, "g": W3, "w_hat_m": W2, "m_hat_m": W3},
            {"W_a": NAC, "W_m": NAC_M},
        ),
        (
            units.NALU(2, tied=False, multiplier={"class_name": "NMU"}),
            {"w_hat": W1, "m_hat": W2, "g": W3, "w": W1},
            {"W_a": NAC, "W_m": IN_0_1},
        ),
        (
            units.NALU(2, tied=False, multiplier={"class_name": "MCFC"}),
            {"w_hat": W1, "m_hat": W2, "g": W3, "r": W1, "w_o": [GATE], "b_o": GATE},
            {"W_a": NAC, "R_m": SHARES},
        ),
        (
            units.INALU(2),
            {"w_hat_a": W1, "m_hat_a": W2, "w_hat_m": W2, "m_hat_m": W3, "g": GATE},
            {"W_a": NAC, "W_m": NAC_M},
        ),
        (units.INALU(2, tied=True), {"w_hat": W1, "m_hat": W2, "g": GATE}, {"W": NAC}),
        (units.NAU(2), {"w": W1}, {"W": WITHIN_1}),
        (units.NMU(2), {"w": W1}, {"W": IN_0_1}),
        (units.SNMU(2), {"w": W1}, {"W": IN_0_1}),
        (units.NRU(2), {"w": W1}, {"W": WITHIN_1}),
        (
            units.GatedNAUNMU(2),
            {"w_a": W1, "w_m": W1, "g": W3},
            {"W_a": WITHIN_1, "W_m": IN_0_1},
        ),
        (units.RealNPU(2), {"w_r": W1, "g": GATE}, {"W_r": W1, "g": OPEN}),
        (
            units.NPU(2),
            {"w_r": W1, "g": GATE, "w_i": W2},
            {"W_r": W1, "W_i": W2, "g": OPEN},
        ),
        (
            units.MCFC(2),
            {"r": W1, "w_o": [GATE], "b_o": GATE},
            {"R": SHARES},
        ),
        (units.Linear(2), {"w": W1, "b": GATE}, {"W": W1}),
    ],
)
def test_matrices_are_the_equation_s(layer, weights, expected):
    matrices = with_weights(layer, **weights).matrices()
    assert set(matrices) == set(expected)
    for name, matrix in expected.items():
        np.testing.assert_allclose(array(matrices[name]), matrix, rtol=1e-6)


# How far from whole


@pytest.mark.parametrize("inputs", [1, 2, FEW, FEW + 1])
@pytest.mark.parametrize("units", [1, 3])
def test_sums_are_the_product_of_matrices(inputs, units):
    rng = np.random.default_rng(inputs)
    x, w = (rng.normal(size=size).astype("float32") for size in ((4, 5, inputs), (inputs, units)))
    y = array(weighted_sums(keras.ops.array(x), keras.ops.array(w)))
    np.testing.assert_allclose(y, x @ w, rtol=1e-5, atol=1e-6)


def test_the_cosine_is_that_of_the_library():
    x = np.linspace(-50, 50, 100_001, dtype="float32")
    y = array(cosine(keras.ops.array(x)))
    np.testing.assert_allclose(y, np.cos(x.astype("float64")), atol=3e-7)
    few = array(cosine(keras.ops.array(np.float32([0, np.pi, -np.pi, np.pi / 2, 1e30]))))
    assert list(few[:3]) == [1, -1, -1] and abs(few[3]) < 3e-7 and abs(few[4]) <= 1


def test_sparsity_error_is_the_distance_of_the_worst_weight():
    def error(*w: float) -> float:
        return float(sparsity_error(keras.ops.convert_to_tensor([w])))

    assert error(-1.0, 0.25, 0.9, -0.6) == pytest.approx(0.4)
    assert error(0.0, 1.0, -1.0) == 0
    assert error(0.5, 1.0) == 0.5
    assert error(3.0) == 2


@pytest.mark.parametrize(("option", "operation"), SOLUTIONS)
def test_exact_solutions_are_sparse(option, operation):
    errors = [array(sparsity_error(m)) for m in solved(option, operation).matrices().values()]
    if operation == "sqrt a":  # a weight of 1/2 is the solution
        assert abs(max(errors) - 0.5) < 1e-6
    else:
        assert max(errors) < 1e-4
