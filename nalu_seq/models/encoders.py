"""Encoders: layers from raw steps `[batch, time, features]` to the features that a unit gets.

Each function returns one Keras layer. With `unroll` a recurrent layer's loop is written out over
the known length of training; with `return_state` the layer returns its last state too, so that a
long sequence can be measured in pieces.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras

from nalu_seq.models.convnet import Convnet
from nalu_seq.models.heads import Accumulate, UnitCell
from nalu_seq.models.routed import Routed
from nalu_seq.models.ugrnn import UGRNNCell
from nalu_seq.units.weights import positive_integer

INITIAL = ("keras", "torch")
ACTIVATIONS = ("tanh", "relu")
OUTPUTS = ("linear", "sigmoid", "softmax")
PADDINGS = ("valid", "same")
MLP_ACTIVATIONS = (
    "tanh", "sigmoid", "relu", "relu6", "prelu", "leaky_relu", "elu", "selu", "softplus",
    "softsign", "hard_sigmoid", "hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink",
    "threshold", "linear",
)  # fmt: skip
# The oldest Keras that this project runs with, 3.6, has none of these.
NEEDED_KERAS = dict.fromkeys(("hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink"), "3.7") | {
    "threshold": "3.8"
}
THRESHOLD, BELOW_THRESHOLD = 0.1, 20.0


@keras.saving.register_keras_serializable("nalu_seq")
def threshold(x: Any) -> Any:
    """Keras' `threshold` with numbers of its own: x where x > 0.1, and 20 elsewhere.

    Neither PyTorch's `nn.Threshold` nor Keras has defaults for the two numbers, and the paper whose
    figure shows this activation does not tell its own. 0.1 and 20 are those of the example that
    PyTorch's documentation had for years (in 1.10 still).

    Args:
        x: any tensor.

    Returns:
        A tensor of the same shape.

    Source: Trask et al. 2018 (arXiv 1808.00508), figure 1, which names it and no more.
    """
    return keras.activations.threshold(x, THRESHOLD, BELOW_THRESHOLD)


def in_bfloat16(encoder: Callable[..., keras.layers.Layer]) -> Callable[..., keras.layers.Layer]:
    """The same encoder with its products in bfloat16, its weights and their updates in float32.

    The head and the unit after it compute in float32, since bfloat16 can't hold a count of 257.
    bfloat16 has the range of float32, so that gradients need no scale, as they would in float16.

    Args:
        encoder: makes an encoder's layer.

    Returns:
        What makes the same layer under Keras' policy `mixed_bfloat16`.
    """

    def mixed(**how: bool) -> keras.layers.Layer:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            return encoder(**how)
        finally:
            keras.config.set_dtype_policy(before)

    return mixed


def none(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """No encoder: the unit sees the raw steps.

    Args:
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.
    """
    del unroll, return_state
    return keras.layers.Identity(name="none")


def hidden(
    units: int, unit: Callable[..., keras.layers.Layer], *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A hidden layer of arithmetic units, on each step by itself.

    Args:
        units: size of the layer's output.
        unit: makes the layer of that size.
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.

    Raises:
        ValueError: `units` is no positive integer.
    """
    del unroll, return_state
    return unit(units=_positive(units), name="hidden")


