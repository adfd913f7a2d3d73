"""Trains a population: its steps in a loop within one program, its members in concurrent parts."""

import itertools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Alternate, Ramp, Restart, Train
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Task
from nalu_seq.training.initial_states import RandomStates
from nalu_seq.training.optimizers import of_members
from nalu_seq.training.restarts import Restarts
from nalu_seq.training.step import Step, ramp_of_members

# `Restarts` reads the errors after at most so many compiled steps, because reading ends a call.
STEPS_BETWEEN_CHECKS = 10


class Trainer:
    """Trains a population on a task, any number of steps a call.

    Members share nothing, so that they can be trained in parts: each part is a program of its own
    that runs beside the others. The cores can't share an operation of a small model, but they can
    share its members. When a call begins, the population's values are copied into the parts'
    variables, and back when it ends.

    Replicas of the population's strategy share each batch: each draws its own examples, losses and
    gradients are averaged over all replicas in one collective, and each replica makes the same
    update. Together they do what one replica would do alone, up to rounding.

    Args:
        population: the members.
        task: the task that they are trained on.
        optimizer: a Keras optimizer; it is built here, eagerly, on the stacked variables.
        members: the seed and the case of each member.
        model: the model that is trained, such as one unrolled for the training length.
        initial_states: draws the states that `model` takes beside its input; None if it takes none.
        train: the config of the training: batch size, clips, whether XLA compiles, and the number
            of parts (1 by default, and with several replicas).
        penalty: ramps of the units' penalties, by the penalty's name.
        restart: the rule by which members are restarted; None for never.
        alternate: whether gates and weights are updated in turn; None for all at once.

    Attributes:
        step: how many steps have been made, a variable.
        seconds: how long they took, measurements included; set by the loop's caller.
        last_loss: `[M]`, the loss of the newest batch; NaN before there is one.
        judged: `[M]`, the last validation error; inf before there is one.
        restarts: restarts members; None if they are never restarted.
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
        train: Train,
        penalty: Mapping[str, Ramp],
        restart: Restart | None = None,
        alternate: Alternate | None = None,
    ) -> None:
        self.population, self.optimizer, self.members = population, optimizer, members
        self.strategy = population.strategy
        self.seconds = tf.Variable(0.0, dtype=tf.float64, name="seconds")
        self.restarts = None if restart is None else Restarts(restart, population, task.weights)
        self._compiled = train.compile == "xla"
        interval = _largest_divisor(train.eval_every, STEPS_BETWEEN_CHECKS) if self._compiled else 1
        self._steps_between_checks = interval

        def step(population: Population, optimizer: Any, start: int, stop: int) -> Step:
            return Step(
                population,
                task,
                optimizer,
                members=Members(members.all[start:stop]),
                model=model,
                initial_states=initial_states,
                train=train,
                penalty={n: ramp_of_members(r, start, stop) for n, r in penalty.items()},
                alternate=alternate,
                restarts=restart is not None,
            )

        self._whole = step(population, optimizer, 0, len(members))
        counters = self._whole.counters
        self.step, self.judged = counters.step, counters.judged
        self.diverged_at, self.last_loss = counters.diverged_at, counters.last_loss
        self._parts: list[Step] = []
        count = min(train.parts or 1, len(members))
        if count > 1 and self.strategy.num_replicas_in_sync == 1:
            ends = np.linspace(0, len(members), count + 1).astype(int).tolist()
            self._parts = [
                step(population.part(*ends), of_members(optimizer, *ends), *ends)
                for ends in itertools.pairwise(ends)
            ]
        self._call = tf.function(
            self._in_parts() if self._parts else self._steps(self._whole),
            input_signature=[tf.TensorSpec((), tf.int32)],
            autograph=False,
        )

    def run(self, steps: int) -> None:
        """Make some training steps; members are restarted in between, if there is a rule.

        Args:
            steps: how many steps to make.
        """
        if not self.restarts:
            self._call(tf.constant(steps))
            self.last_loss.numpy()  # a GPU may still be at work: the caller measures the seconds
            return
        errors = self._whole.counters.errors
        end = int(self.step.numpy()) + steps
        while (step := int(self.step.numpy())) < end:
            count = self.restarts.call_length(step, self._steps_between_checks)
            self._call(tf.constant(count if step + count <= end else 1))
            self.restarts.after(int(self.step.numpy()), errors.numpy())
            errors.assign(tf.zeros_like(errors))

    def gradients(self, step: Any) -> tuple[Any, list[Any]]:
        """Each member's loss and gradients on the batch of a step, before any clip; trains nothing.

        Penalties that have an update of their own are left out.

        Args:
            step: the training step whose batch is drawn.

        Returns:
            The losses `[M]`, and a gradient `[M, ...]` for each trainable variable.
        """
        return self._whole.gradients(self._whole.draw(step))

    def mean_loss(self) -> Any:
        """Each member's mean loss since this was last called, `[M]`; NaN before any step."""
        counters = self._whole.counters
        mean = (counters.loss_sum / counters.loss_count).numpy()
        counters.loss_sum.assign(tf.zeros_like(counters.loss_sum))
        counters.loss_count.assign(0.0)
        return mean

    def trackables(self) -> dict[str, Any]:
        """All variables that a checkpoint must hold, by name."""
        counters = self._whole.counters
        return {
            "variables": [v.value for v in self.population.variables],
            "optimizer": [v.value for v in self.optimizer.variables],
            "step": counters.step,
            "diverged_at": counters.diverged_at,
            "seconds": self.seconds,
            "loss_sum": counters.loss_sum,
            "loss_count": counters.loss_count,
            "judged": counters.judged,
            **(self.restarts.trackables() if self.restarts else {}),
        }

    def _in_parts(self) -> Any:
        """A function that makes steps in all parts at the same time."""
        programs = [self._steps(part) for part in self._parts]
        whole, parts = self._whole.variables(), [part.variables() for part in self._parts]
        split = [_axis(v, parts[0][i]) for i, v in enumerate(whole)]
        sizes = [len(part.population) for part in self._parts]

        def call(count: Any) -> None:
            for variable, axis, *own in zip(whole, split, *parts, strict=True):
                values = [variable] * len(own) if axis is None else tf.split(variable, sizes, axis)
                for part_variable, value in zip(own, values, strict=True):
                    part_variable.assign(value)
            for program in programs:
                program(count)
            for variable, axis, *own in zip(whole, split, *parts, strict=True):
                variable.assign(own[0] if axis is None else tf.concat(own, axis))

        return call

    def _steps(self, step: Step) -> Any:
        """A function that makes `count` steps of one program."""

        def run_loop(count: Any) -> None:
            def body(remaining: Any, number: Any, data: Any) -> tuple[Any, Any, Any]:
                # The next step's examples do not depend on the weights, so that they are drawn
                # while this step trains. As loop variables they are also computed once: XLA would
                # draw a number again for each use of it.
                next_data = step.draw(number + 1)
                step.make(data)
                return remaining - 1, number + 1, next_data

            number = tf.identity(step.counters.step)
            tf.while_loop(
                lambda remaining, *_: remaining > 0, body, (count, number, step.draw(number))
            )

        def run_replicas(count: Any) -> None:
            def one() -> None:
                step.make(draw(step.counters.step))

            def body(remaining: Any) -> tuple[Any]:
                # Each replica draws its own data, which can't be a variable of the loop over steps.
                self.strategy.run(one)
                return (remaining - 1,)

            tf.while_loop(lambda remaining: remaining > 0, body, (count,))

        if self.strategy.num_replicas_in_sync > 1:
            draw = step.draw
            if self._compiled:
                draw = tf.function(draw, jit_compile=True, autograph=False)
            return run_replicas
        return tf.function(run_loop, jit_compile=self._compiled or None, autograph=False)


def _axis(whole: Any, part: Any) -> int | None:
    """The member axis of a part's variable; None if it has none and is the same in all parts."""
    sizes = enumerate(zip(whole.shape, part.shape, strict=True))
    return next((axis for axis, (size, part_size) in sizes if size != part_size), None)


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, limit + 1) if number % d == 0)
