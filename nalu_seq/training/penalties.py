"""The units' penalties: their values, and what each weighs for each member at a step."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Ramp
from nalu_seq.models import units_of

NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Weight(NamedTuple):
    """What one penalty weighs at a step, for all members `[M]` or, within a map, for one.

    Attributes:
        weight: what the ramp says.
        below: the error below which it applies; inf for always.
        judged: the last validation error.
    """

    weight: Any
    below: Any
    judged: Any


class Penalties:
    """The penalties that a training applies.

    Args:
        ramps: each penalty's ramp by its name; a ramp's fields are numbers or `[M]`.
        judge: "loss", or "validation": the error that `below` is compared with.
        members: M.
    """

    def __init__(self, ramps: Mapping[str, Ramp], judge: str, members: int) -> None:
        self.ramps, self.judge, self.members = ramps, judge, members

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.ramps)

    @property
    def look_at_inputs(self) -> bool:
        """Whether one of them asks for the units' inputs."""
        return "r_z" in self.ramps

    def values(self, model: keras.Model, seen: Mapping[Any, Any] = NOTHING) -> dict[str, Any]:
        """The value of each of them for one member's model, as `unit_penalties` gives it."""
        return {n: p for n, p in unit_penalties(model, seen).items() if n in self.ramps}

    def weights(self, step: Any, judged: Any) -> dict[str, Weight]:
        """Each one's weight at a step, `[M]`."""
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
        """The error that decides whether a penalty applies."""
        return loss if self.judge == "loss" else weight.judged

    def applied(self, loss: Any, weights: Mapping[str, Weight]) -> dict[str, Any]:
        """What each penalty weighs for members with such a loss."""
        return {name: self._applied(loss, weight) for name, weight in weights.items()}

    def added(self, loss: Any, values: Mapping[str, Any], weights: Mapping[str, Weight]) -> Any:
        """The loss and the weighted penalties, of one member or of all."""
        for name, weight in weights.items():
            loss += self._applied(loss, weight) * values[name]
        return loss

    def _applied(self, loss: Any, weight: Weight) -> Any:
        # Not `<`: a penalty without a condition also applies where nothing was judged yet.
        kept = tf.where(self.error(loss, weight) >= weight.below, 0.0, weight.weight)
        return tf.where(weight.below == np.inf, weight.weight, kept)


def ramp_weight(ramp: Ramp, step: Any) -> Any:
    """A penalty's weight at a step, as `Ramp` says, for any loss; its fields may be `[M]`."""
    step = tf.cast(step, tf.float32)
    progress = (step - ramp.start) / np.maximum(ramp.end - ramp.start, 1)
    progress += np.asarray(ramp.end <= ramp.start, np.float32)
    weight = ramp.weight * tf.pow(tf.cast(ramp.growth, tf.float32), tf.floor(step / ramp.every))
    # A weight that does not grow has no ceiling.
    weight = tf.where(np.asarray(ramp.growth) == 1.0, ramp.weight, tf.minimum(weight, ramp.largest))
    return weight * tf.clip_by_value(progress, 0.0, 1.0)


def unit_penalties(model: keras.Model, seen: Mapping[Any, Any] = NOTHING) -> dict[str, Any]:
    """The penalties of a model's units by name, each summed over the units that have it.

    Args:
        model: the model.
        seen: the mean inputs of units, as `mean_inputs` gives them; penalties that depend on
            the input are left out without.
    """
    total: dict[str, Any] = {}
    of_units = [unit.penalties() for unit in units_of(model)]
    # Units inside others are seen too: theirs are not part of what the outer one gives.
    of_inputs = [unit.input_penalties(mean) for unit, mean in seen.items()]
    for own in (*of_units, *of_inputs):
        for name, value in own.items():
            total[name] = total.get(name, 0.0) + value
    return total
