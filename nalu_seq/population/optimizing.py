"""Keras' optimizers made to work on one member's values, within a stateless scope."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras
import tensorflow as tf
from keras.src import ops
from keras.src.backend.common.stateless_scope import get_stateless_scope
from keras.src.optimizers.base_optimizer import BaseOptimizer

# What Keras' TensorFlow optimizers do to `tf.Variable`s, for the sake of `tf.distribute`. Within a
# stateless scope a variable is a tensor: the plain form that all backends share is what it takes.
PLAIN = (
    "assign",
    "assign_add",
    "assign_sub",
    "_apply_weight_decay",
    "_backend_update_step",
    "_backend_increment_gradient_accumulators",
    "_overwrite_model_variables_with_average_value",
)


def _var_key(self: Any, variable: Any) -> Any:
    # Not `variable.value`, which within a stateless scope is a tensor.
    value = variable._value if isinstance(variable, keras.Variable) else variable
    return value._unique_id


def _tf_apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
    self._common_apply(grads, trainable_variables)


def _both(predicate: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`keras.ops.cond` of two functions that assign: both are run, and one's values are kept.

    Members may take different branches, and an assignment in a stateless scope is a note in a
    dictionary that a branch of the graph can't make.
    """
    scope = get_stateless_scope()
    before = scope.state_mapping
    outputs, updates = [], []
    for function in (true_fn, false_fn):
        scope.state_mapping = dict(before)
        outputs.append(function())
        updates.append(scope.state_mapping)
    scope.state_mapping = {
        key: value if value is (other := updates[1][key]) else tf.where(predicate, value, other)
        for key, value in updates[0].items()
    }
    if outputs[0] is None:
        return None
    return keras.tree.map_structure(lambda a, b: tf.where(predicate, a, b), *outputs)


def members_of(optimizer: Any) -> list[Any]:
    """An optimizer and those that it hands its work to."""
    inner = getattr(optimizer, "inner_optimizer", None)
    return [
        optimizer,
        *([inner] if inner is not None else []),
        *getattr(optimizer, "_inner_optimizers", []),
    ]


@contextlib.contextmanager
def functional(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Meanwhile an optimizer's `build` and `apply` work on the values of a stateless scope."""
    plain = {name: getattr(BaseOptimizer, name) for name in PLAIN}
    own = plain | {"_var_key": _var_key, "_tf_apply": _tf_apply}
    with contextlib.ExitStack() as stack:
        for part in members_of(optimizer):
            original = type(part)
            part.__class__ = type(original.__name__, (original,), own)
            stack.callback(setattr, part, "__class__", original)
        stack.enter_context(mock.patch.object(ops, "cond", _both))
        yield
