"""The noise that some units train with, drawn for each member from its own stream."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from nalu_seq.units.base import noise_source

# The channel of random draws for noise; tasks count their channels from 0.
NOISE_CHANNEL = 2**16


def noise_columns(model: keras.Model) -> int:
    """How many random numbers the units of a model need for each example; 0 for most models.

    Args:
        model: the model; if a unit trains with noise, all sizes but that of the batch are known.
    """
    if not any(getattr(layer, "noisy", False) for layer in model._flatten_layers()):
        return 0
    sizes: list[int] = []

    def note(shape: tuple[Any, ...]) -> Any:
        sizes.append(math.prod(shape[1:]))
        return tf.zeros(shape)

    with noise_source(note):
        inputs = [tf.zeros([1, *x.shape[1:]]) for x in model.inputs]
        model(inputs if len(inputs) > 1 else inputs[0], training=True)
    return sum(sizes)


def noise_from(noise: Sequence[Any]) -> AbstractContextManager[None]:
    """Provide the units in a block with noise: each call takes the next columns of an array.

    An element's noise depends on its place in the example alone, so that a batch may be drawn in
    parts.

    Args:
        noise: a list with the array `[B, n]`; empty for no noise.
    """
    if not noise:
        return nullcontext()
    (numbers,), start = noise, 0

    def take(shape: tuple[Any, ...]) -> Any:
        nonlocal start
        count = math.prod(shape[1:])
        columns = numbers[:, start : start + count]
        start += count
        return tf.reshape(columns, [-1, *shape[1:]])

    return noise_source(take)
