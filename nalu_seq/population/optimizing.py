"""Keras' optimizers made to work on one member's values, within a stateless scope."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import keras
import tensorflow as tf
from keras.src import ops
from keras.src.backend.common.stateless_scope import get_stateless_scope
from keras.src.backend.tensorflow.optimizer import TFOptimizer
from keras.src.optimizers.base_optimizer import BaseOptimizer

# Methods that Keras' TensorFlow optimizers override to assign to `tf.Variable`s for the sake of
# `tf.distribute`. Within a stateless scope a variable is a tensor, which needs the plain methods
# that all backends share.
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
    # `variable.value` would be a tensor within a stateless scope.
    value = variable._value if isinstance(variable, keras.Variable) else variable
    return value._unique_id


def _tf_apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
    self._common_apply(grads, trainable_variables)


def _both(predicate: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`keras.ops.cond` of two functions that assign: both run, and the values of one are kept.

    Members may take different branches. Within a stateless scope an assignment is an entry in a
    dictionary, which a branch of a graph can't make.
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
    """An optimizer and the inner ones that it hands its work to.

    Args:
        optimizer: a Keras optimizer.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    return [
        optimizer,
        *([inner] if inner is not None else []),
        *getattr(optimizer, "_inner_optimizers", []),
    ]


def variables_of(optimizer: Any, trainable: Sequence[keras.Variable]) -> list[keras.Variable]:
    """All variables of an optimizer, also those that it does not list (such as Nadam's product).

    Args:
        optimizer: a Keras optimizer that is built.
        trainable: the model's trainable variables, which are left out.
    """
    by_id = {id(variable): variable for variable in optimizer.variables}
    for part in members_of(optimizer):
        for value in vars(part).values():
            for variable in value if isinstance(value, list) else [value]:
                if isinstance(variable, keras.Variable):
                    by_id.setdefault(id(variable), variable)
    of_model = {id(variable) for variable in trainable}
    return [variable for key, variable in by_id.items() if key not in of_model]


def check_optimizer(optimizer: Any) -> None:
    """Check that an optimizer is fresh and can serve a population.

    Args:
        optimizer: a Keras optimizer.

    Raises:
        ValueError: it is already in use, or its members would train otherwise than in `fit` alone.
    """
    for part in members_of(optimizer):
        name = type(part).__name__
        if part.built:
            raise ValueError(f"optimizer: this {name} is in use: give a fresh one")
        if name == "ScheduleFreeAdamW":
            raise ValueError(
                f"optimizer: {name} can't serve a population: its update under TensorFlow "
                "uses the new momentum where its equation has the old one; use AdamW"
            )


def check_begins(variables: Sequence[keras.Variable]) -> None:
    """Check that an optimizer's variables do not depend on the initial weights.

    A variable that holds different numbers at first has them from the weights of the template,
    which are those of one member only.

    Args:
        variables: the optimizer's variables.

    Raises:
        ValueError: a variable begins with more than one number.
    """
    for variable in variables:
        value = variable.numpy()
        if value.size and (value != value.flat[0]).any():
            raise ValueError(
                f"optimizer: {variable.name} begins with values of one model's weights, which a "
                "population can't know for each member"
            )


@contextlib.contextmanager
def functional() -> Iterator[None]:
    """Let `build` and `apply` of optimizers work on the values of a stateless scope, in a block."""
    plain = {name: getattr(BaseOptimizer, name) for name in PLAIN}
    with (
        mock.patch.multiple(TFOptimizer, _var_key=_var_key, **plain),
        mock.patch.object(keras.optimizers.LossScaleOptimizer, "_tf_apply", _tf_apply),
        mock.patch.object(ops, "cond", _both),
    ):
        yield
