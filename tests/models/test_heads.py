"""Heads: padding adds nothing, sums outgrow 16 bits, states come in any wrapping."""

import keras
import numpy as np
import pytest

from nalu_seq.models.carry_cell import CarryCell
from nalu_seq.models.heads import Accumulate, AffineCell, UnitCell
from nalu_seq.units import NAU, NMU, GatedNAUNMU, Linear

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 3)).astype(np.float32)
X[1, 3:] = 0


def masked(layer: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((None, 3))
    hidden = keras.layers.LSTM(4, return_sequences=True)(keras.layers.Masking()(inputs))
    return keras.Model(inputs, layer(hidden))


def of_cell(layer: keras.layers.Layer) -> keras.layers.RNN:
    return keras.layers.RNN(layer, return_sequences=True)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Accumulate(NAU(2)),
        lambda: Accumulate(NMU(2), "product"),
        lambda: of_cell(UnitCell(NAU(2))),
        lambda: of_cell(AffineCell(NAU(2))),
        lambda: of_cell(CarryCell(NAU(2))),
    ],
    ids=["sum", "product", "cell", "affine", "carry"],
)
def test_a_masked_step_adds_nothing(layer):
    model = masked(layer())
    padded = model(X)
    np.testing.assert_allclose(padded[1, -1], model(X[1:, :3])[0, -1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(padded._keras_mask, X.any(axis=-1))


def test_a_masked_state_is_that_of_the_last_step_before():
    model = masked(Accumulate(NAU(2), return_state=True))
    (_, state), (y, _) = model(X), model(X[1:, :3])
    np.testing.assert_allclose(state[1], y[0, -1], rtol=1e-5, atol=1e-6)


def test_a_mask_passes_through_a_unit():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, NAU(1)(keras.layers.Masking()(inputs)))
    model.compile("sgd", "mse")
    x = np.where(np.arange(6)[None, :, None] < 3, 1, 0) * np.abs(X) + 0.0
    targets = np.where(np.arange(6) < 3, 1.0, 1000.0)[None, :, None].repeat(2, 0)
    assert model.evaluate(x, targets, verbose=0) < 1000


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda policy: Accumulate(NAU(1, dtype=policy), dtype=policy),
        lambda policy: of_cell(UnitCell(NAU(1, dtype=policy), dtype=policy)),
    ],
    ids=["accumulate", "cell"],
)
def test_sums_outgrow_16_bits(policy, layer):
    layer, ones = layer(policy), np.ones((1, 3000, 1), np.float32)
    layer.build(ones.shape)
    for variable in layer.weights:
        variable.assign(np.ones(variable.shape))
    assert float(keras.ops.cast(layer(ones)[0, -1, 0], "float32")) == 3000


def test_all_that_is_inside_a_cell_computes_in_float32():
    unit = GatedNAUNMU(2, dtype="mixed_bfloat16")
    for kind in (UnitCell, CarryCell):
        cell = kind(unit, dtype="mixed_bfloat16")
        assert {layer.compute_dtype for layer in cell._flatten_layers()} == {"float32"}


def test_a_state_comes_alone_in_a_list_or_in_a_tuple():
    layer = Accumulate(NAU(2), return_state=True)
    _, state = layer(X)
    alone, listed, tupled = (layer(X, initial_state=s)[0] for s in (state, [state], (state,)))
    np.testing.assert_array_equal(alone, listed)
    np.testing.assert_array_equal(alone, tupled)


@pytest.mark.parametrize("head", [Accumulate, UnitCell])
def test_a_config_can_be_used_twice(head):
    config = head(NAU(2)).get_config()
    assert [head.from_config(config).get_config()["unit"] for _ in range(2)]


def test_it_accumulates_in_both_directions():
    layer = keras.layers.Bidirectional(Accumulate(NAU(2)))
    y = layer(X)
    assert tuple(y.shape) == (2, 6, 4)
    backward = layer.backward_layer.unit(X)
    np.testing.assert_allclose(y[:, 0, 2:], keras.ops.sum(backward, axis=1), rtol=1e-5, atol=1e-6)


def test_an_affine_cell_begins_as_the_running_sum():
    layer, total = of_cell(AffineCell(NAU(2))), Accumulate(NAU(2))
    layer.build(X.shape)
    total.build(X.shape)
    total.unit.w.assign(layer.cell.unit.w)
    np.testing.assert_allclose(layer(X), total(X), rtol=1e-5, atol=1e-6)


def test_an_affine_cell_multiplies_what_came_before():
    three, hundred, four = np.eye(3, dtype=np.float32)
    layer = of_cell(AffineCell(Linear(1)))
    layer.build((None, 4, 3))
    layer.cell.unit.w.assign([[3.0], [0.0], [4.0]])
    layer.cell.factors.assign([[0.0], [np.log(100.0)], [0.0]])
    empty = np.zeros(3, np.float32)
    y = layer(np.stack([three, hundred, four, empty])[None])
    np.testing.assert_allclose(np.ravel(y), [3, 300, 304, 304], rtol=1e-5)
