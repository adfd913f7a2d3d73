"""Clips by norm that are taken for each member, and optimizers that keep members apart."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

# Keras' optimizers that take norms or factors of a whole variable.
NOT_ELEMENTWISE = ("Adafactor", "Lamb", "Muon")


def member_norms(gradients: Sequence[Any]) -> Any:
    """The global norm of each member's gradients, `[M]`.

    Args:
        gradients: tensors `[M, ...]`.
    """
    squares = [tf.reduce_sum(g * g, axis=list(range(1, len(g.shape)))) for g in gradients]  # [M]
    return tf.sqrt(tf.add_n(squares))


def clip_each_member(gradients: Sequence[Any], norm: float) -> list[Any]:
    """Scale each member's gradients down to a global norm of at most `norm`.

    Args:
        gradients: tensors `[M, ...]`.
        norm: the largest norm, over all of one member's gradients together.
    """
    # A norm of 0 leaves its gradients alone; one of inf or NaN stays its own member's matter.
    scale = norm / tf.maximum(member_norms(gradients), norm)
    return [g * tf.reshape(scale, [-1] + [1] * (len(g.shape) - 1)) for g in gradients]


def clip_entries(gradients: Sequence[Any], value: float) -> list[Any]:
    """Each entry of the gradients cut to `[-value, value]`."""
    return [tf.clip_by_value(g, -value, value) for g in gradients]


def clip_each(gradients: Sequence[Any], norm: float) -> list[Any]:
    """Scale each gradient of each member down to a norm of at most `norm`."""
    return [clip_each_member([gradient], norm)[0] for gradient in gradients]


def per_member_optimizer(optimizer: Any) -> tuple[keras.optimizers.Optimizer, dict[str, float]]:
    """A fresh optimizer that keeps members apart, and the norms that are left to be clipped to.

    An elementwise update of stacked variables is each member's own; a norm taken over them is not,
    so that clips by norm are taken out, to be made for each member.

    Args:
        optimizer: Keras' name of one, or one, of which the config is taken.

    Raises:
        ValueError: an optimizer whose update is not elementwise.
    """
    given = keras.optimizers.get(optimizer)
    if type(given).__name__ in NOT_ELEMENTWISE:
        raise ValueError(
            f"{type(given).__name__} looks at a variable as a whole, which holds all members here: "
            "use one that updates elementwise, such as Adam, SGD or RMSprop"
        )
    config = given.get_config()
    clips = {name: config[name] for name in ("clipnorm", "global_clipnorm") if config.get(name)}
    return type(given).from_config(config | dict.fromkeys(clips)), clips
