"""Each unit against its paper's equation, written out here once more in NumPy."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from nalu_seq import units
from nalu_seq.units.weights import nac_uniform, nau_uniform
from tests.units.layers import PRECISE, RTOL, array, with_weights

EPS = 1e-7
X = np.array([[2.0, 3.0], [-1.5, 0.5], [0.0, -4.0], [EPS, 1.0]])
W_HAT = np.array([[0.3, -1.2], [2.0, 0.1]])
M_HAT = np.array([[-0.4, 0.8], [1.5, -2.0]])
G = np.array([[0.7, -0.2], [-0.5, 1.1]])


def sigmoid(x: ArrayLike) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x)))


W = np.tanh(W_HAT) * sigmoid(M_HAT)


def built(cls: Callable[..., units.Unit], **weights: ArrayLike) -> units.Unit:
    """A unit with these weights, the first of them `[in, units]`."""
    features, count = np.shape(next(iter(weights.values())))
    layer = cls(count, dtype=PRECISE)
    layer.build((None, features))
    assert [v.name for v in layer.weights] == list(weights)
    layer.set_weights([np.asarray(value) for value in weights.values()])
    return layer


def outputs(layer: units.Unit, x: ArrayLike) -> np.ndarray:
    return array(layer(np.asarray(x, layer.compute_dtype)))


def assert_outputs(layer: units.Unit, y: ArrayLike) -> None:
    np.testing.assert_allclose(outputs(layer, X), y, rtol=RTOL)


# Equations


def test_nac():
    assert_outputs(built(units.NAC, w_hat=W_HAT, m_hat=M_HAT), X @ W)


def test_nac_mul():
    # X holds a 0 and an eps: the logarithm is of |x| + eps, not of max(|x|, eps).
    y = np.exp(np.log(np.abs(X) + EPS) @ W)
    assert_outputs(built(units.NACMul, w_hat=W_HAT, m_hat=M_HAT), y)


def test_nalu():
    g = sigmoid(X @ G)
    y = g * (X @ W) + (1 - g) * np.exp(np.log(np.abs(X) + EPS) @ W)  # the same W twice
    assert_outputs(built(units.NALU, w_hat=W_HAT, m_hat=M_HAT, g=G), y)


def test_nau():
    w = np.array([[0.25, -1.0], [-0.5, 1.0]])
    assert_outputs(built(units.NAU, w=w), X @ w)


def test_nmu():
    w = np.array([[0.25, 1.0], [0.5, 0.0]])
    y = np.stack([(0.25 * X[:, 0] + 0.75) * (0.5 * X[:, 1] + 0.5), X[:, 0]], axis=1)
    assert_outputs(built(units.NMU, w=w), y)


def test_affine_baselines():
    w, b = np.array([[3.0, -1.0], [2.0, 0.5]]), np.array([0.5, -0.25])
    y = X @ w + b
    assert (y < 0).any()
    assert (y > 6).any()
    assert_outputs(built(units.Linear, w=w, b=b), y)
    assert_outputs(built(units.ReLU, w=w, b=b), np.maximum(y, 0))
    assert_outputs(built(units.ReLU6, w=w, b=b), np.minimum(np.maximum(y, 0), 6))


def test_eps_is_as_given():
    for cls in (units.NACMul, units.NALU):
        assert cls(1).eps == EPS
    layer = units.NACMul(1, eps=0.5, w_hat_initializer="ones", m_hat_initializer="ones")
    y = (2.0 + 0.5) ** (np.tanh(1) * sigmoid(1))
    np.testing.assert_allclose(outputs(layer, [[2.0]]), [[y]], rtol=1e-6)


# float16 would make 1.2e-7 of it.
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_eps_is_as_given_in_half_precision(policy):
    layer = units.NACMul(1, dtype=policy)
    layer.build((None, 1))
    layer.set_weights([np.array([[20.0]]), np.array([[0.0]])])  # W = 1/2
    assert outputs(layer, [[0.0]]).item() == pytest.approx(EPS**0.5, rel=0.01)


@pytest.mark.parametrize("eps", [0, -1e-7, float("nan")])
def test_eps_must_be_positive(eps):
    with pytest.raises(ValueError, match="eps must be positive"):
        units.NALU(1, eps=eps)


# Clamps


@pytest.mark.parametrize(("cls", "low", "high"), [(units.NAU, -1, 1), (units.NMU, 0, 1)])
def test_weights_are_clamped_in_the_forward_pass(cls, low, high):
    wild = np.array([[3.0, -7.0], [-1.5, 0.5]])
    np.testing.assert_array_equal(
        outputs(built(cls, w=wild), X), outputs(built(cls, w=np.clip(wild, low, high)), X)
    )


@pytest.mark.parametrize(("cls", "low", "high"), [(units.NAU, -1, 1), (units.NMU, 0, 1)])
def test_weights_are_clamped_after_an_update(cls, low, high):
    model = keras.Sequential([keras.Input((2,)), cls(2)])
    model.compile(keras.optimizers.SGD(10.0), "mse")
    x = np.array([[2.0, 3.0], [1.0, 5.0]])
    model.fit(x, np.array([[100.0, -100.0]] * 2), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], [[high, low], [high, low]])


@pytest.mark.parametrize(("cls", "low", "high"), [(units.NAU, -1, 1), (units.NMU, 0, 1)])
def test_weights_on_a_bound_can_leave_it(cls, low, high):
    model = keras.Sequential([keras.Input((1,)), cls(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.set_weights([np.array([[low, high]])])
    model.fit(np.array([[2.0]]), np.array([[1.5, 0.5]]), epochs=1, verbose=0)
    ((first, second),) = model.get_weights()[0]
    assert low < first
    assert second < high


# Initial values


def spread(r: float) -> float:
    """The variance of tanh(w_hat) * sigmoid(m_hat), both U(-r, r): Madsen & Johansen 2020."""
    return (1 - np.tanh(r) / r) * (r - np.tanh(r / 2)) / (2 * r)


def test_nac_s_initial_range_is_scipy_s_to_the_last_bit_of_float32():
    for n in (*range(2, 400), 1000, 10_000, 1_000_000):
        target = 2 / max(n, 5)
        expected = scipy.optimize.brentq(lambda r, v=target: spread(r) - v, 1e-4, 1e3)
        assert np.float32(nac_uniform(n - 1, 1).maxval) == np.float32(expected)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (2, 1), (100, 2), (300, 200)])
def test_nac_s_initial_bound_solves_the_published_equation(fan_in, fan_out):
    bounds = nac_uniform(fan_in, fan_out).get_config()
    assert bounds["minval"] == -bounds["maxval"]
    assert max(fan_in + fan_out, 5) * spread(bounds["maxval"]) == pytest.approx(2)


@pytest.mark.parametrize("cls", [units.NAC, units.NACMul, units.NALU])
def test_nac_s_initial_matrix_has_glorot_s_variance(cls):
    layer = cls(200)
    layer.build((None, 300))
    w_hat, m_hat = layer.w_hat.numpy(), layer.m_hat.numpy()
    w = np.tanh(w_hat) * sigmoid(m_hat)
    # 60,000 samples: the variance is known to about 1%.
    assert w.var() == pytest.approx(2 / (300 + 200), rel=0.05)
    assert abs(w.mean()) < 0.002
    assert abs(np.corrcoef(w_hat.ravel(), m_hat.ravel())[0, 1]) < 0.02


def test_an_initializer_given_twice_draws_twice():
    same = keras.initializers.RandomNormal()
    layers = [units.NALU(2, same, w_hat_initializer=same, m_hat_initializer=same) for _ in "ab"]
    for layer in layers:
        layer.build((None, 3))
    drawn = [v.numpy().tobytes() for layer in layers for v in layer.weights]
    assert len(set(drawn)) == 6


def test_nalu_s_initial_gate_is_glorot_uniform():
    layer = units.NALU(200)
    layer.build((None, 300))
    r = (6 / (300 + 200)) ** 0.5
    assert 0.99 * r < np.abs(layer.g.numpy()).max() <= r


@pytest.mark.parametrize(("fan_in", "fan_out"), [(2, 1), (20, 10), (300, 200)])
def test_nau_s_initial_weights(fan_in, fan_out):
    layer = units.NAU(fan_out)
    layer.build((None, fan_in))
    r = min(0.5, (6 / (fan_in + fan_out)) ** 0.5)
    bounds = nau_uniform(fan_in, fan_out).get_config()
    assert (bounds["minval"], bounds["maxval"]) == (-r, r)
    assert np.abs(layer.w.numpy()).max() <= r


def test_nmu_s_initial_weights():
    layer = units.NMU(200)
    layer.build((None, 300))
    w = layer.w.numpy()
    assert 0.25 <= w.min() < 0.251
    assert 0.749 < w.max() <= 0.75


def test_linear_s_initial_bias_is_zero():
    layer = units.Linear(2)
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.b.numpy(), [0, 0])


def test_a_bias_begins_where_its_initializer_says():
    layer = units.ReLU6(2, b_initializer=keras.initializers.Constant(3.0))
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.b.numpy(), [3, 3])
    again = units.ReLU6.from_config(layer.get_config())
    again.build((None, 3))
    np.testing.assert_array_equal(again.b.numpy(), [3, 3])


def test_linear_without_a_bias_is_a_weighted_sum():
    layer = built(partial(units.Linear, bias=False), w=[[1.0, 2.0], [3.0, -0.5]])
    np.testing.assert_array_equal(outputs(layer, [[2.0, 4.0]]), [[14.0, 2.0]])
    again = units.Linear.from_config(layer.get_config())
    assert again.bias is False and again.facts().solutions.keys() == layer.facts().solutions.keys()
    with pytest.raises(ValueError, match="Linear: bias must be one of"):
        units.Linear(2, bias=3)


# Penalties


def test_sparsity_is_the_mean_distance_to_whole_weights():
    layer = built(units.NAU, w=[[-1.0, 0.25], [0.9, -0.6]])
    assert array(layer.penalties()["sparsity"]) == pytest.approx((0 + 0.25 + 0.1 + 0.4) / 4)
    layer = built(units.NMU, w=[[1.0, 0.25], [0.9, 0.4]])
    assert array(layer.penalties()["sparsity"]) == pytest.approx((0 + 0.25 + 0.1 + 0.4) / 4)


# Exact solutions, in float32 as users have them

A, B = 3.7, 2.3
BIG = 20.0  # sigmoid(20) is 1 to 9 digits
PLUS, MINUS, HALF = (BIG, BIG), (-BIG, BIG), (BIG, 0.0)  # (w_hat, m_hat) of 1, -1 and 1/2


OPEN, SHUT = (BIG,), (-BIG,)  # the gate's weight: all sum, all product


@pytest.mark.parametrize(
    ("cls", "weights", "x", "exact"),
    [
        (units.NAC, [PLUS, PLUS], [A, B], A + B),
        (units.NAC, [PLUS, MINUS], [A, B], A - B),
        (units.NAU, [(1,), (1,)], [A, B], A + B),
        (units.NAU, [(1,), (-1,)], [A, B], A - B),
        (units.NALU, [PLUS + OPEN, PLUS + OPEN], [A, B], A + B),
        (units.NALU, [PLUS + OPEN, MINUS + OPEN], [A, B], A - B),
        (units.NALU, [PLUS + SHUT, PLUS + SHUT], [A, B], A * B),
        (units.NALU, [PLUS + SHUT, MINUS + SHUT], [A, B], A / B),
        (units.NACMul, [PLUS, PLUS], [A, B], A * B),
        (units.NACMul, [PLUS, PLUS], [A, -B], A * B),  # signs are lost
        (units.NACMul, [PLUS, MINUS], [A, B], A / B),
        (units.NACMul, [PLUS, PLUS], [A, A], A**2),
        (units.NACMul, [HALF], [A], A**0.5),
        (units.NMU, [(1,), (1,)], [A, B], A * B),
        (units.NMU, [(1,), (1,)], [A, -B], -A * B),
        (units.NMU, [(1,), (1,)], [-A, -B], A * B),
        (units.NMU, [(1,), (0,)], [-A, B], -A),
        (units.NMU, [(1,), (1,)], [A, A], A**2),
    ],
)
def test_exact_solution(cls, weights, x, exact):
    """`weights` has a row for each input: its entry in each of the unit's matrices."""
    columns = [np.reshape(column, (-1, 1)) for column in zip(*weights, strict=True)]
    layer = cls(1)
    layer.build((None, len(x)))
    layer.set_weights(columns)
    assert outputs(layer, [x]).item() == pytest.approx(exact, rel=1e-5)


