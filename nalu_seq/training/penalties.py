"""Penalties of units and of all weights: their values, and each one's weight at a step."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Ramp
from nalu_seq.models.build import penalized_heads, units_of

NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Weight(NamedTuple):
    """The weight of one penalty at a step, for all members `[M]` or, within a map, for one.

    Attributes:
        weight: the weight by the penalty's ramp.
        below: the error below which the penalty applies; inf for always.
        judged: the last validation error.
    """

    weight: Any
    below: Any
    judged: Any


class Penalties:
    """The penalties that a training applies.

    Args:
        ramps: the ramp of each penalty by its name; a ramp's fields are numbers or `[M]`.
        judge: "loss", or "validation": the error that `below` is compared with.
        members: M, how many members there are.
    """

    def __init__(self, ramps: Mapping[str, Ramp], judge: str, members: int) -> None:
        self.ramps, self.judge, self.members = ramps, judge, members

    def __bool__(self) -> bool:
        """Whether there is any penalty."""
        return bool(self.ramps)

    @property
    def need_mean_inputs(self) -> bool:
        """Whether one of the penalties needs the units' mean inputs."""
        return "r_z" in self.ramps

    def values(
        self, model: keras.Model, inputs_by_unit: Mapping[Any, Any] = NOTHING
    ) -> dict[str, Any]:
        """The value of each penalty for one member's model.

        Args:
            model: the model.
            inputs_by_unit: the mean inputs of units, as for `penalties_of`.

        Returns:
            A scalar for each penalty that has a ramp, by name.
        """
        return {n: p for n, p in penalties_of(model, inputs_by_unit).items() if n in self.ramps}

    def weights(self, step: Any, judged: Any) -> dict[str, Weight]:
        """The weight of each penalty at a step.

        Args:
            step: the training step.
            judged: the last validation error, `[M]`.

        Returns:
            The weights for all members, by the penalty's name.
        """
        members = [self.members]
        return {
            name: Weight(
                tf.broadcast_to(ramp_weight(ramp, step), members),
                tf.broadcast_to(tf.cast(ramp.loss_below, tf.float32), members),
                tf.convert_to_tensor(judged),
            )
            for name, ramp in self.ramps.items()
        }

    def error(self, loss: Any, weight: Weight) -> Any:
        """The error that decides whether a penalty applies.

        Args:
            loss: the loss, `[M]` or of one member.
            weight: the penalty's weight, which holds the validation error.
        """
        return loss if self.judge == "loss" else weight.judged

    def active_weights(self, loss: Any, weights: Mapping[str, Weight]) -> dict[str, Any]:
        """The weight of each penalty, 0 for members whose error is too large for it.

        Args:
            loss: the loss, `[M]` or of one member.
            weights: the weights at the current step, by the penalty's name.
        """
        return {name: self._active_weight(loss, weight) for name, weight in weights.items()}

    def add_to(self, loss: Any, values: Mapping[str, Any], weights: Mapping[str, Weight]) -> Any:
        """The loss plus the weighted penalties, of one member or of all.

        Args:
            loss: the loss, `[M]` or of one member.
            values: the value of each penalty, by name.
            weights: the weights at the current step, by the penalty's name.
        """
        for name, weight in weights.items():
            loss += self._active_weight(loss, weight) * values[name]
        return loss

    def _active_weight(self, loss: Any, weight: Weight) -> Any:
        # `below` is inf for a penalty without a condition, which applies whatever the error is.
        conditional = tf.where(self.error(loss, weight) >= weight.below, 0.0, weight.weight)
        return tf.where(weight.below == np.inf, weight.weight, conditional)


def ramp_weight(ramp: Ramp, step: Any) -> Any:
    """A penalty's weight at a step, whatever the error is.

    Args:
        ramp: the ramp, whose fields are numbers or `[M]`.
        step: the training step.

    Returns:
        A scalar, or `[M]`.
    """
    step = tf.cast(step, tf.float32)
    progress = (step - ramp.start) / np.maximum(ramp.end - ramp.start, 1)
    progress += np.asarray(ramp.end <= ramp.start, np.float32)
    weight = ramp.weight * tf.pow(tf.cast(ramp.growth, tf.float32), tf.floor(step / ramp.every))
    # A weight that does not grow has no ceiling.
    weight = tf.where(np.asarray(ramp.growth) == 1.0, ramp.weight, tf.minimum(weight, ramp.largest))
    return weight * tf.clip_by_value(progress, 0.0, 1.0)


def penalties_of(model: keras.Model, inputs_by_unit: Mapping[Any, Any] = NOTHING) -> dict[str, Any]:
    """The penalties of a model by name: those of its units and heads, summed, and `norm`.

    Args:
        model: the model.
        inputs_by_unit: the mean inputs of units, as `mean_inputs` records them; without them,
            penalties that depend on the input are left out.
    """
    total: dict[str, Any] = {}
    of_units = [part.penalties() for part in (*units_of(model), *penalized_heads(model))]
    # `inputs_by_unit` has inner units too, because an outer unit's penalties do not include theirs.
    of_inputs = [unit.input_penalties(mean) for unit, mean in inputs_by_unit.items()]
    for penalties in (*of_units, *of_inputs):
        for name, value in penalties.items():
            total[name] = total.get(name, 0.0) + value
    return {**total, "norm": norm(model.trainable_variables)}


def norm(weights: Iterable[Any]) -> Any:
    """The sum of the Euclidean norms of arrays, whose gradient is 0 for an array of zeros.

        sum_k sqrt(sum_ij W_k,ij^2)

    Args:
        weights: the arrays, of any shapes.

    Returns:
        A scalar.

    Source: the code of Heim, Pevny & Smidl 2020 (arXiv 2006.01681), whose `norm(parameters, 1)` it
        is. The paper calls it L1.
    """
    squares = [keras.ops.sum(keras.ops.square(w)) for w in weights]
    # The root of 0 alone has an infinite slope.
    return sum(tf.where(s > 0, tf.sqrt(tf.where(s > 0, s, 1.0)), 0.0) for s in squares)
