"""Estimates, from shapes alone, whether a population fits into the machine's memory."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state

# How many float32 numbers are in memory at once for each weight, each output of a layer and each
# input. A weight: its gradient, and its value and two moments, both in the population and in the
# part that trains it. An output: itself, its gradient and an intermediate result. An input: random
# words and the numbers made of them, of this batch and of the next, which is drawn meanwhile.
WEIGHT, OUTPUT, INPUT = 7, 3, 4
# How many numbers a recurrent cell computes for each of its outputs: gates, states, copies.
WITHIN_A_CELL = 8
PROGRAM = 5 * 2**28  # bytes: TensorFlow, and its compiler at work


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Within a block, models are built whose variables have shapes, but no values and no memory.

    Such a model tells how large it is, and can compute nothing.
    """
    name = "uninitialized_variables"  # those that Keras would make when the next scope ends
    before = list(global_state.get_global_attribute(name, []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(name, before)


def weight_bytes(model: keras.Model, members: int) -> int:
    """The bytes that the weights of a population and its optimizer's two moments take.

    Args:
        model: the model of one member, which may have been built by `shapes_only`.
        members: how many members there are.
    """
    return 3 * 4 * members * sum(math.prod(v.shape) for v in model.variables)


def training_bytes(model: keras.Model, members: int, batch_size: int) -> int:
    """An estimate of the bytes that a population's training takes, rather too large than too small.

    Measured: 1.06 GiB where this says 1.25 (one member on two inputs), 1.54 where it says 1.68
    (10,000 of them), 0.94 where it says 1.36 (100 members, LSTM 32).

    Args:
        model: the model of one member, all sizes of which are known but that of the batch.
        members: how many members there are.
        batch_size: examples a step.
    """
    weights = sum(math.prod(v.shape) for v in model.variables)
    outputs = _outputs_of(model)
    inputs = math.prod(d or 1 for d in model.input_shape[1:])
    numbers = WEIGHT * weights + batch_size * (OUTPUT * outputs + INPUT * inputs)
    return PROGRAM + 4 * members * numbers


def available() -> int | None:
    """Bytes of memory that are free without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kibibytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kibibytes[0]) * 1024 if kibibytes else None


def _outputs_of(layer: Any, times: int = 1) -> int:
    """How many numbers a layer and its inner layers compute for an example in `times` calls."""
    if isinstance(layer, keras.layers.InputLayer):
        return 0
    if isinstance(layer, keras.Model):
        return sum(_outputs_of(inner, times) for inner in layer.layers)
    try:
        shape = [size or 1 for size in layer.output.shape[1:]]
    except (AttributeError, ValueError):  # a cell or another layer inside one that counts
        return 0
    own = math.prod(shape) * (WITHIN_A_CELL if isinstance(layer, keras.layers.RNN) else 1)
    # One that holds others, such as a convnet, calls them for each frame.
    return times * own + sum(_outputs_of(i, times * math.prod(shape[:-1])) for i in layer._layers)
