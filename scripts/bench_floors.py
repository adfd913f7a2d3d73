"""The arithmetic that no engine can leave out, at a population's sizes, for scripts/bench.py.

Each is drawing the numbers, and the logarithms, products and convolutions of the forward pass and
of the gradients of the weights: no layers, no losses, no optimizer, no clip, nothing of Keras.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from nalu_seq.experiment.experiment import Experiment
from nalu_seq.population.random import Stream
from nalu_seq.units.weights import FEW

REPEATS = 10
Draw = Callable[[Any], Any]  # a step's numbers
Arithmetic = Callable[[Any], list[Any]]  # gradients from them


def floor(workload: str, members: int, experiment: Experiment) -> Callable[[int], Any]:
    """What repeats a workload's arithmetic, many times a call: the fastest of several forms.

    In a graph or compiled by XLA, and products of few inputs also as sums of terms.
    """
    if workload.startswith("mnist_count"):
        return _repeated(*_convnets(members, experiment), jit=False)
    if workload.startswith("count"):
        return _repeated(*_lstm(members, experiment), jit=False)
    unit, hidden = experiment.choices["unit"], 1
    if workload.startswith("arithmetic"):
        unit, hidden = ("nalu" if unit == "nalu" else "nau"), 2  # of the first layer, the large one
    products = [Products()] if experiment.task.input_size > FEW else [Products(), Terms()]
    compiled = [
        _repeated(*_unit(unit, hidden, members, experiment, form), jit)
        for jit in (True, False)
        for form in products
    ]
    return min(compiled, key=_seconds)


class Products:
    """Products of matrices: `[M, B, in], [M, in, units]`."""

    def __call__(self, x: Any, w: Any) -> Any:
        return tf.matmul(x, w)

    def of_weights(self, x: Any, dy: Any) -> Any:
        """The gradient of `w`."""
        return tf.matmul(x, dy, transpose_a=True)


class Terms(Products):
    """The same as sums of terms, which a compiler fuses with what stands around them."""

    def __call__(self, x: Any, w: Any) -> Any:
        return tf.reduce_sum(x[..., None] * w[:, None], axis=-2)

    def of_weights(self, x: Any, dy: Any) -> Any:
        return tf.reduce_sum(x[..., None] * dy[..., None, :], axis=1)


def _repeated(draw: Draw, one: Arithmetic, jit: bool) -> Callable[[int], Any]:
    """Repeats of drawing a step's numbers and making gradients of them, which are added up."""
    step = tf.Variable(0, dtype=tf.int64)
    sums = [tf.Variable(tf.zeros_like(g)) for g in one(draw(step))]

    @tf.function(jit_compile=jit or None)
    def drawn(count: int) -> list[Any]:
        return [draw(step + i) for i in range(count)]

    @tf.function(jit_compile=jit or None)
    def again(batches: list[Any]) -> None:
        for x in batches:
            for total, gradient in zip(sums, one(x), strict=True):
                total.assign_add(gradient)
            step.assign_add(1)

    @tf.function
    def call() -> None:
        if jit:
            again(drawn(REPEATS))
        else:
            for _ in tf.range(REPEATS):
                again(drawn(1))

    def work(count: int) -> None:
        for _ in range(max(1, count // REPEATS)):
            call()

    work.steps = REPEATS  # type: ignore[attr-defined]
    return work


def _seconds(work: Callable[[int], Any]) -> float:
    work(REPEATS)
    begun = time.perf_counter()
    work(10 * REPEATS)
    return time.perf_counter() - begun


def _unit(
    unit: str, hidden: int, members: int, experiment: Experiment, times: Products
) -> tuple[Draw, Arithmetic]:
    features, batch = experiment.task.input_size, experiment.cfg.train.batch_size
    stream = Stream(range(members), ["floor"] * members, "train")
    w, g = (tf.Variable(tf.random.uniform([members, features, hidden], 0.2, 0.8)) for _ in "wg")

    def linear(x: Any) -> list[Any]:
        y = times(x, w)
        return [times.of_weights(x, y)]

    def nalu(x: Any) -> list[Any]:
        log = tf.math.log(tf.abs(x))
        gate = tf.sigmoid(times(x, g))
        a, m = times(x, w), tf.exp(times(log, w))
        y = gate * a + (1 - gate) * m
        of_a, of_m = y * gate, y * (1 - gate) * m
        dw = times.of_weights(x, of_a) + times.of_weights(log, of_m)
        return [dw, times.of_weights(x, y * (a - m) * gate * (1 - gate))]

    def nmu(x: Any) -> list[Any]:
        z = x * tf.squeeze(w, -1)[:, None] + (1 - tf.squeeze(w, -1)[:, None])  # two inputs
        y = z[..., :1] * z[..., 1:]
        return [tf.reduce_sum(y * tf.reverse(z, [-1]) * (x - 1), axis=1)]

    def real_npu(x: Any) -> list[Any]:
        gate = tf.squeeze(g, -1)[:, None]
        r = gate * tf.abs(x) + (1 - gate)
        log, k = tf.math.log(r), tf.where(x < 0, gate * 3.14159265, 0.0)
        size, phase = tf.exp(times(log, w)), times(k, w)
        y, s = size * tf.cos(phase), size * tf.sin(phase)
        dw = times.of_weights(log, y * y) - times.of_weights(k, y * s)
        of_log = times(y * y, tf.linalg.matrix_transpose(w))
        return [dw, tf.reduce_sum(of_log / r * (tf.abs(x) - 1), axis=1)]

    forms = {"nalu": nalu, "nmu": nmu, "real_npu": real_npu}

    def draw(step: Any) -> Any:
        return stream.at(step, batch).uniform(1.0, 2.0, features)

    return draw, forms.get(unit, linear)


def _lstm(members: int, experiment: Experiment) -> tuple[Draw, Arithmetic]:
    """An LSTM's products and gates over the training length, forward and backward."""
    length, features = experiment.task.length, experiment.task.input_size
    batch, units = experiment.cfg.train.batch_size, experiment.cfg.encoder.units
    stream = Stream(range(members), ["floor"] * members, "train")
    kernel = tf.Variable(tf.random.normal([members, features, 4 * units], stddev=0.1))
    recurrent = tf.Variable(tf.random.normal([members, units, 4 * units], stddev=0.1))

    def draw(step: Any) -> Any:
        return stream.at(step, batch).integers(0, features, length)

    def one(symbols: Any) -> list[Any]:
        x = tf.one_hot(symbols, features)  # [M, B, T, features]
        h = c = tf.zeros([members, batch, units])
        with tf.GradientTape() as tape:
            total = 0.0
            for t in range(length):
                z = tf.matmul(x[:, :, t], kernel) + tf.matmul(h, recurrent)
                i, f, o, n = tf.split(z, 4, axis=-1)
                c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(n)
                h = tf.sigmoid(o) * tf.tanh(c)
                total += tf.reduce_sum(h)
        return tape.gradient(total, [kernel, recurrent])

    return draw, one


def _convnets(members: int, experiment: Experiment) -> tuple[Draw, Arithmetic]:
    """Each member's convolutions, pools and dense products on all frames, forward and backward."""
    network = next(
        layer for layer in experiment.build().layers if hasattr(layer, "network")
    ).network
    frames = experiment.cfg.train.batch_size * experiment.task.length
    images = tf.random.normal([members, frames, *network.input_shape[-3:]])
    padding = str(experiment.cfg.encoder.padding).upper()
    kinds = [layer for layer in network.layers if layer.weights or "pool" in layer.name]
    kernels = [
        [tf.Variable(layer.kernel) for layer in kinds if layer.weights] for _ in range(members)
    ]

    def draw(step: Any) -> Any:
        return images + 1e-6 * tf.cast(step, tf.float32)

    def one(drawn: Any) -> list[Any]:
        gradients = []
        for member in range(members):
            y = drawn[member]
            with tf.GradientTape() as tape:
                left = iter(kernels[member])
                for layer in kinds:
                    if "pool" in layer.name:
                        y = tf.nn.max_pool2d(y, 2, 2, "VALID")
                    elif isinstance(layer, keras.layers.Conv2D):
                        y = tf.nn.relu(tf.nn.conv2d(y, next(left), 1, padding))
                    else:
                        y = tf.matmul(tf.reshape(y, [frames, -1]), next(left))
                total = tf.reduce_sum(y * y)
            gradients += tape.gradient(total, kernels[member])
        return gradients

    return draw, one
