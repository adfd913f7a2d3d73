"""One Keras model from an encoder, a head and a unit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from nalu_seq.models.ugrnn import UGRNNCell


class StatefulModel(NamedTuple):
    """A model that is fed a long sequence in pieces.

    Attributes:
        model: `[x, *states] -> [y, *states]`, or y without a list where there are no states.
        initial_states: the states before the first piece, each `[1, size]`.
        kinds: the kind of each state: "total" for the head's own output; others are "bounded" by a
            tanh, "positive" after a ReLU, or "free".
    """

    model: keras.Model
    initial_states: list[np.ndarray]
    kinds: list[str]


def build(
    encoder: Callable[..., keras.layers.Layer],
    head: Callable[..., keras.layers.Layer],
    unit: Callable[..., keras.layers.Layer],
    input_size: int | tuple[int, ...],
    output_size: int,
    sequence: bool = True,
    length: int | None = None,
) -> keras.Model:
    """The model `[batch, time, input_size] -> [batch, time, output_size]`.

    With a `length` every loop over time is written out for it (training); without, the model takes
    any length (evaluation, export). Both have the same variables in the same order.

    Args:
        encoder: a function that makes the encoder's layer, from `nalu_seq.models.encoders`.
        head: a function that makes the head's layer from a unit, from `nalu_seq.models.heads`.
        unit: a function that makes the unit of a size `units`.
        input_size: size of one step's input, or its shape.
        output_size: size of one step's output.
        sequence: whether there is a time axis; without one the model is
            `[batch, input_size] -> [batch, output_size]`, and neither encoder nor head may need it.
        length: the time axis, if known.

    Returns:
        The Keras model, with weights at their initial values.

    Raises:
        ValueError: the encoder or the head needs steps in time and the task has none, or the
            encoder makes no features of pictures.
    """
    layers = make_layers(
        encoder, head, unit, output_size, unroll=length is not None, return_state=False
    )
    if not sequence:
        recurrent = [layer.name for layer in layers if hasattr(layer, "get_initial_state")]
        if recurrent:
            need = "need" if len(recurrent) > 1 else "needs"
            raise ValueError(
                f"{' and '.join(recurrent)} {need} steps in time, which this task does not have: "
                "use encoder=none and head=readout or head=dense"
            )
    shape = step_shape(input_size)
    x = y = keras.Input((length, *shape) if sequence else shape, name="x")
    no_features = (
        f"{layers[0].name} gives no features of a {' x '.join(map(str, shape))} picture: "
        "use encoder=convnet"
    )
    for layer in layers:
        if isinstance(layer, keras.layers.RNN) and len(y.shape) > 3:
            raise ValueError(no_features)
        y = layer(y)
    if len(y.shape) != 2 + sequence:
        raise ValueError(no_features)
    return keras.Model(x, y, name="model")


def build_stateful(
    encoder: Callable[..., keras.layers.Layer],
    head: Callable[..., keras.layers.Layer],
    unit: Callable[..., keras.layers.Layer],
    input_size: int | tuple[int, ...],
    output_size: int,
    length: int | None = None,
) -> StatefulModel:
    """The model of `build` with its states as inputs and outputs, to be fed a sequence in pieces.

    It has the same variables in the same order.

    Args:
        encoder: as for `build`, as are all other arguments.
        head: makes the head's layer.
        unit: makes the unit.
        input_size: size of one step's input, or its shape.
        output_size: size of one step's output.
        length: the time axis, if known: loops are then written out.

    Returns:
        The model, and its states before the first step.
    """
    unroll = length is not None
    layers = make_layers(encoder, head, unit, output_size, unroll=unroll, return_state=True)
    x = y = keras.Input((length, *step_shape(input_size)), name="x")
    inputs, outputs, starts, kinds = [], [], [], []
    for layer in layers:
        if not hasattr(layer, "get_initial_state"):
            y = layer(y)
            continue
        nested = initial_states(layer, batch_size=1)  # lists in a list, of cells on cells
        start = [keras.ops.convert_to_numpy(s) for s in keras.tree.flatten(nested)]
        states = [
            keras.Input(s.shape[1:], name=f"{layer.name}_state_{i}", dtype=s.dtype.name)
            for i, s in enumerate(start)
        ]
        y, *new_states = layer(y, initial_state=keras.tree.pack_sequence_as(nested, states))
        inputs += states
        outputs += keras.tree.flatten(new_states)
        starts += start
        kinds += _kinds(layer, is_head=layer is layers[-1])
    return StatefulModel(keras.Model([x, *inputs], [y, *outputs], name="stream"), starts, kinds)


def units_of(model: keras.Model) -> list[Any]:
    """The layers with penalties, arithmetic units, in a model, its cells and heads included.

    Args:
        model: a Keras model, such as `build` returns.

    Returns:
        The units in the order of the model's layers.
    """
    units = []
    for layer in model.layers:
        holder = getattr(layer, "cell", layer)
        unit = getattr(holder, "unit", holder)
        stacked = getattr(unit, "stacked", [unit])
        units += [one for one in stacked if hasattr(one, "penalties")]
    return units


def penalized_heads(model: keras.Model) -> list[Any]:
    """The recurrent cells around units that have penalties of their own.

    Args:
        model: a Keras model, such as `build` returns.
    """
    cells = [getattr(layer, "cell", None) for layer in model.layers]
    return [cell for cell in cells if hasattr(cell, "penalties") and hasattr(cell, "unit")]


def step_shape(input_size: int | tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one step's input.

    Args:
        input_size: the size of one step's input, or its shape.

    Returns:
        The shape, such as `(3,)` for a size of 3.
    """
    return (input_size,) if isinstance(input_size, int) else tuple(input_size)


def initial_states(layer: Any, batch_size: int) -> list[Any]:
    """A layer's states before the first step, each `[batch_size, size]`.

    Args:
        layer: a recurrent layer or cell with `get_initial_state`.
        batch_size: how many sequences begin.
    """
    states = layer.get_initial_state(batch_size=batch_size)
    return list(states) if isinstance(states, list | tuple) else [states]


def _kinds(layer: Any, is_head: bool) -> list[str]:
    """The kind of each state of a layer, as in `StatefulModel.kinds`."""
    layer = getattr(layer, "recurrent", layer)
    if isinstance(layer, keras.layers.LSTM):
        return ["bounded", "free"]
    if isinstance(layer, keras.layers.GRU):
        return ["bounded"]
    if isinstance(layer, keras.layers.SimpleRNN):
        return ["bounded" if layer.activation is keras.activations.tanh else "positive"]
    if isinstance(getattr(layer, "cell", None), UGRNNCell):
        return ["bounded"]
    return ["total" if is_head else "free"]


def make_layers(
    encoder: Callable[..., keras.layers.Layer],
    head: Callable[..., keras.layers.Layer],
    unit: Callable[..., keras.layers.Layer],
    output_size: int,
    unroll: bool,
    return_state: bool,
) -> list[keras.layers.Layer]:
    """The encoder's layer and the head's, which holds the unit.

    Args:
        encoder: makes the encoder's layer.
        head: makes the head's layer from a unit.
        unit: makes the unit of a size `units`.
        output_size: size of one step's output.
        unroll: whether loops over time are written out.
        return_state: whether recurrent layers return their states too.

    Returns:
        The two layers.
    """
    how = {"unroll": unroll, "return_state": return_state}
    return [encoder(**how), head(unit(units=output_size, name="unit"), **how)]
