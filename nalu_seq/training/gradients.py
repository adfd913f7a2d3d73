"""Each member's loss on a batch and its gradients, in a graph, compiled, and on replicas."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from nalu_seq.population.population import Population
from nalu_seq.tasks.base import Batch, Task
from nalu_seq.training.noise import noise_from
from nalu_seq.training.penalties import Penalties, Weight
from nalu_seq.units.base import mean_inputs


class Drawn(NamedTuple):
    """What a step trains on.

    Attributes:
        batch: the examples of all members.
        noise: in a list the noise `[M, B, n]` if units want it; else empty.
    """

    batch: Batch
    noise: list[Any]


class Gradients:
    """The gradients of a population's losses.

    Args:
        population: the members.
        model: their model as trained.
        task: what gives a loss for each member.
        penalties: those of the units.
        apart: whether penalties are left out, as an update of their own adds them.
        compiled: whether XLA compiles what is made here.
        replicas: how many replicas share a batch.
    """

    def __init__(
        self,
        population: Population,
        model: keras.Model,
        task: Task,
        penalties: Penalties,
        *,
        apart: bool,
        compiled: bool,
        replicas: int,
    ) -> None:
        self._population, self._model, self._task = population, model, task
        self._penalties, self._apart = penalties, apart
        self._replicas = replicas
        # Between replicas gradients leave the compiled program, as the collective is none of it.
        within = self._within
        if replicas > 1:
            within = tf.function(within, jit_compile=True, autograph=False)
        self._taken = within if compiled else self._around

    def __call__(self, drawn: Drawn, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """Each member's mean loss on what was drawn, `[M]`, and gradients `[M, ...]`."""
        loss, gradients = self._taken(drawn, weights)
        return self._averaged(loss, gradients) if self._replicas > 1 else (loss, gradients)

    def of_penalties(self, applied: dict[str, Any]) -> list[Any]:
        """The gradients of the penalties alone, each times what it weighs for each member `[M]`."""

        def objective(model: keras.Model, applied: dict[str, Any]) -> tuple[Any, Any]:
            total = sum(applied[n] * p for n, p in self._penalties.values(model).items())
            return total, total

        return self._population.gradients(objective, applied, self._model)[1]

    def _around(self, drawn: Drawn, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """The gradients by a tape around the map: the faster in a graph."""
        values = [v.value for v in self._population.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            values = [tf.convert_to_tensor(v) for v in values]
            tape.watch(values)
            prediction, penalties = self._population(
                (drawn.batch.x, drawn.noise),
                model=self._model,
                trainable=values,
                training=True,
                forward=self._forward,
            )
            loss = self._loss(drawn.batch.y, prediction)  # [M]
            # The sum, not the mean: a mean would scale each member's gradient by 1 / M.
            objective = tf.reduce_sum(self._total(loss, penalties, weights))
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(objective, values)]

    def _within(self, drawn: Drawn, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """The gradients by a tape within the map: see `Population.gradients`."""

        def objective(model: keras.Model, inputs: Any) -> tuple[Any, Any]:
            x, y, weights = inputs
            prediction, penalties = self._forward(model, x)
            loss = self._loss(y[None], prediction[None])[0]
            return self._total(loss, penalties, weights), loss

        inputs = (drawn.batch.x, drawn.noise), drawn.batch.y, weights
        return self._population.gradients(objective, inputs, self._model)

    def _averaged(self, loss: Any, gradients: list[Any]) -> tuple[Any, list[Any]]:
        """The mean over replicas of what each made of its examples, in one collective."""
        parts = [loss, *gradients]
        flat = tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)
        mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, flat)
        pieces = tf.split(mean, [part.shape.num_elements() for part in parts])
        loss, *gradients = [
            tf.reshape(piece, part.shape) for piece, part in zip(pieces, parts, strict=True)
        ]
        return loss, gradients

    def _loss(self, y: Any, prediction: Any) -> Any:
        loss = self._task.loss(y, prediction)
        # A sum over a replica's examples, averaged over replicas, would lose their number.
        return loss * self._replicas if self._task.sums and self._replicas > 1 else loss

    def _total(self, loss: Any, values: Mapping[str, Any], weights: Mapping[str, Weight]) -> Any:
        return loss if self._apart else self._penalties.added(loss, values, weights)

    def _forward(self, model: keras.Model, inputs: Any) -> tuple[Any, dict[str, Any]]:
        """One member's outputs, and the values of its penalties."""
        x, noise = inputs
        with noise_from(noise):
            if not self._penalties.look_at_inputs:
                return model(x, training=True), self._penalties.values(model)
            with mean_inputs() as seen:
                prediction = model(x, training=True)
        return prediction, self._penalties.values(model, seen)
