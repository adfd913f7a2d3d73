"""The noise that some units train with, drawn for each member from its own stream."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from nalu_seq.units.base import noise_source

# Tasks count their channels from 0: this one is the noise's.
NOISE_CHANNEL = 2**16


def noise_columns(model: keras.Model) -> int:
    """How many numbers the units of a model ask for, for each example; 0 for most models.

    Args:
        model: with known sizes, but for the batch's, if any of its units wants noise.
    """
    if not any(getattr(layer, "noisy", False) for layer in model._flatten_layers()):
        return 0
    asked: list[int] = []

    def note(shape: tuple[Any, ...]) -> Any:
        asked.append(math.prod(shape[1:]))
        return tf.zeros(shape)

    with noise_source(note):
        model([tf.zeros([1, *x.shape[1:]]) for x in model.inputs], training=True)
    return sum(asked)


def noise_from(drawn: Sequence[Any]) -> AbstractContextManager[None]:
    """Give units the columns of the array `[B, n]` in `drawn` as they ask; none if it is empty.

    An element's noise depends on its place in the example alone, so that a batch may be drawn in
    parts.
    """
    if not drawn:
        return nullcontext()
    (numbers,), used = drawn, 0

    def take(shape: tuple[Any, ...]) -> Any:
        nonlocal used
        count = math.prod(shape[1:])
        taken = numbers[:, used : used + count]
        used += count
        return tf.reshape(taken, [-1, *shape[1:]])

    return noise_source(take)