# Properties

numbers = st.floats(-10, 10)
rows = st.lists(numbers, min_size=3, max_size=3)
columns = st.lists(rows, min_size=2, max_size=2)


def matrix(values: list[list[float]]) -> np.ndarray:
    return np.transpose(values)


@given(rows, st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=2))
def test_nmu_with_whole_weights_multiplies_the_selected(x, chosen):
    y = [np.prod([value for value, picked in zip(x, c, strict=True) if picked]) for c in chosen]
    layer = built(units.NMU, w=matrix(chosen).astype(float))
    np.testing.assert_allclose(outputs(layer, [x]), [y], rtol=RTOL, atol=1e-30)  # may underflow


@given(columns, rows, rows, numbers, numbers)
def test_nau_is_linear(w, x, z, a, b):
    layer = built(units.NAU, w=matrix(w))
    x, z = np.array([x]), np.array([z])
    whole = outputs(layer, a * x + b * z)
    parts = a * outputs(layer, x) + b * outputs(layer, z)
    np.testing.assert_allclose(whole, parts, rtol=1e3 * RTOL, atol=1e3 * RTOL)


@given(columns, columns, rows)
def test_nac_mul_is_positive_and_blind_to_signs(w_hat, m_hat, x):
    layer = built(units.NACMul, w_hat=matrix(w_hat), m_hat=matrix(m_hat))
    y = outputs(layer, [x])
    assert (y > 0).all()
    np.testing.assert_array_equal(outputs(layer, -np.array([x])), y)


