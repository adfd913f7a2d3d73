"""Mapping a function of one member over all members: vectorised, or one after the other."""

import contextlib
import logging
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.ops.parallel_for import pfor

_forked_late = False


def _note_fork() -> None:
    global _forked_late
    eager = context.context_safe()
    _forked_late = eager is not None and eager._context_handle is not None


os.register_at_fork(after_in_child=_note_fork)


def check_process() -> None:
    """Check that this process can run a population.

    Raises:
        ValueError: Keras has another backend, or the process was forked after TensorFlow began.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"a Population needs Keras' TensorFlow backend, and this is {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow before keras is imported"
        )
    if _forked_late:
        raise ValueError(
            "this process was forked after TensorFlow had begun, where TensorFlow waits for ever: "
            'start it by multiprocessing.get_context("spawn")'
        )


class NotVectorised(ValueError):
    """A layer can't be vectorised over members; the message names it."""


# Operations that draw by TensorFlow's own generators, in which members have no seeds of their own.
_STATEFUL_DRAWS = {
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "Multinomial",
}


def map_members(
    one_member: Callable[[Any], Any],
    stacked: Any,
    layers: Sequence[keras.layers.Layer],
    loop: bool,
    parts: int = 1,
) -> Any:
    """Call a function for each member, and stack its results.

    Args:
        one_member: a function of one member's tensors.
        stacked: tensors `[M, ...]`, in any structure.
        layers: the layers that the function may call; an error names one of them.
        loop: whether to write the function out once for each member instead of vectorising it.
        parts: the number of calls among which the members are divided; they are independent, so
            that each can take a core.

    Returns:
        The results in the function's structure, `[M, ...]` each.

    Raises:
        ValueError: the function draws by TensorFlow's, Python's or NumPy's own generators.
        NotVectorised: without `loop`, a layer can't be vectorised over members.
    """
    if parts > 1:
        flat = tf.nest.flatten(stacked)
        members = int(flat[0].shape[0])
        ends = np.linspace(0, members, min(parts, members) + 1).astype(int)
        split = zip(*(tf.split(value, np.diff(ends)) for value in flat), strict=True)

        def of_part(*part: Any) -> Any:
            return map_members(one_member, tf.nest.pack_sequence_as(stacked, part), layers, loop)

        if not tf.executing_eagerly():  # parts of one size are traced and converted once
            of_part = tf.function(of_part, autograph=False)
        results = [of_part(*part) for part in split]
        return tf.nest.map_structure(lambda *values: tf.concat(values, axis=0), *results)

    def drawing_checked(inputs: Any) -> Any:
        graph = tf.compat.v1.get_default_graph() if not tf.executing_eagerly() else None
        before = len(graph.get_operations()) if graph else 0
        with _own_draws_refused():
            result = one_member(inputs)
        for operation in graph.get_operations()[before:] if graph else ():
            if operation.type in _STATEFUL_DRAWS:
                raise ValueError(
                    f"{_within(operation.name, layers)} draws by TensorFlow's own generator, which "
                    "gives no member a seed of its own: draw by keras.random"
                )
        return result

    if loop:
        members = int(tf.nest.flatten(stacked)[0].shape[0])
        # All members are unstacked at once: the gradient of a slice would be a stack mostly of
        # zeros.
        flat = zip(*(tf.unstack(value, members) for value in tf.nest.flatten(stacked)), strict=True)
        first, *others = [tf.nest.pack_sequence_as(stacked, list(one)) for one in flat]
        results = [drawing_checked(first), *map(one_member, others)]
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *results)
    with _conversion_errors() as messages:
        try:
            return tf.vectorized_map(drawing_checked, stacked, fallback_to_while_loop=False)
        except ValueError as error:
            text = "\n".join([*messages, str(error)])
            if not messages and "No pfor vectorization" not in text:
                raise
            raise NotVectorised(_explained(text, layers)) from error


