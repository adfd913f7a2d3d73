"""`compile`, `fit`, `evaluate` and `predict` for a population, in Keras' own words."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rich.console import Console

from nalu_seq.population.clipping import clip_each, clip_each_member, per_member_optimizer
from nalu_seq.population.random import Stream
from nalu_seq.population.stacked import Stacked

STEPS_PER_EXECUTION = 10


class Fitting:
    """A population's loss, metrics and optimizer, and the programs that use them.

    Args:
        population: the members.
        optimizer: Keras' name of one, or one; a fresh one is made from its config.
        loss: Keras' name of a loss, a function, or a `keras.losses.Loss`.
        metrics: names, functions or `keras.metrics.Metric`s.
        jit_compile: whether XLA compiles.
        steps_per_execution: training steps in one call.
    """

    def __init__(
        self,
        population: Stacked,
        optimizer: Any,
        loss: Any,
        metrics: Sequence[Any],
        jit_compile: bool,
        steps_per_execution: int,
    ) -> None:
        self.population = population
        self.optimizer, self._clips = per_member_optimizer(optimizer)
        self.optimizer.build(population.trainable_variables)
        self._loss = _loss_function(loss)
        self._metrics = [_metric(metric, loss, population.model) for metric in metrics]
        self._compiled = jit_compile
        self._steps_per_execution = steps_per_execution
        self._epoch = 0
        members = len(population)
        # Each metric's state, and the loss as one more: a sum and how many examples it is over.
        initial = [np.zeros(2, np.float32)] + [
            v.numpy() for metric in self._metrics for v in metric.variables
        ]
        self._initial = [np.stack([value] * members) for value in initial]
        self._state = [tf.Variable(value) for value in self._initial]
        self._train = self._function(self._train_steps)
        self._test = self._function(self._test_step)

    @property
    def names(self) -> list[str]:
        """What is logged: the loss, then the metrics."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int,
        epochs: int,
        shuffle: bool,
        validation_data: tuple[Any, Any] | None,
        callbacks: Sequence[keras.callbacks.Callback],
        verbose: int,
    ) -> keras.callbacks.History:
        """See `Population.fit`."""
        data = _arrays(x, y)
        console, population = Console(), self.population
        population.stop_training = False
        history = keras.callbacks.History()
        listeners = keras.callbacks.CallbackList([*callbacks, history], model=population)
        listeners.on_train_begin()
        for epoch in range(epochs):
            listeners.on_epoch_begin(epoch)
            logs = self._one_epoch(data[0], data[1], batch_size, shuffle)
            if validation_data is not None:
                measured = self.evaluate(*validation_data, batch_size)
                logs |= {f"val_{name}": value for name, value in measured.items()}
            listeners.on_epoch_end(epoch, logs)
            if verbose:
                console.print(f"epoch {epoch + 1}/{epochs}  {_told(logs)}", highlight=False)
            if population.stop_training:
                break
        listeners.on_train_end()
        history.history = {name: np.stack(rows) for name, rows in history.history.items()}
        return history

    def evaluate(self, x: Any, y: Any, batch_size: int) -> dict[str, np.ndarray]:
        """The loss and the metrics of each member, `[M]` each."""
        x, y = _arrays(x, y)
        self._reset()
        for start in range(0, len(x), batch_size):
            self._test(x[start : start + batch_size], y[start : start + batch_size])
        return self._results()

    def _one_epoch(self, x: Any, y: Any, batch_size: int, shuffle: bool) -> dict[str, np.ndarray]:
        order = self._order(len(x), shuffle)
        self._epoch += 1
        self._reset()
        size, start = min(batch_size, len(x)), 0
        # Calls of many steps, then single steps for what is left, then the batch that is not full.
        for steps in (self._steps_per_execution, 1):
            while start + steps * size <= len(x):
                # Steps that are written out are part of the program, those of a loop are not.
                count = steps if self._compiled else tf.constant(steps)
                self._train(x, y, order, tf.constant(start), size, count)
                start += steps * size
        if start < len(x):
            count = 1 if self._compiled else tf.constant(1)
            self._train(x, y, order, tf.constant(start), len(x) - start, count)
        return self._results()

    def _order(self, examples: int, shuffle: bool) -> Any:
        """The order of an epoch: each member's own, `[M, N]`, or one for all, `[N]`."""
        if not shuffle:
            return tf.range(examples)
        stream = Stream(self.population.seeds, ["fit"] * len(self.population), "order")
        words = stream.at(self._epoch, 1).bits(examples)[:, 0]
        return tf.argsort(tf.cast(words, tf.int64), axis=-1, stable=True)

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(function, jit_compile=self._compiled or None, autograph=False)

    def _train_steps(self, x: Any, y: Any, order: Any, start: Any, size: int, steps: Any) -> None:
        def one(i: Any) -> Any:
            # Not order[..., a:b], whose size XLA can't know.
            at = [0] * (order.ndim - 1) + [start + i * size]
            picked = tf.slice(order, at, [*order.shape[:-1], size])
            self._train_step(tf.gather(x, picked), tf.gather(y, picked), each=order.ndim == 2)
            return i + 1

        if self._compiled:  # XLA's loops are slow on a CPU
            for i in range(steps):
                one(i)
        else:
            tf.while_loop(lambda i: i < steps, one, [tf.constant(0)], parallel_iterations=1)

    def _train_step(self, x: Any, y: Any, each: bool) -> None:
        """One step on a batch, `[M, B, ...]` if `each` member has its own."""
        batch, shared = ((x, y), None) if each else ((), (x, y))
        inputs = batch, [tf.convert_to_tensor(s) for s in self._state]

        def forward(model: keras.Model, inputs: Any) -> tuple[Any, Any]:
            x, y = shared or inputs[0]
            return self._measured(model, x, y, inputs[1], training=True)

        population = self.population
        if self._compiled:
            state, gradients = population.gradients(forward, inputs)
        else:
            values = [tf.convert_to_tensor(v.value) for v in population.trainable_variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                loss, state = population(inputs, trainable=values, training=True, forward=forward)
                total = tf.reduce_sum(loss)
            gradients = tape.gradient(total, values, unconnected_gradients="zero")
            gradients = [tf.convert_to_tensor(g) for g in gradients]
        if norm := self._clips.get("global_clipnorm"):
            gradients = clip_each_member(gradients, norm)
        if norm := self._clips.get("clipnorm"):
            gradients = clip_each(gradients, norm)
        self.optimizer.apply(gradients, population.trainable_variables)
        self._keep(state)

    def _test_step(self, x: Any, y: Any) -> None:
        def forward(model: keras.Model, state: Any) -> Any:
            return self._measured(model, x, y, state, training=False)[1]

        self._keep(self.population([tf.convert_to_tensor(s) for s in self._state], forward=forward))

    def _measured(
        self, model: keras.Model, x: Any, y: Any, state: Sequence[Any], training: bool
    ) -> tuple[Any, list[Any]]:
        """One member's loss on a batch, and the state of the loss and the metrics after it."""
        prediction = model(x, training=training)
        loss = self._loss(y, prediction)
        if model.losses:
            loss += sum(model.losses)
        examples = float(x.shape[0]) if x.shape[0] else tf.cast(tf.shape(x)[0], tf.float32)
        new = [state[0] + tf.stack([tf.cast(loss, tf.float32) * examples, examples])]
        place = 1
        for metric in self._metrics:
            own = state[place : place + len(metric.variables)]
            new += metric.stateless_update_state(own, y, prediction)
            place += len(own)
        return loss, new

    def _keep(self, state: Sequence[Any]) -> None:
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)

    def _reset(self) -> None:
        self._keep(self._initial)

    def _results(self) -> dict[str, np.ndarray]:
        state = [variable.numpy() for variable in self._state]
        results, place = {"loss": state[0][:, 0] / state[0][:, 1]}, 1
        for metric in self._metrics:
            own = state[place : place + len(metric.variables)]
            place += len(own)
            each = [metric.stateless_result(values) for values in zip(*own, strict=True)]
            results[metric.name] = np.asarray([ops.convert_to_numpy(value) for value in each])
        return results


