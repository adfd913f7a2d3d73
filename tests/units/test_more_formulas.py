"""The successors of NALU against their papers' equations, written out here once more in NumPy."""

import math
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import ArrayLike

from nalu_seq import units
from nalu_seq.units.base import noise_source
from nalu_seq.units.nmu import product
from tests.units.layers import PRECISE, RTOL, array, with_gradients
from tests.units.layers import with_weights as built

EPS = 1e-7
X = np.array([[2.0, 3.0], [-1.5, 0.5], [0.25, -4.0], [-3.0, -0.5]])
W1 = np.array([[0.3, -1.2], [2.0, 0.1]])
W2 = np.array([[-0.4, 0.8], [1.5, -2.0]])
W3 = np.array([[0.7, -0.2], [-0.5, 1.1]])
W4 = np.array([[1.3, 0.2], [0.6, -0.9]])
IN_0_1 = np.array([[0.25, 1.0], [0.5, 0.125]])
VECTOR = np.array([0.4, -1.3])


def sigmoid(x: ArrayLike) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x)))


def nac(w_hat: np.ndarray, m_hat: np.ndarray) -> np.ndarray:
    return np.tanh(w_hat) * sigmoid(m_hat)


def gated(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """prod_i (w_i x_i + 1 - w_i), as two loops."""
    y = np.ones((len(x), w.shape[1]))
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y[:, j] *= w[i, j] * x[:, i] + 1 - w[i, j]
    return y


def outputs(layer: units.Unit, x: ArrayLike, **kwargs: Any) -> np.ndarray:
    return array(layer(np.asarray(x, layer.compute_dtype), **kwargs))


def assert_outputs(layer: units.Unit, y: ArrayLike, **kwargs: Any) -> None:
    np.testing.assert_allclose(outputs(layer, X, **kwargs), y, rtol=RTOL, atol=RTOL / 100)


# NACMul and NALU by argument


def test_nac_mul_sigmoid():
    layer = built(units.NACMul(2, weights="sigmoid", dtype=PRECISE), w_hat=W1)
    assert_outputs(layer, np.exp(np.log(np.abs(X) + EPS) @ sigmoid(W1)))
    assert layer.penalties() == {}


def test_nac_mul_nmu():
    layer = built(units.NACMul(2, weights="nmu", dtype=PRECISE), w=IN_0_1)
    assert_outputs(layer, np.exp(np.log(np.abs(X) + EPS) @ IN_0_1))
    assert array(layer.penalties()["sparsity"]) == pytest.approx((0.25 + 0 + 0.5 + 0.125) / 4)
    wild = built(units.NACMul(2, weights="nmu", dtype=PRECISE), w=W1)
    assert_outputs(wild, np.exp(np.log(np.abs(X) + EPS) @ np.clip(W1, 0, 1)))


def test_nac_mul_sigmoid_s_initial_weights_are_glorot_normal():
    layer = units.NACMul(200, weights="sigmoid")
    layer.build((None, 300))
    assert layer.w_hat.numpy().var() == pytest.approx(2 / 500, rel=0.05)


def test_nac_mul_nmu_s_initial_weights():
    layer = units.NACMul(200, weights="nmu")
    layer.build((None, 300))
    assert 0.25 <= layer.w.numpy().min() < 0.251 < 0.749 < layer.w.numpy().max() <= 0.75


def test_nalu_with_separate_weights():
    layer = units.NALU(2, tied=False, dtype=PRECISE)
    built(layer, w_hat=W1, m_hat=W2, g=W3, w_hat_m=W4, m_hat_m=W1)
    g = sigmoid(X @ W3)
    m = np.exp(np.log(np.abs(X) + EPS) @ nac(W4, W1))
    assert_outputs(layer, g * (X @ nac(W1, W2)) + (1 - g) * m)


def test_nalu_with_a_gate_of_its_own():
    layer = units.NALU(2, gate="independent", dtype=PRECISE)
    built(layer, w_hat=W1, m_hat=W2, g=VECTOR)
    g, w = sigmoid(VECTOR), nac(W1, W2)
    assert_outputs(layer, g * (X @ w) + (1 - g) * np.exp(np.log(np.abs(X) + EPS) @ w))


@pytest.mark.parametrize("config", [{}, {"config": {"clip": False}}])
def test_nalu_with_another_multiplier(config, tmp_path):
    inside = {"class_name": "NMU", **config}
    layer = units.NALU(2, tied=False, multiplier=inside, dtype=PRECISE)
    built(layer, w_hat=W1, m_hat=W2, g=W3, w=IN_0_1)
    g = sigmoid(X @ W3)
    y = g * (X @ nac(W1, W2)) + (1 - g) * gated(X, IN_0_1)
    assert_outputs(layer, y)
    assert set(layer.penalties()) == {"inalu", "sparsity", *(["out_of_bounds"] if config else [])}
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    model = keras.Sequential([keras.Input((2,), dtype=PRECISE), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(loaded(X)), array(model(X)))


def test_nalu_takes_a_unit_for_its_multiplier():
    inside = units.NMU(2, w_initializer="ones", dtype=PRECISE)
    layer = units.NALU(2, tied=False, multiplier=inside, dtype=PRECISE, g_initializer="zeros")
    layer.build((None, 2))
    w = nac(layer.w_hat.numpy(), layer.m_hat.numpy())
    assert_outputs(layer, 0.5 * (X @ w) + 0.5 * X[:, :1] * X[:, 1:])


def test_nalu_s_untied_weights_are_drawn_four_times():
    layer = units.NALU(2, tied=False)
    layer.build((None, 3))
    assert len({v.numpy().tobytes() for v in layer.weights if v.name != "g"}) == 4


def test_gnalu():
    phi = (1 + 5**0.5) / 2
    tanh_phi = (phi ** (2 * W1) - 1) / (phi ** (2 * W1) + 1)
    w = tanh_phi / (1 + phi**-W2)
    g = 1 / (1 + phi ** -(X @ W3))
    m = phi ** ((np.log(np.abs(X) + EPS) / np.log(phi)) @ w)
    layer = built(units.GNALU(2, dtype=PRECISE), w_hat=W1, m_hat=W2, g=W3)
    assert_outputs(layer, g * (X @ w) + (1 - g) * m)


# iNALU


def test_inalu():
    layer = units.INALU(2, dtype=PRECISE)
    built(layer, w_hat_a=W1, m_hat_a=W2, w_hat_m=4 * W3, m_hat_m=4 * W4, g=VECTOR)
    w_a, w_m, g = nac(W1, W2), nac(4 * W3, 4 * W4), sigmoid(VECTOR)
    m = np.exp(np.log(np.abs(X)) @ w_m)
    s = gated(np.sign(X), np.abs(w_m))
    assert (s < 0).any()
    assert_outputs(layer, g * (X @ w_a) + (1 - g) * m * s)


def test_inalu_with_shared_weights():
    layer = built(units.INALU(2, tied=True, dtype=PRECISE), w_hat=W1, m_hat=W2, g=VECTOR)
    w, g = nac(W1, W2), sigmoid(VECTOR)
    m = np.exp(np.log(np.abs(X)) @ w) * gated(np.sign(X), np.abs(w))
    assert_outputs(layer, g * (X @ w) + (1 - g) * m)


def test_inalu_clips_both_ends_of_the_logarithm():
    layer = units.INALU(1, dtype=PRECISE)
    one, shut = np.full((2, 1), 50.0), [-50.0]  # W = 1, g = 0
    built(layer, w_hat_a=one, m_hat_a=one, w_hat_m=one, m_hat_m=one, g=shut)
    y = outputs(layer, [[1e9, 1e9], [1e-9, -2.0], [1e-9, 0.0]])
    np.testing.assert_allclose(y[:, 0], [np.exp(20), -2e-7, 0], rtol=1e3 * RTOL, atol=1e-12)


def test_inalu_s_initial_values():
    layer = units.INALU(200)
    layer.build((None, 300))
    means = {"w_hat_a": 1, "m_hat_a": -1, "w_hat_m": 1, "m_hat_m": -1, "g": 0}
    for variable in layer.weights:
        assert variable.numpy().mean() == pytest.approx(means[variable.name], abs=0.03)
        assert variable.numpy().std() == pytest.approx(0.1, rel=0.2)
    assert len({v.numpy().tobytes() for v in layer.weights}) == 5


def test_inalu_s_penalty():
    layer = units.INALU(2)
    built(layer, w_hat_a=W1, m_hat_a=W2, w_hat_m=W3, m_hat_m=W4, g=[25.0, -5.0])
    means = [np.mean(20 - np.abs(w)) for w in (W1, W2, W3, W4)]
    expected = 0.05 * (sum(means) + (0 + 15) / 2)  # 25 is beyond 20
    assert array(layer.penalties()["inalu"]) == pytest.approx(expected, rel=1e-6)


def test_nalu_has_inalu_s_penalty_too():
    layer = units.NALU(2)
    built(layer, w_hat=W1, m_hat=W2, g=W3)
    expected = 0.05 * sum(np.mean(20 - np.abs(w)) for w in (W1, W2, W3))
    assert array(layer.penalties()["inalu"]) == pytest.approx(expected, rel=1e-6)


# Powers and reciprocals

NPU_EPS = np.finfo(np.float32).eps
G = np.array([0.75, 1.5])  # the second counts as 1


def npu(w_r: np.ndarray, w_i: np.ndarray) -> np.ndarray:
    """The real part of prod_i r_i^w, by NumPy's complex numbers."""
    g = np.clip(G, 0, 1)
    r = g * (np.abs(X) + NPU_EPS) + 1 - g
    k = g * np.where(X < 0, np.pi, 0)
    return np.exp((np.log(r) + 1j * k) @ (w_r + 1j * w_i)).real


def test_real_npu():
    assert_outputs(built(units.RealNPU(2, dtype=PRECISE), w_r=W1, g=G), npu(W1, 0 * W1))


def test_npu():
    assert_outputs(built(units.NPU(2, dtype=PRECISE), w_r=W1, g=G, w_i=W3), npu(W1, W3))


def test_npu_s_penalty_and_initial_values():
    layer = units.NPU(2)
    built(layer, w_r=[[1.0, -2.0], [0.0, 3.0]], g=[0.5, -0.5], w_i=[[1.0, 0.0], [0.0, -1.0]])
    assert array(layer.penalties()["l1"]) == pytest.approx(6 + 1 + 2)
    layer = units.NPU(200)
    layer.build((None, 300))
    assert 0.99 * (6 / 500) ** 0.5 < np.abs(layer.w_r.numpy()).max() <= (6 / 500) ** 0.5
    assert (layer.g.numpy() == 0.5).all()
    assert (layer.w_i.numpy() == 0).all()


def test_npu_s_clip():
    model = keras.Sequential([keras.Input((2,)), units.NPU(1, clip=True)])
    model.compile(keras.optimizers.SGD(100.0), "mse")
    model.fit(np.array([[2.0, 3.0], [-1.0, 5.0]]), np.array([[90.0]] * 2), epochs=1, verbose=0)
    w_r, g, w_i = model.get_weights()
    assert np.abs(w_r).max() == 1 and np.abs(w_i).max() == 1
    assert g.min() >= 0 and g.max() <= 1


NRU_W = np.array([[1.0, -0.5], [-1.0, 0.001]])


@pytest.mark.parametrize("training", [False, True])
def test_nru(training):
    a = np.tanh(1000 * NRU_W) ** 2 if training else np.abs(NRU_W)
    x = X[:, :, None]
    y = np.prod(np.sign(x) * np.abs(x) ** NRU_W * a + 1 - a, axis=1)
    layer = built(units.NRU(2, dtype=PRECISE), w=NRU_W)
    assert_outputs(layer, y, training=training)


@pytest.mark.parametrize("training", [False, True])
def test_nmru(training):
    w = np.concatenate([IN_0_1, IN_0_1[::-1]])
    u = np.concatenate([X, 1 / (X + (NPU_EPS if training else 0))], axis=1)
    y = gated(np.abs(u), w) * np.cos(np.where(u < 0, np.pi, 0) @ w)
    layer = built(units.NMRU(2, dtype=PRECISE), w=w)
    assert_outputs(layer, y, training=training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cls", [units.NRU, units.NMRU])
def test_reciprocals_and_gradients_are_finite_at_zero(cls, training):
    layer = cls(2)
    layer.build((None, 2))
    x = np.array([[0.0, 0.0], [0.0, 2.0], [1e-30, -1e-30]], "float32")
    y, gradients = with_gradients(lambda x: layer(x, training=training), x, [layer.w])
    assert all(np.isfinite(a).all() for a in (y, *gradients))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100, 101])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_product_s_gradient_is_the_product_of_the_others(count, zeros):
    factors = np.random.default_rng(count).uniform(-2, 2, (3, count))
    factors[:, :zeros] = 0
    y, (gradient,) = with_gradients(lambda z: product(z)[:, None], factors, [])
    np.testing.assert_allclose(y[:, 0], np.prod(factors, axis=1), rtol=RTOL)
    others = [np.prod(np.delete(factors, i, axis=1), axis=1) for i in range(count)]
    np.testing.assert_allclose(gradient, np.transpose(others), rtol=RTOL)


def test_gated_nau_nmu():
    layer = built(units.GatedNAUNMU(2, dtype=PRECISE), w_a=W1, w_m=IN_0_1, g=W3)
    g = sigmoid(X @ W3)
    assert_outputs(layer, g * (X @ np.clip(W1, -1, 1)) + (1 - g) * gated(X, IN_0_1))
    of_a = np.mean([0.3, 0.2, 1.0, 0.1])
    of_m = np.mean([0.25, 0, 0.5, 0.125])
    assert array(layer.penalties()["sparsity"]) == pytest.approx(of_a + of_m)


def test_snmu():
    layer = built(units.SNMU(2, dtype=PRECISE), w=IN_0_1)
    assert_outputs(layer, gated(X, IN_0_1))
    assert_outputs(layer, gated(X, IN_0_1), training=True)
    noise = np.random.default_rng(0).uniform(1, 5, X.shape)
    y = gated(X * noise, IN_0_1) / gated(noise, IN_0_1)
    assert np.abs(y - gated(X, IN_0_1)).max() > 0.1
    assert_outputs(layer, y, noise=noise)


def test_snmu_s_noise_reaches_5_or_as_far_as_the_input_says():
    for high, width in ((5.0, 4.0), (None, 1 / np.std(X))):
        layer = built(units.SNMU(2, high=high, dtype=PRECISE), w=IN_0_1)
        uniform = np.random.default_rng(0).uniform(0, 1, X.shape)
        noise = 1 + width * uniform
        with noise_source(lambda shape, draws=uniform: draws.reshape(shape)):
            assert_outputs(layer, gated(X * noise, IN_0_1) / gated(noise, IN_0_1))


@pytest.mark.parametrize("high", [1.0, 0.5, -1, "5", True])
def test_snmu_s_noise_must_reach_above_1(high):
    with pytest.raises(ValueError, match="SNMU: high"):
        units.SNMU(2, high=high)


def test_snmu_s_noise_cancels_where_weights_are_whole():
    layer = built(units.SNMU(2, dtype=PRECISE), w=[[1.0, 0.0], [1.0, 1.0]])
    noise = np.random.default_rng(0).uniform(1, 5, X.shape)
    assert_outputs(layer, np.stack([X[:, 0] * X[:, 1], X[:, 1]], axis=1), noise=noise)


# Mixed domains


def dmu(x: np.ndarray, norm: np.ndarray, g: np.ndarray, o: np.ndarray) -> np.ndarray:
    """A gate by the normalised input n, and selectors o `[batch, in, units]`, as loops."""
    y = np.zeros((len(x), g.shape[1]))
    for row, n, out, select in zip(x, norm, y, o, strict=True):
        for j in range(g.shape[1]):
            gate = sigmoid(n @ g[:, j] + VECTOR[j])
            linear, power = select[:, j] @ row, np.prod(np.abs(row) ** select[:, j])
            turns = np.abs(select[:, j]) @ (row < 0)
            size = gate * np.sqrt(linear**2 + 1e-8) + (1 - gate) * power
            out[j] = size * (gate * np.tanh(1e4 * linear) + (1 - gate) * np.cos(np.pi * turns))
    return y


def normalised(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    return 2 * centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) + VECTOR


def test_dmu_with_a_learned_selector():
    rng = np.random.default_rng(0)
    sign, mag = (rng.uniform(-1, 1, (2, 4)) for _ in range(2))
    layer = units.DMU(2, dtype=PRECISE)
    gate = {"gain": [2.0, 2.0], "shift": VECTOR, "g": W1, "b_g": VECTOR}
    bias = {"b_sign": np.arange(4) / 4, "b_mag": np.arange(4) / 8}
    built(layer, **gate, w_sign=sign, b_sign=bias["b_sign"], w_mag=mag, b_mag=bias["b_mag"])
    n = normalised(X)
    o = np.tanh(n @ sign + bias["b_sign"]) * np.log1p(np.exp(n @ mag + bias["b_mag"]))
    assert_outputs(layer, dmu(X, n, W1, o.reshape(-1, 2, 2)))


@pytest.mark.parametrize(("selector", "o"), [("add", [1, 1]), ("sub", [1, -1])])
def test_dmu_with_a_frozen_selector(selector, o):
    layer = units.DMU(2, selector=selector, dtype=PRECISE)
    built(layer, gain=[2.0, 2.0], shift=VECTOR, g=W1, b_g=VECTOR)
    selectors = np.broadcast_to(np.array(o)[:, None], (len(X), 2, 2))
    assert_outputs(layer, dmu(X, normalised(X), W1, selectors))


@pytest.mark.parametrize(
    ("selector", "x", "y"),
    [
        ("add", [[2, 3], [-2, 3], [-2, -3]], [(5 + 6) / 2, 0, 0]),
        ("sub", [[6, 3], [-6, 2]], [(3 + 2) / 2, -(8 + 3) / 2]),
        (None, [[2, 3]], [(2 * 2 - 3 + 2**2 / 3) / 2]),  # O = (2, -1)
    ],
)
def test_dmu_half_way_between_its_domains(selector, x, y):
    layer = units.DMU(1, selector=selector, dtype=PRECISE)
    layer.build((None, 2))
    half = layer.raw_weights({"O": [[2.0], [-1.0]], "gate": [1.0]}, None)
    half[3] = np.zeros(1)  # the gate's bias
    layer.set_weights(half)
    np.testing.assert_allclose(outputs(layer, x)[:, 0], y, rtol=1e-6, atol=1e-6)


def _by_gate(gates: np.ndarray, x: list[list[float]], mean: str) -> np.ndarray:
    """The output of a DMU with the selector (1, 1) for each value of its gate."""
    layer = units.DMU(len(gates), selector="add", mean=mean, dtype=PRECISE)
    zeros = np.zeros((2, len(gates)))
    built(layer, gain=[1, 1], shift=[0, 0], g=zeros, b_g=np.log(gates / (1 - gates)))
    return outputs(layer, x)[0]


def test_dmu_mixes_the_logarithms_of_its_magnitudes():
    (y,) = _by_gate(np.array([0.25]), [[2, 3]], "geometric")
    assert y == pytest.approx(5**0.25 * 6**0.75, rel=1e-6)


def test_dmu_s_arithmetic_mean_has_a_second_minimum_where_negative_numbers_are_multiplied():
    gates = np.linspace(0.01, 0.99, 99)
    slopes = np.diff(_by_gate(gates, [[-15, -15]], "arithmetic"))
    # y = (1 - 2 G) (225 - 195 G) turns at G = 645 / 780: beyond it, a larger gate is nearer to 225.
    assert gates[1:][slopes > 0].min() == pytest.approx(645 / 780, abs=0.02)
    assert (np.diff(_by_gate(gates, [[-15, -15]], "geometric")) < 0).all()


def test_many_normalisations_leave_the_order_of_two_inputs_alone():
    x = [[1.1, 1.102], [1.1, 1.2]]
    n = {}
    for norms in (1, 11):
        layer = units.DMU(1, selector="add", norms=norms, dtype=PRECISE)
        built(layer, gain=[1, 1], shift=[0, 0], g=[[1.0], [-1.0]], b_g=[0.0])
        gate = array(layer.gate_and_selector(np.array(x), rounded=False)[0])[:, 0]
        n[norms] = np.log(gate / (1 - gate)) / 2  # the first feature; the second is its negative
    np.testing.assert_allclose(
        n[1], -np.array([1e-3, 0.05]) / np.sqrt([1.1e-5, 2.51e-3]), rtol=1e-4
    )
    np.testing.assert_allclose(n[11], [-1, -1], rtol=1e-4)


def test_dmu_s_gate_depends_on_the_order_of_its_inputs_and_is_rounded_outside_training():
    layer = built(
        units.DMU(1, selector="add", hard=True, dtype=PRECISE),
        gain=[1.0, 1.0],
        shift=[0.0, 0.0],
        g=[[0.1], [0.0]],
        b_g=[0.0],
    )
    x = [[5.0, 3.0], [3.0, 5.0]]
    np.testing.assert_allclose(outputs(layer, x)[:, 0], [8, 15], rtol=1e-6)
    gate = sigmoid([0.1, -0.1])
    np.testing.assert_allclose(
        outputs(layer, x, training=True)[:, 0], gate * 8 + (1 - gate) * 15, rtol=1e-5
    )


def test_dmu_s_learned_selector_is_rounded_too():
    layer = units.DMU(1, hard=True, dtype=PRECISE)
    layer.build((None, 2))
    layer.set_weights(layer.raw_weights({"O": [[1.4], [-0.6]], "gate": [1.0]}, None))
    np.testing.assert_allclose(outputs(layer, [[5.0, 3.0]]), [[2.0]], rtol=1e-6)
    np.testing.assert_allclose(outputs(layer, [[5.0, 3.0]], training=True), [[5.2]], rtol=1e-6)


def test_a_frozen_selector_needs_two_features():
    with pytest.raises(ValueError, match="selector='add' needs an input of two features"):
        units.DMU(1, selector="add").build((None, 1))


# Mass conservation


def softmax(r: np.ndarray) -> np.ndarray:
    return np.exp(r) / np.exp(r).sum(axis=1, keepdims=True)


W_O, B_O = np.array([[0.5, -0.75]]), np.array([0.25, 1.0])


def test_mcfc():
    layer = built(units.MCFC(2, dtype=PRECISE), r=W1, w_o=W_O, b_o=B_O)
    assert_outputs(layer, sigmoid(W_O[0] + B_O) * (X @ softmax(W1)))
    r = -(np.mean(W1**2) + np.mean(W_O**2) + np.mean(B_O**2))
    assert array(layer.penalties()["mcfc"]) == pytest.approx(r)


@pytest.mark.parametrize("sign", [None, "inalu", "real_npu"])
def test_mul_mcfc(sign):
    gate = {"g": G} if sign == "real_npu" else {}
    layer = units.MulMCFC(2, sign=sign, dtype=PRECISE)
    built(layer, r=W1, w_o=W_O, b_o=B_O, bias=VECTOR, **gate)
    r = softmax(W1)
    k = np.clip(G, 0, 1) * np.where(X < 0, np.pi, 0)
    signs = {None: 1, "inalu": gated(np.sign(X), r), "real_npu": np.cos(k @ r)}
    y = np.exp(sigmoid(W_O[0] + B_O) * (np.log(np.abs(X)) @ r) + VECTOR)
    assert_outputs(layer, y * signs[sign])
    if sign == "real_npu":
        assert array(layer.penalties()["sparsity"]) == pytest.approx((0.25 + 0.5) / 2)


def test_mul_mcfc_without_a_logarithm_below_zero():
    layer = units.MulMCFC(2, sign="undefined", dtype=PRECISE)
    built(layer, r=W1, w_o=W_O, b_o=B_O, bias=VECTOR)
    y = np.exp(sigmoid(W_O[0] + B_O) * (np.log(np.abs(X)) @ softmax(W1)) + VECTOR)
    y[(X < 0).any(axis=1)] = np.nan
    assert np.isnan(y).any() and np.isfinite(y).any()
    assert_outputs(layer, y)


def test_mcfc_s_initial_values():
    square, wide = units.MCFC(3), units.MCFC(2)
    square.build((None, 3))
    wide.build((None, 3))
    np.testing.assert_array_equal(square.r.numpy(), np.eye(3))
    np.testing.assert_allclose(wide.r.numpy().T @ wide.r.numpy(), np.eye(2), atol=1e-6)
    assert np.linalg.norm(wide.w_o.numpy()) == pytest.approx(1)
    np.testing.assert_array_equal(wide.b_o.numpy(), [0, 0])


# Without clips


@pytest.mark.parametrize(("cls", "low"), [(units.NAU, -1), (units.NMU, 0), (units.SNMU, 0)])
def test_unclipped_weights_stay_outside_and_are_penalised(cls, low):
    layer = built(cls(2, clip=False), w=[[1.5, 0.5], [low - 1.0, 1.0]])
    clamped = built(cls(2), w=[[1.0, 0.5], [low, 1.0]])
    np.testing.assert_array_equal(outputs(layer, X), outputs(clamped, X))
    assert layer.w.constraint is None
    assert array(layer.penalties()["out_of_bounds"]) == pytest.approx((0.5 + 1.0) / 4)
    assert "out_of_bounds" not in clamped.penalties()


# Bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: units.NACMul(1, weights="nau"), "weights must be one of 'nac', 'sigmoid', 'nmu'"),
        (lambda: units.NALU(1, gate="vector"), "gate must be one of 'input', 'independent'"),
        (lambda: units.NALU(1, tied="no"), "tied must be one of True, False"),
        (lambda: units.NALU(1, multiplier="nmu"), "multiplier must be 'nac_mul'"),
        (lambda: units.NALU(1, multiplier=units.NMU(1)), "with tied=False"),
        (lambda: units.NALU(1, tied=False, multiplier=units.NMU(2)), "a unit of 1 units"),
        (lambda: units.NALU(1, tied=False, multiplier={"class_name": "Q"}), "multiplier must be"),
        (lambda: units.INALU(1, omega=0), "omega must be positive"),
        (lambda: units.INALU(1, stddev=-0.1), "stddev must be positive"),
        (lambda: units.RealNPU(1, eps="small"), "eps must be positive"),
        (lambda: units.NPU(1, clip=2), "clip must be one of True, False"),
        (lambda: units.NRU(1, eps=math.nan), "eps must be positive"),
        (lambda: units.NMRU(1, eps=True), "eps must be positive"),
        (lambda: units.MulMCFC(1, sign="cos"), "sign must be one of None, 'undefined', 'inalu'"),
        (lambda: units.DMU(1, selector="mul"), "selector must be one of None, 'add', 'sub'"),
        (lambda: units.DMU(1, mean="log"), "mean must be one of 'arithmetic', 'geometric'"),
        (lambda: units.DMU(1, norms=0), "DMU: norms must be a positive integer, not 0"),
        (lambda: units.NMU(1, clip=None), "clip must be one of True, False"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
