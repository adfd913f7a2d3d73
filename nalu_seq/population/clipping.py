"""Clipping of gradients, for each member by itself."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


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
    # Gradients of norm 0 stay as they are; a norm of inf or NaN affects its own member alone.
    scale = norm / tf.maximum(member_norms(gradients), norm)
    return [g * tf.reshape(scale, [-1] + [1] * (len(g.shape) - 1)) for g in gradients]


def clip_entries(gradients: Sequence[Any], value: float) -> list[Any]:
    """Clip each entry of the gradients to `[-value, value]`.

    Args:
        gradients: tensors `[M, ...]`.
        value: the largest magnitude of an entry.
    """
    return [tf.clip_by_value(g, -value, value) for g in gradients]
