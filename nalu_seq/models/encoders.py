"""Encoders: what turns raw steps `[batch, time, features]` into the features a unit sees.

Each returns one Keras layer. `unroll` asks for a loop written out over a known length (training),
`return_state` for a layer that hands on its state (evaluation in chunks).
"""

from collections.abc import Callable

import keras

from nalu_seq.models.heads import UnitCell

ACTIVATIONS = ("tanh", "relu")


def none(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """No encoder: the unit sees the raw steps."""
    del unroll, return_state
    return keras.layers.Identity(name="none")


def hidden(
    units: int, unit: Callable[..., keras.layers.Layer], *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A hidden layer of arithmetic units, on each step by itself."""
    del unroll, return_state
    return unit(units=_positive(units), name="hidden")


def hidden_cell(
    units: int, unit: Callable[..., keras.layers.Layer], *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A hidden layer of arithmetic units as a recurrent cell: what it adds up must be learned."""
    return keras.layers.RNN(
        UnitCell(unit(units=_positive(units), name="hidden")),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="hidden_cell",
    )


def lstm(units: int, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """An LSTM; never cuDNN's kernel, which cannot be mapped over members."""
    return keras.layers.LSTM(
        _positive(units),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        use_cudnn=False,
        name="lstm",
    )


def gru(units: int, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """A GRU; never cuDNN's kernel, which cannot be mapped over members."""
    return keras.layers.GRU(
        _positive(units),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        use_cudnn=False,
        name="gru",
    )


def rnn(units: int, activation: str, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """A simple recurrent network, `h_t = activation(x_t W + h_{t-1} U + b)`, tanh or relu."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"encoder.activation must be tanh or relu, not {activation!r}")
    return keras.layers.SimpleRNN(
        _positive(units),
        activation=activation,
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="rnn",
    )


def _positive(units: int) -> int:
    if isinstance(units, bool) or not isinstance(units, int) or units < 1:
        raise ValueError(f"encoder.units must be a positive integer, not {units!r}")
    return units
