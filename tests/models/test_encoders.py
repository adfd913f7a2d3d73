"""Encoders: the activations of an MLP, and the initial values of recurrent layers."""

import re

import keras
import numpy as np
import pytest

from nalu_seq.models.encoders import MLP_ACTIVATIONS, NEEDED_KERAS, gru, lstm, mlp, rnn
from tests.units.layers import array

X = np.array([-7, -1.5, -0.3, 0, 0.05, 0.3, 1.5, 7], "float32")
SIGMOID = 1 / (1 + np.exp(-X))
SELU_SCALE, SELU_ALPHA = 1.0507, 1.67326
EXPECTED = {
    "tanh": np.tanh(X),
    "sigmoid": SIGMOID,
    "relu": np.maximum(X, 0),
    "relu6": np.clip(X, 0, 6),
    "prelu": np.maximum(X, 0),  # its slopes begin at 0
    "leaky_relu": np.where(X > 0, X, 0.2 * X),
    "elu": np.where(X > 0, X, np.exp(X) - 1),
    "selu": SELU_SCALE * np.where(X > 0, X, SELU_ALPHA * (np.exp(X) - 1)),
    "softplus": np.log1p(np.exp(X)),
    "softsign": X / (1 + np.abs(X)),
    "hard_sigmoid": np.clip(X / 6 + 0.5, 0, 1),
    "hard_tanh": np.clip(X, -1, 1),
    "tanh_shrink": X - np.tanh(X),
    "hard_shrink": np.where(np.abs(X) > 0.5, X, 0),
    "soft_shrink": np.sign(X) * np.maximum(np.abs(X) - 0.5, 0),
    "threshold": np.where(X > 0.1, X, 20),
    "linear": X,
}


def build(activation: str, units: int = len(X)) -> keras.layers.Layer:
    return mlp(units, 1, activation, unroll=False, return_state=False)


@pytest.mark.parametrize("activation", MLP_ACTIVATIONS)
def test_each_activation_is_what_its_name_says(activation: str) -> None:
    if activation != "prelu" and not hasattr(keras.activations, activation):
        pytest.skip(f"Keras {keras.__version__} has no {activation}")
    layer = build(activation)
    layer.build((1, len(X)))
    layer.layers[0].set_weights([np.eye(len(X)), np.zeros(len(X))])
    x = X[None]
    np.testing.assert_allclose(array(layer(x))[0], EXPECTED[activation], atol=1e-5)
    again = keras.Sequential.from_config(layer.get_config())
    again.build((1, len(X)))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(array(again(x)), array(layer(x)))


@pytest.mark.parametrize("activation", NEEDED_KERAS)
def test_an_older_keras_is_told_which_it_needs(activation, monkeypatch) -> None:
    monkeypatch.delattr(keras.activations, activation, raising=False)
    needed = re.escape(f"encoder.activation={activation} needs Keras {NEEDED_KERAS[activation]}")
    with pytest.raises(ValueError, match=f"^{needed} or newer, and this is Keras 3"):
        build(activation)


def test_an_activation_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"must be one of tanh, .* linear, not 'sine'$"):
        build("sine")


@pytest.mark.parametrize("make", [lstm, gru, rnn])
def test_pytorchs_initial_values_are_uniform_by_the_layers_size(make) -> None:
    more = {"activation": "tanh"} if make is rnn else {}
    layer = make(units=16, initial="torch", unroll=False, return_state=False, **more)
    layer.build((None, None, 3))
    assert len(layer.get_weights()) == 3
    for weights in layer.get_weights():  # of the two inputs' matrices and of the bias
        assert 0.2 < np.abs(weights).max() <= 0.25  # 1 / sqrt(16)
        assert weights.min() < -0.15


@pytest.mark.parametrize("make", [lstm, gru])
def test_other_initial_values_are_refused(make) -> None:
    with pytest.raises(ValueError, match="initial must be keras or torch, not 'jax'"):
        make(units=2, initial="jax", unroll=False, return_state=False)
