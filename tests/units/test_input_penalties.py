"""R_z, and the mean inputs that it is made of."""

import contextlib
import threading

import keras
import numpy as np
import pytest

from nalu_seq import units
from nalu_seq.models.heads import Accumulate, UnitCell
from nalu_seq.units.base import mean_inputs
from tests.units.layers import IN, OUT, array, built, each_option, inputs, with_gradients

X = np.array([[2.0, 3.0], [-1.0, 4.0]])  # means 0.5 and 3.5
HAS_R_Z = {"nac", "nac_mul_nmu", "nau", "nmu", "nmu_heim", "snmu"}


def unit_with(cls: type[units.Unit], w: list[list[float]], **kwargs: str) -> units.Unit:
    layer = cls(len(w[0]), w_initializer=keras.initializers.Constant(w), **kwargs)
    layer.build((None, len(w)))
    return layer


def r_z(layer: units.Unit, mean_input: list[float]) -> float:
    mean = keras.ops.convert_to_tensor(mean_input, "float32")
    return float(array(layer.input_penalties(mean)["r_z"]))


def mean_input(layer: keras.Layer, unit: units.Unit, *xs: np.ndarray) -> np.ndarray:
    with mean_inputs() as seen:
        for x in xs:
            layer(keras.ops.convert_to_tensor(x, "float32"))
    return array(seen[unit])


# The equations


def test_r_z_of_a_product_wants_ignored_inputs_to_be_1():
    layer = unit_with(units.NMU, [[0.25, 1.0], [0.5, 0.0]])
    # (1 - W) (1 - z)^2, entry by entry
    assert r_z(layer, [3.0, 0.5]) == pytest.approx((0.75 * 4 + 0 * 4 + 0.5 * 0.25 + 1 * 0.25) / 4)
    assert r_z(layer, [1.0, 1.0]) == 0
    whole = unit_with(units.NMU, [[1.0], [1.0]])
    assert r_z(whole, [3.0, 0.5]) == 0


def test_r_z_of_a_sum_wants_ignored_inputs_to_be_0():
    layer = unit_with(units.NAU, [[0.25, -1.0], [-0.5, 0.0]])
    # (1 - |W|) z^2
    assert r_z(layer, [2.0, -3.0]) == pytest.approx((0.75 * 4 + 0 * 4 + 0.5 * 9 + 1 * 9) / 4)
    assert r_z(layer, [0.0, 0.0]) == 0


def test_r_z_of_nac_is_that_of_its_effective_weights():
    w_hat, m_hat = np.array([[0.3, -1.2], [2.0, 0.1]]), np.array([[-0.4, 0.8], [1.5, -2.0]])
    layer = units.NAC(2)
    layer.build((None, 2))
    layer.set_weights([w_hat, m_hat])
    w = np.tanh(w_hat) / (1 + np.exp(-m_hat))
    expected = np.mean((1 - np.abs(w)) * np.array([[4.0], [9.0]]))
    assert r_z(layer, [2.0, -3.0]) == pytest.approx(expected, rel=1e-6)


def test_weights_count_as_they_are_applied():
    wild, clamped = [[-3.0, 7.0], [0.5, 1.0]], [[0.0, 1.0], [0.5, 1.0]]
    assert r_z(unit_with(units.NMU, wild), [2.0, 3.0]) == r_z(
        unit_with(units.NMU, clamped), [2.0, 3.0]
    )


# NAC* with NMU's weights: the source's recurrent cell is given logarithms.
def test_nac_mul_is_seen_in_logarithms():
    layer = unit_with(units.NACMul, [[0.25], [0.5]], weights="nmu")
    z = np.mean(np.log(np.abs(X) + 1e-7), axis=0)
    np.testing.assert_allclose(mean_input(layer, layer, X), z, rtol=1e-6)
    expected = np.mean(np.array([0.75, 0.5]) * (1 - z) ** 2)
    assert r_z(layer, list(z)) == pytest.approx(expected, rel=1e-6)


@each_option
def test_who_has_input_penalties(option):
    layer = built(option)
    penalties = layer.input_penalties(mean_input(layer, layer, inputs(4, IN)))
    assert set(penalties) == ({"r_z"} if option in HAS_R_Z else set())
    assert all(np.isfinite(array(value)) for value in penalties.values())


def test_a_unit_inside_another_is_seen_too():
    layer = units.NALU(2, tied=False, multiplier={"class_name": "NMU"})
    with mean_inputs() as seen:
        layer(X)
    assert set(seen) == {layer, layer.multiplier}
    np.testing.assert_allclose(array(seen[layer.multiplier]), [0.5, 3.5])


