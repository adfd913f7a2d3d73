"""Optimizers as the papers run them, and the clip that keeps members apart."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("nalu_seq")
class Adam(keras.optimizers.Adam):
    """Adam with epsilon on the bias-corrected root, as every paper here runs it.

        m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) g^2
        w <- w - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)

    Keras adds its epsilon (1e-7 by default) to the uncorrected root, which differs in early steps.

    Source: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1.
    """

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """One update of one variable, elementwise."""
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        dtype = variable.dtype
        t = ops.cast(self.iterations + 1, dtype)
        gradient = ops.cast(gradient, dtype)
        self.assign(m, m + (1 - self.beta_1) * (gradient - m))
        self.assign(v, v + (1 - self.beta_2) * (ops.square(gradient) - v))
        scale = 1 / ops.sqrt(1 - ops.power(ops.cast(self.beta_2, dtype), t))
        rate = ops.cast(learning_rate, dtype) / (1 - ops.power(ops.cast(self.beta_1, dtype), t))
        self.assign_sub(variable, rate * m / (scale * ops.sqrt(v) + self.epsilon))


def adam(
    learning_rate: float,
    schedule: str,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    *,
    steps: int,
) -> keras.optimizers.Optimizer:
    """Adam for a training of `steps` steps.

    Args:
        learning_rate: the rate, or where the schedule starts.
        schedule: "constant", or "cosine" down to 0 at `steps`.
        beta_1: decay of the first moment.
        beta_2: decay of the second.
        epsilon: added to the bias-corrected root.
        steps: the length of the training.

    Raises:
        ValueError: an unknown schedule, or a number out of its range.
    """
    _check_number("learning_rate", learning_rate, 0, math.inf, above=True)
    _check_number("beta_1", beta_1, 0, 1)
    _check_number("beta_2", beta_2, 0, 1)
    _check_number("epsilon", epsilon, 0, math.inf)
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"optimizer.schedule must be constant or cosine, not {schedule!r}")
    rate = (
        keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        if schedule == "cosine"
        else learning_rate
    )
    return Adam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


def _check_number(name: str, value: Any, low: float, high: float, above: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value < high or (above and value == low):
        lowest = "above" if above else "from"
        raise ValueError(
            f"optimizer.{name} must be a number {lowest} {low} and below {high}, not {value!r}"
        )


def clip_each_member(gradients: Sequence[Any], norm: float) -> list[Any]:
    """Scale each member's gradients down to a global norm of at most `norm`.

    Args:
        gradients: tensors `[M, ...]`.
        norm: the largest norm, over all of one member's gradients together.
    """
    squares = [tf.reduce_sum(g * g, axis=list(range(1, len(g.shape)))) for g in gradients]  # [M]
    # A norm of 0 leaves its gradients alone; one of inf or NaN stays its own member's matter.
    scale = norm / tf.maximum(tf.sqrt(tf.add_n(squares)), norm)
    return [g * tf.reshape(scale, [-1] + [1] * (len(g.shape) - 1)) for g in gradients]
