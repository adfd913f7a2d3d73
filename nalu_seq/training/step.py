"""The training step of a population: sample, forward, loss per member, gradients, update."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from nalu_seq.config import Ramp
from nalu_seq.tasks.base import Task
from nalu_seq.training.optimizers import clip_each_member
from nalu_seq.training.population import Population
from nalu_seq.training.random import Stream

# Steps written out in one compiled call, at most: what pays for small feed-forward models.
UNROLLED_STEPS = 10


class Trainer:
    """Trains a population on a task, several steps a call.

    Args:
        population: the members.
        task: what they learn.
        optimizer: a Keras optimizer; it is built here, eagerly, on the stacked variables.
        cases: each member's case, by name.
        model: the population's model as trained, such as one unrolled for the training length.
        batch_size: examples a step, for each member.
        clip_norm: the largest gradient norm of a member; None for none.
        penalty: ramps of the units' penalties, by the penalty's name.
        compiled: whether XLA compiles the step.
        interval: steps between evaluations; compiled calls divide it evenly.

    Attributes:
        step: how many steps have been made, a variable.
        seconds: how long they took, measurements included; kept by whoever runs the loop.
        diverged_at: `[M]`, the step (from 1) at which a member's loss was first not finite, or 0.
    """

    def __init__(
        self,
        population: Population,
        task: Task,
        optimizer: keras.optimizers.Optimizer,
        *,
        cases: list[str],
        model: keras.Model,
        batch_size: int,
        clip_norm: float | None,
        penalty: Mapping[str, Ramp],
        compiled: bool,
        interval: int,
    ) -> None:
        self.population = population
        self.task = task
        self.optimizer = optimizer
        self.model = model
        self.batch_size = batch_size
        self.clip_norm = clip_norm
        self.penalty = penalty
        self.stream = Stream(population.seeds, cases, "train")
        members = len(population)
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.diverged_at = tf.Variable(tf.zeros([members], tf.int64), name="diverged_at")
        self.seconds = tf.Variable(0.0, dtype=tf.float64, name="seconds")
        self.loss_sum = tf.Variable(tf.zeros([members]), name="loss_sum")
        self.loss_count = tf.Variable(0.0, name="loss_count")
        # Built before anything is traced: a lazily built Keras optimizer fails under tf.distribute.
        optimizer.build(population.trainable_variables)
        self.steps_per_call = _largest_divisor(interval, UNROLLED_STEPS) if compiled else 1
        self._calls = self._make_calls(self.steps_per_call, compiled)
        # For the rest of an interval that ends early; traced only if it is ever needed.
        self._single = self._make_calls(1, compiled)

    def run(self, steps: int) -> None:
        """Make `steps` steps: calls of `steps_per_call`, then single steps for what is left."""
        calls, rest = divmod(steps, self.steps_per_call)
        if calls:
            self._calls(tf.constant(calls))
        if rest:
            self._single(tf.constant(rest))

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
        }

    def _make_calls(self, length: int, compiled: bool) -> Callable[[Any], None]:
        def one_call() -> None:
            for _ in range(length):
                self._one_step()

        call = tf.function(one_call, jit_compile=True) if compiled else one_call

        @tf.function(input_signature=[tf.TensorSpec((), tf.int32)])
        def calls(count: Any) -> None:
            for _ in tf.range(count):
                call()

        return calls

    def _one_step(self) -> None:
        batch = self.task.train_batch(self.stream.at(self.step, self.batch_size))
        values = [v.value for v in self.population.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            values = [tf.convert_to_tensor(v) for v in values]
            tape.watch(values)
            prediction, penalties = self.population(
                batch.x, model=self.model, trainable=values, training=True, penalties=unit_penalties
            )
            loss = self.task.loss(batch.y, prediction)  # [M]
            total = loss
            for name, ramp in self.penalty.items():
                weight = ramp_weight(ramp, self.step)
                if math.isfinite(ramp.loss_below):
                    weight *= tf.cast(loss < ramp.loss_below, loss.dtype)  # [M]
                total += weight * penalties[name]
            # The sum, not the mean: a mean would scale each member's gradient by 1 / M.
            objective = tf.reduce_sum(total)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(objective, values)]
        if self.clip_norm is not None:
            gradients = clip_each_member(gradients, self.clip_norm)
        self.optimizer.apply(gradients, self.population.trainable_variables)
        self.step.assign_add(1)
        newly = (self.diverged_at == 0) & ~tf.math.is_finite(loss)
        self.diverged_at.assign(tf.where(newly, self.step, self.diverged_at))
        self.loss_sum.assign_add(loss)
        self.loss_count.assign_add(1.0)


def ramp_weight(ramp: Ramp, step: Any) -> Any:
    """A penalty's weight at a step, as `Ramp` says, for any loss."""
    step = tf.cast(step, tf.float32)
    progress = (step - ramp.start) / max(ramp.end - ramp.start, 1)
    if ramp.end <= ramp.start:
        progress += 1.0
    weight = ramp.weight
    if ramp.growth != 1.0:
        weight = tf.minimum(weight * ramp.growth ** tf.floor(step / ramp.every), ramp.largest)
    return weight * tf.clip_by_value(progress, 0.0, 1.0)


def unit_penalties(model: keras.Model) -> dict[str, Any]:
    """The penalties of a model's units by name, each summed over the units that have it."""
    total: dict[str, Any] = {}
    for layer in model.layers:
        holder = getattr(layer, "cell", layer)
        unit = getattr(holder, "unit", holder)
        if hasattr(unit, "penalties"):
            for name, value in unit.penalties().items():
                total[name] = total.get(name, 0.0) + value
    return total


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, limit + 1) if number % d == 0)