@given(rows)
def test_nalu_s_gate_is_even_at_zero_and_depends_on_the_input(g):
    """Without a bias the gate is 1/2 where the input is 0, whatever its weights."""
    zero = built(units.NALU, w_hat=np.zeros((3, 1)), m_hat=np.zeros((3, 1)), g=matrix([g]))
    # W = 0: the sum is 0 and the product 1, so the output is 1 - gate.
    np.testing.assert_allclose(outputs(zero, np.zeros((1, 3))), [[0.5]], rtol=RTOL)
    x = np.eye(3)
    np.testing.assert_allclose(outputs(zero, x)[:, 0], 1 - sigmoid(g), rtol=1e3 * RTOL)


# Sparsity in Keras' own fit


@pytest.mark.parametrize(("unit", "signed"), [(units.NAU, True), (units.NMU, False)])
def test_sparsity_adds_the_penalty_to_keras_loss_and_not_to_the_trainer_s(unit, signed):
    w = np.array([[0.25, -0.5], [0.9, 1.0]])
    plain, sparse = with_weights(unit(2), w=w), with_weights(unit(2, sparsity=0.5), w=w)
    assert plain.losses == []
    (loss,) = sparse.losses
    penalty = float(array(sparse.penalties()["sparsity"]))
    assert float(array(loss)) == pytest.approx(0.5 * penalty)
    assert penalty == pytest.approx(float(array(plain.penalties()["sparsity"])))  # its ramp's
    assert penalty == pytest.approx((0.25 + 0.5 + 0.1) / 4)
    assert type(sparse).from_config(sparse.get_config()).sparsity == 0.5
    with pytest.raises(ValueError, match="sparsity must be positive"):
        unit(2, sparsity=-1.0)
