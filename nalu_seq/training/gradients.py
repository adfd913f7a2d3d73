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


class StepData(NamedTuple):
    """The data of one training step.

    Attributes:
        batch: the examples of all members.
        noise: a list with the noise `[M, B, n]` if units train with noise; else an empty list.
    """

    batch: Batch
    noise: list[Any]


class Gradients:
    """The gradients of a population's losses.

    Args:
        population: the members.
        model: the model that is trained, on the members' variables.
        task: the task, which computes each member's loss.
        penalties: the penalties of the units.
        separate_penalties: whether penalties are left out here, because another update adds them.
        compiled: whether XLA compiles the gradients.
        replicas: how many replicas share a batch.
    """

    def __init__(
        self,
        population: Population,
        model: keras.Model,
        task: Task,
        penalties: Penalties,
        *,
        separate_penalties: bool,
        compiled: bool,
        replicas: int,
    ) -> None:
        self._population, self._model, self._task = population, model, task
        self._penalties, self._separate_penalties = penalties, separate_penalties
        self._replicas = replicas
        # With replicas, gradients leave the compiled program: it can't hold a collective.
        compute = self._tape_within_map
        if replicas > 1:
            compute = tf.function(compute, jit_compile=True, autograph=False)
        self._compute = compute if compiled else self._tape_around_map

    def __call__(self, data: StepData, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """Each member's mean loss on the data of a step, `[M]`, and its gradients `[M, ...]`."""
        loss, gradients = self._compute(data, weights)
        return self._replica_mean(loss, gradients) if self._replicas > 1 else (loss, gradients)

    def of_penalties(self, penalty_weights: dict[str, Any]) -> list[Any]:
        """The gradients of the weighted penalties alone.

        Args:
            penalty_weights: the weight of each penalty for each member, `[M]`, by its name.

        Returns:
            A gradient `[M, ...]` for each trainable variable.
        """

        def objective(model: keras.Model, penalty_weights: dict[str, Any]) -> tuple[Any, Any]:
            total = sum(penalty_weights[n] * p for n, p in self._penalties.values(model).items())
            return total, total

        return self._population.gradients(objective, penalty_weights, self._model)[1]

    def _tape_around_map(self, data: StepData, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """The gradients by a tape around the map over members, which is faster in a graph."""
        values = [v.value for v in self._population.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            values = [tf.convert_to_tensor(v) for v in values]
            tape.watch(values)
            prediction, penalties = self._population(
                (data.batch.x, data.noise),
                model=self._model,
                trainable=values,
                training=True,
                forward=self._forward,
            )
            loss = self._loss(data.batch.y, prediction)  # [M]
            # The sum, not the mean: a mean would scale each member's gradient by 1 / M.
            objective = tf.reduce_sum(self._total(loss, penalties, weights))
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(objective, values)]

    def _tape_within_map(self, data: StepData, weights: dict[str, Weight]) -> tuple[Any, list[Any]]:
        """The gradients by a tape within the map over members: see `Population.gradients`."""

        def objective(model: keras.Model, inputs: Any) -> tuple[Any, Any]:
            x, y, weights = inputs
            prediction, penalties = self._forward(model, x)
            loss = self._loss(y[None], prediction[None])[0]
            return self._total(loss, penalties, weights), loss

        inputs = (data.batch.x, data.noise), data.batch.y, weights
        return self._population.gradients(objective, inputs, self._model)

    def _replica_mean(self, loss: Any, gradients: list[Any]) -> tuple[Any, list[Any]]:
        """The mean of losses and gradients over replicas, in one collective."""
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
        # A loss that sums over examples must stay a sum over all replicas, which are averaged
        # later.
        return loss * self._replicas if self._task.sums and self._replicas > 1 else loss

    def _total(self, loss: Any, values: Mapping[str, Any], weights: Mapping[str, Weight]) -> Any:
        return loss if self._separate_penalties else self._penalties.add_to(loss, values, weights)

    def _forward(self, model: keras.Model, inputs: Any) -> tuple[Any, dict[str, Any]]:
        """One member's outputs, and the values of its penalties."""
        x, noise = inputs
        with noise_from(noise):
            if not self._penalties.need_mean_inputs:
                return model(x, training=True), self._penalties.values(model)
            with mean_inputs() as inputs_by_unit:
                prediction = model(x, training=True)
        return prediction, self._penalties.values(model, inputs_by_unit)
