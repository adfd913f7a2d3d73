"""One training step of some members: draw, loss for each member, gradients, update."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Alternate, Ramp, Train
from nalu_seq.population.clipping import clip_each_member, clip_entries
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Task
from nalu_seq.training.gradients import Gradients, StepData
from nalu_seq.training.initial_states import RandomStates
from nalu_seq.training.noise import NOISE_CHANNEL, noise_columns
from nalu_seq.training.penalties import Penalties, Weight


class Counters:
    """Variables that a training keeps beside weights and moments; the same on all replicas.

    Args:
        members: M, how many members there are.

    Attributes:
        step: how many steps have been made.
        diverged_at: `[M]`, the step (from 1) at which a member's loss was first not finite, or 0.
        loss_sum: `[M]`, the sum of the losses since their mean was last read.
        loss_count: the number of steps in that sum.
        last_loss: `[M]`, the loss of the newest batch; NaN before there is one.
        judged: `[M]`, the last validation error; inf before there is one.
        errors: `[3, M]`, the number of errors that `Restarts` has not read yet, their sum, the sum
            of their squares.
    """

    def __init__(self, members: int) -> None:
        self.step = _variable("step", tf.zeros([], tf.int64))
        self.diverged_at = _variable("diverged_at", tf.zeros([members], tf.int64))
        self.loss_sum = _variable("loss_sum", tf.zeros([members]))
        self.loss_count = _variable("loss_count", tf.zeros([]))
        self.last_loss = _variable("last_loss", tf.fill([members], np.float32(np.nan)))
        self.judged = _variable("judged", tf.fill([members], np.float32(np.inf)))
        self.errors = _variable("errors", tf.zeros([3, members], tf.float64))

    def all(self) -> list[tf.Variable]:
        """All these variables, in a fixed order."""
        return list(vars(self).values())


class Step:
    """The training step of a population: the data that are drawn, and the update.

    Args:
        population: the members.
        task: the task that they are trained on.
        optimizer: a Keras optimizer; it is built here, eagerly, on the stacked variables.
        members: the seed and the case of each member.
        model: the model that is trained, such as one unrolled for the training length.
        initial_states: draws the states that `model` takes beside its input; None if it takes none.
        train: the config of the training: batch size, clips, whether XLA compiles.
        penalty: ramps of the units' penalties, by the penalty's name.
        alternate: whether gates and weights are updated in turn; None for all at once.
        restarts: whether to collect the errors that `Restarts` reads.
    """

    def __init__(
        self,
        population: Population,
        task: Task,
        optimizer: keras.optimizers.Optimizer,
        *,
        members: Members,
        model: keras.Model,
        initial_states: RandomStates | None,
        train: Train,
        penalty: Mapping[str, Ramp],
        alternate: Alternate | None,
        restarts: bool,
    ) -> None:
        self.population, self.optimizer = population, optimizer
        self.counters = Counters(len(members))
        self._task, self._train, self._alternate, self._restarts = task, train, alternate, restarts
        self._initial_states = initial_states
        self._replicas = population.strategy.num_replicas_in_sync
        self._stream = members.stream("train")
        self._noise_columns = noise_columns(model)
        self._penalties = Penalties(penalty, train.judge, len(members))
        # A penalty's weight may depend on the loss, which replicas have to average first.
        self._separate_penalties = alternate is not None or self._replicas > 1
        self._gradients = Gradients(
            population,
            model,
            task,
            self._penalties,
            separate_penalties=self._separate_penalties,
            compiled=train.compile == "xla",
            replicas=self._replicas,
        )
        self._gates = [v.name.split("_")[-1] == "g" for v in population.trainable_variables]
        # A Keras optimizer that is only built while it is traced fails under tf.distribute.
        optimizer.build(population.trainable_variables)

    def variables(self) -> list[tf.Variable]:
        """All variables that the step reads or writes, in a fixed order."""
        stacks = [stack for _, stack in self.population.pairs()]
        return [*(v.value for v in (*stacks, *self.optimizer.variables)), *self.counters.all()]

    def draw(self, step: Any) -> StepData:
        """Draw the data of a step for all members; with replicas, this replica's share of it.

        Args:
            step: the training step.
        """
        draws, noise = self._stream.at(step, self._train.batch_size), []
        if self._replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            draws = draws.share(replica, self._replicas)
        if self._noise_columns:
            noise.append(draws.uniform(0.0, 1.0, self._noise_columns, channel=NOISE_CHANNEL))
        batch = self._task.train_batch(draws)
        return StepData(
            self._initial_states.begin(batch, draws) if self._initial_states else batch, noise
        )

    def gradients(self, data: StepData) -> tuple[Any, list[Any]]:
        """Each member's loss and gradients on the data of a step, before any clip.

        Penalties that have an update of their own are left out.

        Args:
            data: the data of the step.

        Returns:
            The losses `[M]`, and a gradient `[M, ...]` for each trainable variable.
        """
        return self._gradients(data, self._weights())

    def make(self, data: StepData) -> None:
        """Make a training step: update the variables and the counters.

        Args:
            data: the data of the step.
        """
        counters, weights = self.counters, self._weights()
        loss, gradients = self._gradients(data, weights)
        if self._alternate:
            self._update(gradients, self._turns(self._alternate))
            self._update_by_penalties(loss)
        else:
            if self._separate_penalties and self._penalties:
                penalty_gradients = self._gradients.of_penalties(
                    self._penalties.active_weights(loss, weights)
                )
                gradients = [g + p for g, p in zip(gradients, penalty_gradients, strict=True)]
            self._update(gradients)
        counters.step.assign_add(1)
        diverges_now = (counters.diverged_at == 0) & ~tf.math.is_finite(loss)
        counters.diverged_at.assign(tf.where(diverges_now, counters.step, counters.diverged_at))
        counters.loss_sum.assign_add(loss)
        counters.loss_count.assign_add(1.0)
        counters.last_loss.assign(loss)
        if self._restarts:
            judged = loss if self._train.judge == "loss" else counters.judged
            error = tf.cast(judged, tf.float64)
            counters.errors.assign_add(tf.stack([tf.ones_like(error), error, error * error]))

    def _weights(self) -> dict[str, Weight]:
        return self._penalties.weights(self.counters.step, self.counters.judged)

    def _update(self, gradients: list[Any], masks: Sequence[Any] = ()) -> None:
        """Clip the gradients, and update the variables where their masks, if any, are true."""
        if self._train.clip_value is not None:
            gradients = clip_entries(gradients, self._train.clip_value)
        if self._train.clip_norm is not None:
            gradients = clip_each_member(gradients, self._train.clip_norm)
        if masks:
            self.optimizer.masks = dict(enumerate(masks))
        self.optimizer.apply(gradients, self.population.trainable_variables)

    def _turns(self, alternate: Alternate) -> list[Any]:
        """Whether each variable is updated at this step, when gates and weights take turns."""
        place = self.counters.step % alternate.period
        gates = place >= alternate.period - alternate.gates
        return [gates == is_gate for is_gate in self._gates]

    def _update_by_penalties(self, loss: Any) -> None:
        """Update the members that a penalty applies to, by the gradients of penalties alone."""
        if not self._penalties:
            return
        penalty_weights = {
            name: tf.where(self._penalties.error(loss, w) < w.below, w.weight, 0.0)
            for name, w in self._weights().items()
        }
        members = tf.reduce_any(tf.stack(list(penalty_weights.values())) > 0, axis=0)  # [M]
        ranks = [len(v.shape) for v in self.population.trainable_variables]
        masks = [tf.reshape(members, [-1] + [1] * (rank - 1)) for rank in ranks]
        # A schedule, and Adam's correction of its first moments, go by the number of steps.
        iterations = tf.identity(self.optimizer.iterations.value)
        self._update(self._gradients.of_penalties(penalty_weights), masks)
        self.optimizer.iterations.assign(iterations)


def ramp_of_members(ramp: Ramp, start: int, stop: int) -> Ramp:
    """A ramp for some of the members.

    Args:
        ramp: the ramp for all members; its fields are numbers or `[M]`.
        start: the index of the first member.
        stop: the index behind the last one.
    """
    fields: dict[str, Any] = {
        name: v[start:stop] for name, v in vars(ramp).items() if isinstance(v, np.ndarray)
    }
    return dataclasses.replace(ramp, **fields)


def _variable(name: str, value: Any) -> tf.Variable:
    """A variable to which all replicas assign the same value."""
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, name=name, aggregation=aggregation)
