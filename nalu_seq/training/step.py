"""The training step of a population: sample, forward, loss per member, gradients, update."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Alternate, Ramp, Restart
from nalu_seq.models import units_of
from nalu_seq.population.clipping import clip_each_member, clip_entries
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Batch, Task
from nalu_seq.training.initial_states import RandomStates
from nalu_seq.training.noise import NOISE_CHANNEL, noise_columns, noise_from
from nalu_seq.training.restarts import Restarts
from nalu_seq.units.base import mean_inputs

# Steps written out in one compiled call, at most: what pays for small feed-forward models.
UNROLLED_STEPS = 10
NOTHING: Mapping[Any, Any] = MappingProxyType({})
Step = tuple[Batch, list[Any]]  # what a step trains on


class Trainer:
    """Trains a population on a task, several steps a call.

    Replicas of the population's strategy share each batch: one draws and goes through its own
    examples, the losses and gradients are averaged over all, in one collective, and each makes the
    same update. What one replica alone would do is what all do together, up to rounding.

    Args:
        population: the members.
        task: what they learn.
        optimizer: a Keras optimizer; it is built here, eagerly, on the stacked variables.
        members: the seed and the case of each member.
        model: the population's model as trained, such as one unrolled for the training length.
        initial_states: draws the states that `model` takes beside its input; None if it takes none.
        batch_size: examples a step, for each member.
        clip_norm: the largest gradient norm of a member; None for none.
        clip_value: the largest magnitude of a gradient's entry; None for none.
        penalty: ramps of the units' penalties, by the penalty's name.
        judge: "loss", or "validation", if penalties' `loss_below` and restarts look at the error
            that was last given to `judged`.
        restart: when members start anew; None for never.
        alternate: whether gates and weights are updated in turn; None for all at once.
        compiled: whether XLA compiles the step.
        interval: steps between evaluations; compiled calls divide it evenly.

    Attributes:
        step: how many steps have been made, a variable.
        seconds: how long they took, measurements included; kept by whoever runs the loop.
        last_loss: `[M]`, the newest batch's loss; NaN before there is one.
        judged: `[M]`, the last validation error; inf before there is one.
        restarts: what starts members anew, or None.
        members: the seed and the case of each member.
        diverged_at: `[M]`, the step (from 1) at which a member's loss was first not finite, or 0.
    """

    def __init__(
        self,
        population: Population,
        task: Task,
        optimizer: keras.optimizers.Optimizer,
        *,
        members: Members,
        model: keras.Model,
        initial_states: RandomStates | None = None,
        batch_size: int,
        clip_norm: float | None,
        clip_value: float | None = None,
        penalty: Mapping[str, Ramp],
        judge: str = "loss",
        restart: Restart | None = None,
        alternate: Alternate | None = None,
        compiled: bool,
        interval: int,
    ) -> None:
        self.population = population
        self.task = task
        self.optimizer = optimizer
        self.model = model
        self.initial_states = initial_states
        self.batch_size = batch_size
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.penalty = penalty
        self.compiled = compiled
        self.stream = members.stream("train")
        self._noise_columns = noise_columns(model)
        self.strategy = population.strategy
        self.replicas = self.strategy.num_replicas_in_sync
        self.members = members
        self.step = _variable("step", tf.zeros([], tf.int64))
        self.diverged_at = _variable("diverged_at", tf.zeros([len(members)], tf.int64))
        self.seconds = _variable("seconds", tf.zeros([], tf.float64))
        self.loss_sum = _variable("loss_sum", tf.zeros([len(members)]))
        self.loss_count = _variable("loss_count", tf.zeros([]))
        self.last_loss = _variable("last_loss", tf.fill([len(members)], np.float32(np.nan)))
        self.judge = judge
        self.alternate = alternate
        self._gates = [v.name.split("_")[-1] == "g" for v in population.trainable_variables]
        self.judged = _variable("judged", tf.fill([len(members)], np.float32(np.inf)))
        self.restarts = None if restart is None else Restarts(restart, population)
        # How many errors restarts have not seen yet, their sum, the sum of their squares.
        self._errors = _variable("errors", tf.zeros([3, len(members)], tf.float64))
        # Replicas must not each look at the loss of their own examples to weigh a penalty.
        self._apart = alternate is not None or self.replicas > 1
        # Built before anything is traced: a lazily built Keras optimizer fails under tf.distribute.
        optimizer.build(population.trainable_variables)
        self.steps_per_call = _largest_divisor(interval, UNROLLED_STEPS) if compiled else 1
        self._calls = self._make_calls(self.steps_per_call, compiled)
        # For the rest of an interval that ends early; traced only if it is ever needed.
        self._single = self._make_calls(1, compiled)

    def run(self, steps: int) -> None:
        """Make `steps` steps: calls of `steps_per_call`, then single steps for what is left."""
        calls, rest = divmod(steps, self.steps_per_call)
        if self.restarts:
            for make in [self._calls] * calls + [self._single] * rest:
                make(tf.constant(1))
                self.restarts.after(int(self.step.numpy()), self._errors.numpy())
                self._errors.assign(tf.zeros_like(self._errors))
            return
        if calls:
            self._calls(tf.constant(calls))
        if rest:
            self._single(tf.constant(rest))

    def gradients(self, step: Any) -> tuple[Any, list[Any]]:
        """Each member's loss `[M]` on the batch of a step and its gradients, before any clip.

        Nothing is trained. Penalties that are an update of their own are left out.
        """
        return self._averaged(*self._gradients(*self._draw(step)))

    def mean_loss(self) -> Any:
        """Each member's mean loss since this was last called, `[M]`; NaN before any step."""
        mean = (self.loss_sum / self.loss_count).numpy()
        self.loss_sum.assign(tf.zeros_like(self.loss_sum))
        self.loss_count.assign(0.0)
        return mean

    def trackables(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold, by name."""
        return {
            "variables": [v.value for v in self.population.variables],
            "optimizer": [v.value for v in self.optimizer.variables],
            "step": self.step,
            "diverged_at": self.diverged_at,
            "seconds": self.seconds,
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
            "judged": self.judged,
            **(self.restarts.trackables() if self.restarts else {}),
        }

    def _make_calls(self, length: int, compiled: bool) -> Callable[[Any], None]:
        def draw(step: Any) -> list[Step]:
            return [self._draw(step + i) for i in range(length)]

        def train(steps: list[Step]) -> None:
            for batch, noise in steps:
                self._one_step(batch, noise)

        if compiled:
            # Two programs: what the second trains on is whole, and can't be drawn again for a use.
            draw = tf.function(draw, jit_compile=True)
            # Between replicas gradients leave the program: see `_gradients`.
            train = tf.function(train, jit_compile=True) if self.replicas == 1 else train

        @tf.function(input_signature=[tf.TensorSpec((), tf.int32)])
        def together(count: Any) -> None:
            # What a replica has drawn is its own: it is not carried from one turn to the next.
            for _ in tf.range(count):
                self.strategy.run(lambda: train(draw(self.step)))

        @tf.function(input_signature=[tf.TensorSpec((), tf.int32)])
        def ahead(count: Any) -> None:
            step = tf.identity(self.step)
            drawn = draw(step)
            for left in tf.range(count - 1, -1, -1):
                step += length
                # It waits for nothing that is trained: cores that the training leaves draw it.
                following = draw(step) if left > 0 else drawn
                train(drawn)
                drawn = following

        return together if self.replicas > 1 else ahead

    def _draw(self, step: Any) -> Step:
        """A step's batch, and in a list the noise `[M, B, n]` if units want it."""
        draws, noise = self.stream.at(step, self.batch_size), []
        if self.replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            draws = draws.share(replica, self.replicas)
        if self._noise_columns:
            noise.append(draws.uniform(0.0, 1.0, self._noise_columns, channel=NOISE_CHANNEL))
        batch = self.task.train_batch(draws)
        return self.initial_states.begin(batch, draws) if self.initial_states else batch, noise

    def _one_step(self, batch: Batch, noise: list[Any]) -> None:
        loss, gradients = self._averaged(*self._gradients(batch, noise))
        if self.alternate:
            self._update(gradients, self._turns(self.alternate))
            self._update_by_penalties(loss)
        else:
            if self._apart and self.penalty:
                pulls = self._pulls(self._applied(loss))
                gradients = [g + p for g, p in zip(gradients, pulls, strict=True)]
            self._update(gradients)
        self.step.assign_add(1)
        newly = (self.diverged_at == 0) & ~tf.math.is_finite(loss)
        self.diverged_at.assign(tf.where(newly, self.step, self.diverged_at))
        self.loss_sum.assign_add(loss)
        self.loss_count.assign_add(1.0)
        self.last_loss.assign(loss)
        if self.restarts:
            error = tf.cast(loss if self.judge == "loss" else self.judged, tf.float64)
            self._errors.assign_add(tf.stack([tf.ones_like(error), error, error * error]))

    def _averaged(self, loss: Any, gradients: list[Any]) -> tuple[Any, list[Any]]:
        """The mean over replicas of what each made of its examples, in one collective."""
        if self.replicas == 1:
            return loss, gradients
        parts = [loss, *gradients]
        flat = tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)
        mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, flat)
        pieces = tf.split(mean, [part.shape.num_elements() for part in parts])
        loss, *gradients = [
            tf.reshape(piece, part.shape) for piece, part in zip(pieces, parts, strict=True)
        ]
        return loss, gradients

    def _update(self, gradients: list[Any], masks: Sequence[Any] = ()) -> None:
        """Clip the gradients and update the variables, or what the masks leave of them."""
        if self.clip_value is not None:
            gradients = clip_entries(gradients, self.clip_value)
        if self.clip_norm is not None:
            gradients = clip_each_member(gradients, self.clip_norm)
        if masks:
            self.optimizer.masks = dict(enumerate(masks))
        self.optimizer.apply(gradients, self.population.trainable_variables)

    def _turns(self, alternate: Alternate) -> list[Any]:
        """Which variables have their turn at this step."""
        place = self.step % alternate.period
        gates = place >= alternate.period - alternate.gates
        return [gates == is_gate for is_gate in self._gates]

    def _update_by_penalties(self, loss: Any) -> None:
        """An update by the penalties alone, of the members that they apply to."""
        if not self.penalty:
            return
        applied = {
            name: tf.where(self._judged(loss, given) < given["below"], given["weight"], 0.0)
            for name, given in self._weights().items()
        }
        members = tf.reduce_any(tf.stack(list(applied.values())) > 0, axis=0)  # [M]
        ranks = [len(v.shape) for v in self.population.trainable_variables]
        masks = [tf.reshape(members, [-1] + [1] * (rank - 1)) for rank in ranks]
        self._update(self._pulls(applied), masks)

    def _pulls(self, applied: dict[str, Any]) -> list[Any]:
        """The gradients of the penalties alone, each with its members' weights `[M]`."""

        def objective(model: keras.Model, applied: dict[str, Any]) -> tuple[Any, Any]:
            total = sum(applied[n] * p for n, p in self._active(model).items())
            return total, total

        return self.population.gradients(objective, applied, self.model)[1]

    def _applied(self, loss: Any) -> dict[str, Any]:
        """The weight that each penalty has for each member with such a loss."""
        return {n: self._weight(loss, given) for n, given in self._weights().items()}

    def _weight(self, loss: Any, given: dict[str, Any]) -> Any:
        # Not `<`: a penalty without a condition also applies where nothing was judged yet.
        weight = tf.where(self._judged(loss, given) >= given["below"], 0.0, given["weight"])
        return tf.where(given["below"] == np.inf, given["weight"], weight)

    def _judged(self, loss: Any, given: dict[str, Any]) -> Any:
        return loss if self.judge == "loss" else given["judged"]

    def _gradients(self, batch: Batch, noise: list[Any]) -> tuple[Any, list[Any]]:
        """Each member's loss on these examples, `[M]`, and its gradients."""
        if not self.compiled:
            return self._around(batch, noise)
        within = self._within if self.replicas == 1 else self._within_compiled
        return within(batch, noise)

    def _loss(self, y: Any, prediction: Any) -> Any:
        loss = self.task.loss(y, prediction)
        # A sum over a replica's examples, averaged over replicas, would lose their number.
        return loss * self.replicas if self.task.sums and self.replicas > 1 else loss

    def _around(self, batch: Batch, noise: list[Any]) -> tuple[Any, list[Any]]:
        """Each member's loss and gradients, by a tape around the map: the faster in a graph."""
        values = [v.value for v in self.population.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            values = [tf.convert_to_tensor(v) for v in values]
            tape.watch(values)
            prediction, penalties = self.population(
                (batch.x, noise),
                model=self.model,
                trainable=values,
                training=True,
                forward=self._forward,
            )
            loss = self._loss(batch.y, prediction)  # [M]
            # The sum, not the mean: a mean would scale each member's gradient by 1 / M.
            objective = tf.reduce_sum(self._total(loss, penalties, self._weights()))
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(objective, values)]

    def _within(self, batch: Batch, noise: list[Any]) -> tuple[Any, list[Any]]:
        """The same by a tape within the map: see `Population.gradients`."""

        def objective(model: keras.Model, inputs: Any) -> tuple[Any, Any]:
            x, y, weights = inputs
            prediction, penalties = self._forward(model, x)
            loss = self._loss(y[None], prediction[None])[0]
            return self._total(loss, penalties, weights), loss

        inputs = (batch.x, noise), batch.y, self._weights()
        return self.population.gradients(objective, inputs, self.model)

    @tf.function(jit_compile=True)
    def _within_compiled(self, batch: Batch, noise: list[Any]) -> tuple[Any, list[Any]]:
        return self._within(batch, noise)

    def _forward(self, model: keras.Model, inputs: Any) -> tuple[Any, dict[str, Any]]:
        """One member's outputs, and its penalties that have a weight."""
        x, noise = inputs
        with noise_from(noise):
            if "r_z" not in self.penalty:  # others need no look at the units' inputs
                return model(x, training=True), self._active(model)
            with mean_inputs() as seen:
                prediction = model(x, training=True)
        return prediction, self._active(model, seen)

    def _active(self, model: keras.Model, seen: Mapping[Any, Any] = NOTHING) -> dict[str, Any]:
        return {n: p for n, p in unit_penalties(model, seen).items() if n in self.penalty}

    def _weights(self) -> dict[str, Any]:
        """Each penalty's weight at this step, the loss below which it applies, what is judged."""
        members = [len(self.population)]
        return {
            name: {
                "weight": tf.broadcast_to(ramp_weight(ramp, self.step), members),
                "below": tf.broadcast_to(tf.cast(ramp.loss_below, tf.float32), members),
                "judged": tf.convert_to_tensor(self.judged),
            }
            for name, ramp in self.penalty.items()
        }

    def _total(self, loss: Any, penalties: dict[str, Any], weights: dict[str, Any]) -> Any:
        """The loss and the weighted penalties, of one member or of all."""
        if self._apart:
            return loss
        for name, given in weights.items():
            loss += self._weight(loss, given) * penalties[name]
        return loss


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
        seen: the mean inputs of units, as `mean_inputs` gives them; those that depend on the
            input are left out without.
    """
    total: dict[str, Any] = {}
    of_units = [unit.penalties() for unit in units_of(model)]
    # Units inside others are seen too: theirs are not part of what the outer one gives.
    of_inputs = [unit.input_penalties(mean) for unit, mean in seen.items()]
    for own in (*of_units, *of_inputs):
        for name, value in own.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _variable(name: str, value: Any) -> tf.Variable:
    """A variable that all replicas assign the same."""
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, name=name, aggregation=aggregation)


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, limit + 1) if number % d == 0)
