"""Mapping a function of one member over all: vectorised, or one after another if that is asked."""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops.parallel_for import pfor


class NotVectorised(ValueError):
    """A layer has no form that is mapped over members."""


def map_members(
    one_member: Callable[[Any], Any], stacked: Any, layers: Sequence[keras.layers.Layer], loop: bool
) -> Any:
    """What a function gives for each member, stacked.

    Args:
        one_member: of one member's tensors.
        stacked: tensors `[M, ...]`, in any structure.
        layers: what the function may call; one is named if it can't be mapped.
        loop: write the function out once for each member, in place of mapping it.

    Raises:
        NotVectorised: without `loop`, if there is a layer that can't be mapped over members.
    """
    if loop:
        members = int(tf.nest.flatten(stacked)[0].shape[0])
        # Unstacked at once: the gradient of a slice is a stack of zeros, one for each member.
        flat = zip(*(tf.unstack(value, members) for value in tf.nest.flatten(stacked)), strict=True)
        made = [one_member(tf.nest.pack_sequence_as(stacked, list(one))) for one in flat]
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *made)
    with _conversion_errors() as told:
        try:
            return tf.vectorized_map(one_member, stacked, fallback_to_while_loop=False)
        except ValueError as error:
            text = "\n".join([*told, str(error)])
            if not told and "No pfor vectorization" not in text:
                raise
            raise NotVectorised(_explained(text, layers)) from error


def _explained(text: str, layers: Sequence[keras.layers.Layer]) -> str:
    """One line from what TensorFlow tells of an operation that it can't convert."""
    scopes, op = (re.search(rf'{key}: "([^"]+)"', text) for key in ("name", "op"))
    within = [re.sub(r"_\d+$", "", s) for s in (scopes[1] if scopes else "").split("/")]
    named = [layer for layer in layers if re.sub(r"_\d+$", "", layer.name) in within]
    # The innermost scope that is a layer's; a model's name may hold it too.
    place = {layer.name: within.index(re.sub(r"_\d+$", "", layer.name)) for layer in named}
    culprit = max(named, key=lambda layer: place[layer.name], default=None)
    who = "the model" if culprit is None else f"{culprit.name} ({type(culprit).__name__})"
    return (
        f"{who} does not vectorise over members ({op[1] if op else 'an operation'} has no mapped "
        "form): Population(..., loop=True) writes it out for one member after another"
    )


@contextlib.contextmanager
def _conversion_errors() -> Iterator[list[str]]:
    """What TensorFlow logs as errors meanwhile, pages of them, kept from the user's screen."""
    told: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        told.append(record.getMessage())
        return False

    logger = tf.get_logger()
    logger.addFilter(keep)
    try:
        yield told
    finally:
        logger.removeFilter(keep)


def _convert_bitcast(given: Any) -> Any:
    return pfor.wrap(tf.bitcast(given.stacked_input(0), given.get_attr("type")), True)


# An elementwise operation that TensorFlow has no mapped form of, though Keras' argmax (so accuracy
# too) looks at signs through it.
if "Bitcast" not in pfor._pfor_converter_registry:
    pfor.RegisterPFor("Bitcast")(_convert_bitcast)
