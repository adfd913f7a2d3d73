"""Checks that a model computes the same for a sequence in two pieces as for the whole."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from nalu_seq.models.build import initial_states, make_layers, step_shape

EXAMPLES, FIRST, SECOND = 2, 13, 11  # steps of the two pieces
# Differences up to this share of the largest result count as rounding.
ROUNDING = {"float32": 1e-3, "bfloat16": 0.1}


def differs_in_pieces(
    encoder: Callable[..., keras.layers.Layer],
    head: Callable[..., keras.layers.Layer],
    unit: Callable[..., keras.layers.Layer],
    input_size: int | tuple[int, ...],
    output_size: int,
) -> dict[str, str]:
    """The parts of a model that give other results for two pieces than for a whole sequence.

    A model is trained on whole sequences and measured on long ones in pieces. A layer that keeps a
    state to itself, or looks at later steps, would be measured wrong, and silently.

    Args: as for `build`.

    Returns:
        The layer's name for "encoder" or "head"; empty for a model that can be fed in pieces.
    """
    generator = np.random.default_rng(0)
    size = (EXAMPLES, FIRST + SECOND, *step_shape(input_size))
    x: Any = generator.uniform(0, 1, size).astype(np.float32)
    wholes, pieces = (
        make_layers(encoder, head, unit, output_size, unroll=False, return_state=with_state)
        for with_state in (False, True)
    )
    differences = {}
    for group, whole, piece in zip(("encoder", "head"), wholes, pieces, strict=True):
        y = whole(x)
        # Random weights, because initial ones may be zeros that hide what a layer does.
        for variable in whole.trainable_variables:
            variable.assign(generator.uniform(-0.5, 0.5, variable.shape))
        _in_two(piece, x)
        piece.set_weights(whole.get_weights())
        y, in_pieces = whole(x), _in_two(piece, x)
        if not _close(_numbers(y), _numbers(in_pieces), ROUNDING.get(whole.compute_dtype, 1e-3)):
            differences[group] = whole.name
        x = y
    return differences


def _in_two(layer: Any, x: Any) -> Any:
    """The outputs of a layer for a sequence that is fed in two pieces, joined."""
    if not hasattr(layer, "get_initial_state"):
        return keras.ops.concatenate([layer(x[:, :FIRST]), layer(x[:, FIRST:])], axis=1)
    states: list[Any] = initial_states(layer, EXAMPLES)
    outputs = layer(x[:, :FIRST], initial_state=states)
    if not isinstance(outputs, list | tuple):  # the layer returns no state
        return keras.ops.concatenate([outputs, layer(x[:, FIRST:])], axis=1)
    first, *states = outputs
    second, *_ = layer(x[:, FIRST:], initial_state=states)
    return keras.ops.concatenate([first, second], axis=1)


def _numbers(y: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))


def _close(whole: np.ndarray, in_pieces: np.ndarray, rounding: float) -> bool:
    if whole.shape != in_pieces.shape:
        return False
    finite = np.abs(whole[np.isfinite(whole)])
    largest = float(finite.max()) if finite.size else 0.0
    return np.allclose(in_pieces, whole, rtol=0, atol=rounding * largest, equal_nan=True)
