"""The update gate RNN against its equations, written down plainly."""

import keras
import numpy as np

from nalu_seq.models.ugrnn import UGRNNCell
from tests.units.layers import array

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5


def test_it_is_what_its_equations_say() -> None:
    layer = keras.layers.RNN(UGRNNCell(UNITS), return_sequences=True)
    layer.build((BATCH, TIME, FEATURES))
    random = np.random.default_rng(0)
    weights = [random.normal(size=w.shape).astype("float32") for w in layer.get_weights()]
    layer.set_weights(weights)
    kernel, recurrent, bias, gate_bias = weights
    x = random.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    h = np.zeros((BATCH, UNITS), "float32")
    for t, y in enumerate(np.moveaxis(array(layer(x)), 1, 0)):
        both = x[:, t] @ kernel + h @ recurrent
        gate = 1 / (1 + np.exp(-(both[:, UNITS:] + gate_bias)))
        h = gate * h + (1 - gate) * np.tanh(both[:, :UNITS] + bias)
        np.testing.assert_allclose(y, h, atol=1e-5)


def test_most_of_the_state_stays_at_first() -> None:
    cell = UGRNNCell(UNITS)
    cell.build((None, FEATURES))
    h, _ = cell(np.zeros((1, FEATURES)), [np.zeros((1, UNITS))])
    assert not array(h).any()
    np.testing.assert_array_equal(array(cell.gate_bias), 1)
    np.testing.assert_array_equal(array(cell.bias), 0)


def test_it_is_made_anew_from_its_config() -> None:
    layer = keras.layers.RNN(UGRNNCell(UNITS))
    again = keras.layers.RNN.from_config(layer.get_config())
    assert again.cell.units == UNITS
