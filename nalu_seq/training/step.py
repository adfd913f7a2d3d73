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
from nalu_seq.training.gradients import Drawn, Gradients
from nalu_seq.training.initial_states import RandomStates
from nalu_seq.training.noise import NOISE_CHANNEL, noise_columns
from nalu_seq.training.penalties import Penalties, Weight


class Counters:
    """What is counted while members train; variables, the same on all replicas.

    Args:
        members: M.

    Attributes:
        step: how many steps have been made.
        diverged_at: `[M]`, the step (from 1) at which a member's loss was first not finite, or 0.
        loss_sum: `[M]`, the losses since their mean was last read, added up.
        loss_count: how many steps that are.
        last_loss: `[M]`, the loss of the newest batch; NaN before there is one.
        judged: `[M]`, the last validation error; inf before there is one.
        errors: `[3, M]`, of the errors that restarts have not seen yet: how many, their sum, the
            sum of their squares.
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
        """All of them, in a fixed order."""
        return list(vars(self).values())


class Step:
    """The training step of a population: what is drawn for it, and the update that it makes.

    Args:
        population: the members.
        task: what they learn.
        optimizer: a Keras optimizer; it is built here, eagerly, on the stacked variables.
        members: the seed and the case of each member.
        model: the population's model as trained, such as one unrolled for the training length.
        initial_states: draws the states that `model` takes beside its input; None if it takes none.
        train: batch size, clips, and how it is compiled.
        penalty: ramps of the units' penalties, by the penalty's name.
        alternate: whether gates and weights are updated in turn; None for all at once.
        restarts: whether the errors are noted that restarts look at.
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
        # Replicas must not each look at the loss of their own examples to weigh a penalty.
        self._apart = alternate is not None or self._replicas > 1
        self._gradients = Gradients(
            population,
            model,
            task,
            self._penalties,
            apart=self._apart,
            compiled=train.compile == "xla",
            replicas=self._replicas,
        )
        self._gates = [v.name.split("_")[-1] == "g" for v in population.trainable_variables]
        # Built before anything is traced: a lazily built Keras optimizer fails under tf.distribute.
        optimizer.build(population.trainable_variables)

    def variables(self) -> list[tf.Variable]:
        """All that the step reads and writes, in a fixed order."""
        stacks = [stack for _, stack in self.population.pairs()]
        return [*(v.value for v in (*stacks, *self.optimizer.variables)), *self.counters.all()]

    def draw(self, step: Any) -> Drawn:
        """What all members, or this replica's share of them, train on at a step."""
        draws, noise = self._stream.at(step, self._train.batch_size), []
        if self._replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            draws = draws.share(replica, self._replicas)
        if self._noise_columns:
            noise.append(draws.uniform(0.0, 1.0, self._noise_columns, channel=NOISE_CHANNEL))
        batch = self._task.train_batch(draws)
        return Drawn(
            self._initial_states.begin(batch, draws) if self._initial_states else batch, noise
        )

    def gradients(self, drawn: Drawn) -> tuple[Any, list[Any]]:
        """Each member's loss `[M]` on what was drawn and its gradients, before any clip.

        Penalties that are an update of their own are left out.
        """
        return self._gradients(drawn, self._weights())

    def make(self, drawn: Drawn) -> None:
        """Make the next step."""
        counters, weights = self.counters, self._weights()
        loss, gradients = self._gradients(drawn, weights)
        if self._alternate:
            self._update(gradients, self._turns(self._alternate))
            self._update_by_penalties(loss)
        else:
            if self._apart and self._penalties:
                pulls = self._gradients.of_penalties(self._penalties.applied(loss, weights))
                gradients = [g + p for g, p in zip(gradients, pulls, strict=True)]
            self._update(gradients)
        counters.step.assign_add(1)
        newly = (counters.diverged_at == 0) & ~tf.math.is_finite(loss)
        counters.diverged_at.assign(tf.where(newly, counters.step, counters.diverged_at))
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
        """Clip the gradients and update the variables, or what the masks leave of them."""
        if self._train.clip_value is not None:
            gradients = clip_entries(gradients, self._train.clip_value)
        if self._train.clip_norm is not None:
            gradients = clip_each_member(gradients, self._train.clip_norm)
        if masks:
            self.optimizer.masks = dict(enumerate(masks))
        self.optimizer.apply(gradients, self.population.trainable_variables)

    def _turns(self, alternate: Alternate) -> list[Any]:
        """Which variables have their turn at this step."""
        place = self.counters.step % alternate.period
        gates = place >= alternate.period - alternate.gates
        return [gates == is_gate for is_gate in self._gates]

    def _update_by_penalties(self, loss: Any) -> None:
        """An update by the penalties alone, of the members that they apply to."""
        if not self._penalties:
            return
        applied = {
            name: tf.where(self._penalties.error(loss, w) < w.below, w.weight, 0.0)
            for name, w in self._weights().items()
        }
        members = tf.reduce_any(tf.stack(list(applied.values())) > 0, axis=0)  # [M]
        ranks = [len(v.shape) for v in self.population.trainable_variables]
        masks = [tf.reshape(members, [-1] + [1] * (rank - 1)) for rank in ranks]
        self._update(self._gradients.of_penalties(applied), masks)


def ramp_of_members(ramp: Ramp, start: int, stop: int) -> Ramp:
    """A ramp for the members from `start` to `stop`: its fields that are `[M]` cut to theirs."""
    fields: dict[str, Any] = {
        name: v[start:stop] for name, v in vars(ramp).items() if isinstance(v, np.ndarray)
    }
    return dataclasses.replace(ramp, **fields)


def _variable(name: str, value: Any) -> tf.Variable:
    """A variable that all replicas assign the same."""
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, name=name, aggregation=aggregation)