def predict_batch(population: Stacked) -> Callable[[Any], Any]:
    """A program for every member's outputs on one batch: `[B, ...] -> [M, B, ...]`."""

    @tf.function(reduce_retracing=True, autograph=False)
    def one_batch(x: Any) -> Any:
        # The batch is the same for all: something has to be mapped over, and the seeds are at hand.
        seeds = tf.constant(population.seeds, tf.int64)
        return population(seeds, forward=lambda model, _: model(x, training=False))

    return one_batch


def predict(one_batch: Callable[[Any], Any], x: Any, batch_size: int) -> np.ndarray:
    """See `Population.predict`."""
    (x,) = _arrays(x)
    parts = [one_batch(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
    return np.concatenate([part.numpy() for part in parts], axis=1)


def _arrays(*arrays: Any) -> list[Any]:
    """Arrays of examples as tensors.

    Raises:
        ValueError: something else, or arrays of different lengths, or none.
    """
    for array in arrays:
        if not hasattr(array, "shape") and not isinstance(array, list):
            raise ValueError(
                f"a population takes arrays or tensors [examples, ...], not {type(array).__name__}"
            )
    tensors = [tf.convert_to_tensor(array) for array in arrays]
    # As Keras' fit does: NumPy's numbers have 64 bits unless told otherwise, a model's 32.
    tensors = [ops.cast(t, keras.config.floatx()) if t.dtype == tf.float64 else t for t in tensors]
    lengths = {int(tensor.shape[0]) for tensor in tensors}
    if len(lengths) > 1 or lengths == {0}:
        told = " and ".join(str(int(tensor.shape[0])) for tensor in tensors)
        raise ValueError(f"x and y must have as many examples, at least one: they have {told}")
    return tensors


def _loss_function(loss: Any) -> Callable[[Any, Any], Any]:
    """A scalar of targets and predictions, the mean over the examples as Keras' `fit` takes it."""
    found = keras.losses.get(loss)
    if isinstance(found, keras.losses.Loss):
        return found
    return lambda y, prediction: ops.mean(found(y, prediction))


def _metric(metric: Any, loss: Any, model: keras.Model) -> keras.metrics.Metric:
    """A metric from what Keras' `compile` takes; "accuracy" is the one that suits the output."""
    if metric in ("accuracy", "acc"):
        sparse = "sparse" in str(getattr(loss, "name", loss)).lower()
        binary = model.output_shape[-1] == 1
        kind = (
            keras.metrics.BinaryAccuracy
            if binary
            else keras.metrics.SparseCategoricalAccuracy
            if sparse
            else keras.metrics.CategoricalAccuracy
        )
        return _built(kind(name=metric))
    found = keras.metrics.get(metric)
    if isinstance(found, keras.metrics.Metric):
        config = found.get_config()
        name = metric if isinstance(metric, str) else found.name
        return _built(type(found).from_config({**config, "name": name}))
    name = metric if isinstance(metric, str) else found.__name__
    return _built(keras.metrics.MeanMetricWrapper(found, name=name))


def _built(metric: keras.metrics.Metric) -> keras.metrics.Metric:
    if not metric.variables:
        raise ValueError(f"the metric {metric.name} has no state before it is first updated")
    return metric


def _told(logs: dict[str, np.ndarray]) -> str:
    """Each figure as its median and its extremes over the members."""
    return "  ".join(
        f"{name} {np.median(values):.4g} [{values.min():.3g}, {values.max():.3g}]"
        for name, values in logs.items()
    )