def hidden_cell(
    units: int, unit: Callable[..., keras.layers.Layer], *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A hidden layer of arithmetic units as a recurrent cell: what it adds up must be learned.

    Args:
        units: size of the layer's output and state.
        unit: makes the unit of that size.
        unroll: write the loop over time out.
        return_state: return the last state too.

    Raises:
        ValueError: `units` is no positive integer.
    """
    return keras.layers.RNN(
        UnitCell(unit(units=_positive(units), name="hidden")),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="hidden_cell",
    )


def hidden_sum(
    units: int, unit: Callable[..., keras.layers.Layer], *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """The running sum of a hidden layer of units: counts, for a head that tells what they mean.

    The sum is built in, so that what is learned is what each step adds.

    Args:
        units: how many sums there are.
        unit: makes the layer of that size whose outputs are added up.
        unroll: without effect, as the sum is one operation.
        return_state: return the last sums too.

    Raises:
        ValueError: `units` is no positive integer.
    """
    del unroll
    layer = unit(units=_positive(units), name="hidden")
    return Accumulate(layer, return_state=return_state, name="hidden_sum")


def mlp(
    units: int, layers: int, activation: str, *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """Dense layers with one of Keras' activations, with Keras' parameters where they have some.

    Those of `hard_shrink` and `soft_shrink` (0.5), `hard_tanh` (-1 and 1), `elu` and `selu` are
    PyTorch's defaults too. Two are not: the slope of `leaky_relu` is 0.2 (PyTorch: 0.01), and
    `prelu` learns one slope for each unit, from 0 (PyTorch: one for all, from 0.25). `threshold`
    has the numbers of an example in PyTorch's documentation. Figure 1 of Trask et al. 2018 has
    all of `MLP_ACTIVATIONS` but `hard_sigmoid` and `linear`, and tells the parameters of none.

    Args:
        units: size of each layer's output.
        layers: how many dense layers there are.
        activation: one of `MLP_ACTIVATIONS`, after each of them.
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.

    Raises:
        ValueError: `units` or `layers` is no positive integer, or the activation is not known, here
            or to an older Keras.
    """
    del unroll, return_state
    if activation not in MLP_ACTIVATIONS:
        raise ValueError(
            f"encoder.activation must be one of {', '.join(MLP_ACTIVATIONS)}, not {activation!r}"
        )
    if activation != "prelu" and not hasattr(keras.activations, activation):
        raise ValueError(
            f"encoder.activation={activation} needs Keras {NEEDED_KERAS[activation]} or newer, and "
            f"this is Keras {keras.__version__}"
        )
    stack: list[keras.layers.Layer] = []
    for _ in range(_positive(layers, "layers")):
        stack += [keras.layers.Dense(_positive(units)), _activation(activation)]
    return keras.Sequential(stack, name="mlp")


def convnet(
    outputs: int,
    filters: list[int],
    hidden: int,
    activation: str,
    padding: str,
    *,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    """Convolutions on each picture: all frames of all sequences in one call.

    Args:
        outputs: how many numbers are read in a picture.
        filters: how many filters each convolution has.
        hidden: size of the dense layer between the convolutions and the outputs.
        activation: of the outputs: linear, sigmoid or softmax.
        padding: of the convolutions: valid or same.
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.

    Raises:
        ValueError: a size is no positive integer, or a name is not known.
    """
    del unroll, return_state
    if not isinstance(filters, list) or not filters:
        raise ValueError(f"encoder.filters must be a list of positive integers, not {filters!r}")
    for name, valid in (("activation", OUTPUTS), ("padding", PADDINGS)):
        if (value := {"activation": activation, "padding": padding}[name]) not in valid:
            raise ValueError(f"encoder.{name} must be one of {', '.join(valid)}, not {value!r}")
    return Convnet(
        _positive(outputs, "outputs"),
        [_positive(count, "filters") for count in filters],
        hidden=_positive(hidden, "hidden"),
        activation=activation,
        padding=padding,
        name="convnet",
    )


def lstm(
    units: int, initial: str = "keras", *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """An LSTM; never cuDNN's kernel, which cannot be mapped over members.

    Args:
        units: size of the output and of each state.
        initial: the initial values: Keras' own, or "torch", those of PyTorch.
        unroll: write the loop over time out.
        return_state: return the last states too.

    Raises:
        ValueError: `units` is no positive integer, or the initial values are not known.
    """
    kind = functools.partial(keras.layers.LSTM, use_cudnn=False)
    if initial == "torch":  # which has no forget gate that begins open
        kind = functools.partial(kind, unit_forget_bias=False)
    return _recurrent(kind, "lstm", units, initial, unroll=unroll, return_state=return_state)


def gru(
    units: int, initial: str = "keras", *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A GRU; never cuDNN's kernel, which cannot be mapped over members.

    Args:
        units: size of the output and of the state.
        initial: the initial values: Keras' own, or "torch", those of PyTorch.
        unroll: write the loop over time out.
        return_state: return the last state too.

    Raises:
        ValueError: `units` is no positive integer, or the initial values are not known.
    """
    kind = functools.partial(keras.layers.GRU, use_cudnn=False)
    return _recurrent(kind, "gru", units, initial, unroll=unroll, return_state=return_state)


def ugrnn(units: int, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """An update gate RNN, whose single gate says how much of the state stays.

    Args:
        units: size of the output and of the state.
        unroll: write the loop over time out.
        return_state: return the last state too.

    Raises:
        ValueError: `units` is no positive integer.
    """

    def kind(units: int, **how: Any) -> keras.layers.Layer:
        return keras.layers.RNN(UGRNNCell(units), **how)

    return _recurrent(kind, "ugrnn", units, "keras", unroll=unroll, return_state=return_state)


def rnn(
    units: int, activation: str, initial: str = "keras", *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A simple recurrent network, `h_t = activation(x_t W + h_{t-1} U + b)`, tanh or relu.

    Args:
        units: size of the output and of the state.
        activation: tanh or relu.
        initial: the initial values: Keras' own, or "torch", those of PyTorch.
        unroll: write the loop over time out.
        return_state: return the last state too.

    Raises:
        ValueError: `units` is no positive integer, or the activation or the initial values are not
            known.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"encoder.activation must be tanh or relu, not {activation!r}")
    kind = functools.partial(keras.layers.SimpleRNN, activation=activation)
    return _recurrent(kind, "rnn", units, initial, unroll=unroll, return_state=return_state)


def _recurrent(
    kind: Callable[..., keras.layers.Layer],
    name: str,
    units: int,
    initial: str,
    *,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    if initial not in INITIAL:
        raise ValueError(f"encoder.initial must be {' or '.join(INITIAL)}, not {initial!r}")
    values: dict[str, Any] = {}
    if initial == "torch":  # U(-r, r) for all weights, with r = 1 / sqrt(units)
        reach = 1 / math.sqrt(_positive(units))
        for weights in ("kernel", "recurrent", "bias"):
            values[f"{weights}_initializer"] = keras.initializers.RandomUniform(-reach, reach)
    return kind(
        _positive(units),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name=name,
        **values,
    )


def routed(
    recurrent: str,
    units: int,
    outputs: int,
    reads: str,
    *,
    numbers: int = 1,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    """A recurrent layer that reads the symbols; the last `numbers` inputs go around it.

    Args:
        recurrent: the recurrent layer: lstm, gru or rnn.
        units: size of its state.
        outputs: how many numbers are computed from its state at each step.
        reads: "symbols" or "all": what of the input the recurrent layer reads.
        numbers: how many of the inputs, the last ones, are numbers.
        unroll: write the loop over time out.
        return_state: return the last states too.

    Raises:
        ValueError: the recurrent layer is not known, a size is no positive integer, or the task has
            no numbers.
    """
    if recurrent not in RECURRENT:
        raise ValueError(
            f"encoder.recurrent must be one of {', '.join(RECURRENT)}, not {recurrent!r}"
        )
    if numbers < 1:
        raise ValueError(
            "encoder=routed hands numbers on, and this task has none: use encoder=lstm"
        )
    layer = RECURRENT[recurrent](units, unroll=unroll, return_state=True)
    outputs = _positive(outputs, "outputs")
    # In float32, whatever the recurrent layer's precision is, so that numbers are not rounded.
    return Routed(layer, outputs, numbers, reads, return_state, name="routed", dtype="float32")


RECURRENT: dict[str, Callable[..., keras.layers.Layer]] = {
    "lstm": lstm,
    "gru": gru,
    "rnn": functools.partial(rnn, activation="tanh"),
}


def _activation(name: str) -> keras.layers.Layer:
    if name == "prelu":
        return keras.layers.PReLU()
    return keras.layers.Activation(threshold if name == "threshold" else name)


def _positive(value: int, name: str = "units") -> int:
    return positive_integer(f"encoder.{name}", value)