# Mean inputs


@each_option
@pytest.mark.parametrize("shape", [(4, IN), (4, 5, IN), (2, 4, 5, IN)])
def test_mean_is_over_all_axes_but_the_last(option, shape):
    layer, x = built(option), inputs(*shape)
    seen_as = np.log(np.abs(x) + 1e-7) if isinstance(layer, units.NACMul) else x
    mean = mean_input(layer, layer, x)
    np.testing.assert_allclose(mean, np.mean(seen_as.reshape(-1, IN), axis=0), rtol=1e-4)


def test_mean_is_over_calls_too():
    layer = units.NMU(1)
    np.testing.assert_allclose(mean_input(layer, layer, X, X + 1, X + 5), [2.5, 5.5])


def test_mean_of_an_unrolled_cell_includes_its_state():
    unit = unit_with(units.NMU, [[0.5], [0.5]])  # y = (0.5 x + 0.5) (0.5 h + 0.5), from h = 1
    layer = keras.layers.RNN(UnitCell(unit, initial_state=1.0), unroll=True)
    # States before each step: 1, 1.5, 3.125 and 1, 2.5, 0.875.
    mean = mean_input(layer, unit, [[[2.0], [4.0], [1.0]], [[4.0], [0.0], [3.0]]])
    np.testing.assert_allclose(mean, [14 / 6, 10 / 6], rtol=1e-6)
    assert r_z(unit, list(mean)) == pytest.approx(0.5 * ((8 / 6) ** 2 + (4 / 6) ** 2) / 2)


def test_functional_model_and_accumulator_are_seen():
    unit = units.NAU(OUT)
    x = keras.Input((5, IN))
    model = keras.Model(x, Accumulate(unit)(x))
    data = inputs(4, 5, IN)
    np.testing.assert_allclose(mean_input(model, unit, data), data.mean((0, 1)), rtol=1e-5)


def test_gradients_reach_the_input():
    unit = unit_with(units.NMU, [[0.25, 0.5], [0.75, 0.25]])

    def penalty(x: keras.KerasTensor) -> keras.KerasTensor:
        with mean_inputs() as seen:
            unit(x)
        return keras.ops.reshape(unit.input_penalties(seen[unit])["r_z"], (1,))

    value, (of_x, of_w) = with_gradients(penalty, X.astype("float32"), [unit.w])
    # z = (0.5, 3.5). An example's share of z is 1/2, an entry's share of R_z 1/4.
    np.testing.assert_allclose(value, [(1.25 * 0.25 + 1 * 6.25) / 4])
    rows = [[1.25 * 2 * -0.5 / 8, 1 * 2 * 2.5 / 8]] * 2
    np.testing.assert_allclose(of_x, rows, rtol=1e-6)
    np.testing.assert_allclose(of_w, [[-0.25 / 4] * 2, [-6.25 / 4] * 2], rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_mean_is_taken_in_float32(policy):
    layer = unit_with(units.NMU, [[0.5]], dtype=policy)
    mean = mean_input(layer, layer, np.full((4096, 1), 256.0))  # the sum is 2^20, beyond float16
    assert mean == [256]
    assert mean.dtype == "float32"
    assert r_z(layer, list(mean)) == 0.5 * 255**2


# |W| would leave it there.
def test_a_weight_of_0_is_pushed_up_where_its_input_is_not_1():
    unit = unit_with(units.NMU, [[0.0]])

    def penalty(x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.reshape(unit.input_penalties(x)["r_z"], (1,))

    _, (_, of_w) = with_gradients(penalty, np.array([3.0], "float32"), [unit.w])
    assert of_w < 0


# When it looks


@pytest.mark.parametrize("error", [None, KeyError])
def test_nothing_is_looked_at_outside(error, monkeypatch):
    layer = units.NMU(1)
    with contextlib.suppress(KeyError), mean_inputs():
        layer(X)
        if error:
            raise error
    monkeypatch.setattr(units.NMU, "weighted_input", None)  # which cannot be called
    layer(X)
    with pytest.raises(TypeError), mean_inputs():
        layer(X)


def test_another_thread_is_not_seen():
    layer = units.NMU(1)
    layer(X)
    with mean_inputs() as seen:
        thread = threading.Thread(target=layer, args=(X,))
        thread.start()
        thread.join()
    assert seen == {}


def test_output_is_the_same_while_observed():
    layer = units.NMU(2)
    y = array(layer(X))
    with mean_inputs():
        np.testing.assert_array_equal(array(layer(X)), y)
        np.testing.assert_array_equal(array(layer(x=X)), y)