@contextlib.contextmanager
def _own_draws_refused() -> Iterator[None]:
    """Raise ValueError if this block draws by Python's or NumPy's generator.

    A number that is drawn so would be a constant of the graph, the same for all members.
    """

    def states() -> tuple[Any, ...]:
        state = np.random.get_state(legacy=False)
        return random.getstate(), state["state"]["key"].tobytes(), state["state"]["pos"]

    drawing_layers: list[str] = []
    call = keras.layers.Layer.__call__

    def noting(layer: Any, *args: Any, **how: Any) -> Any:
        before = states()
        result = call(layer, *args, **how)
        if states() != before:
            drawing_layers.append(f"{layer.name} ({type(layer).__name__})")
        return result

    before = states()
    with mock.patch.object(keras.layers.Layer, "__call__", noting):
        yield
    if states() != before:
        name = (
            drawing_layers[0] if drawing_layers else "the model's loss or a metric"
        )  # the innermost layer is noted first
        raise ValueError(
            f"{name} draws by Python's or NumPy's generator, which gives no member a seed of its "
            "own: draw by keras.random"
        )


def _explained(text: str, layers: Sequence[keras.layers.Layer]) -> str:
    """One line in the place of TensorFlow's messages on an operation that it can't vectorise."""
    scopes, op = (re.search(rf'{key}: "([^"]+)"', text) for key in ("name", "op"))
    return (
        f"{_within(scopes[1] if scopes else '', layers)} does not vectorise over members "
        f"({op[1] if op else 'an operation'} has no mapped form): Population(..., loop=True) "
        "writes it out for one member after another"
    )


def _within(scopes: str, layers: Sequence[keras.layers.Layer]) -> str:
    """The innermost layer in an operation's name; a model's name may hold a layer's too."""
    within = [re.sub(r"_\d+$", "", scope) for scope in scopes.split("/")]
    named = [layer for layer in layers if re.sub(r"_\d+$", "", layer.name) in within]
    place = {layer.name: within.index(re.sub(r"_\d+$", "", layer.name)) for layer in named}
    culprit = max(named, key=lambda layer: place[layer.name], default=None)
    return "the model" if culprit is None else f"{culprit.name} ({type(culprit).__name__})"


@contextlib.contextmanager
def _conversion_errors() -> Iterator[list[str]]:
    """Collect the errors, pages of them, that TensorFlow would log within this block."""
    messages: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        messages.append(record.getMessage())
        return False

    logger = tf.get_logger()
    logger.addFilter(keep)
    try:
        yield messages
    finally:
        logger.removeFilter(keep)


def _convert_bitcast(operation: Any) -> Any:
    return pfor.wrap(tf.bitcast(operation.stacked_input(0), operation.get_attr("type")), True)


def _convert_draw(operation: Any) -> Any:
    """One draw for each member, from its own key: the bits that the member would draw alone."""
    inputs = [operation.input(i)[:2] for i in range(operation.num_inputs)]
    members = next(int(value.shape[0]) for value, stacked in inputs if stacked)
    parts = [tf.unstack(value) if stacked else [value] * members for value, stacked in inputs]
    drawn = [
        pfor._create_op(
            operation.op_type,
            list(own),
            [output.dtype for output in operation.outputs],
            operation.op.node_def.attr,
        ).outputs
        for own in zip(*parts, strict=True)
    ]
    return [pfor.wrap(tf.stack(values), True) for values in zip(*drawn, strict=True)]


# Converters for operations that TensorFlow can't vectorise itself. Keras' argmax, and so accuracy,
# looks at signs through Bitcast; dropout and noise draw by the other operations.
_CONVERTERS = {"Bitcast": _convert_bitcast} | dict.fromkeys(
    (
        "StatelessRandomGetKeyCounter",
        "StatelessRandomUniformV2",
        "StatelessRandomNormalV2",
        "StatelessTruncatedNormalV2",
        "StatelessRandomUniformIntV2",
        "StatelessRandomUniformFullIntV2",
        "StatelessRandomGammaV3",
        "StatelessShuffle",
    ),
    _convert_draw,
)
for _name, _convert in _CONVERTERS.items():
    if _name not in pfor._pfor_converter_registry:
        pfor.RegisterPFor(_name)(_convert)
