"""Draws of what a population may be given, each trained beside Keras' `fit` of each seed.

Models, losses, metrics, optimizers, arguments and kinds of data are drawn, and each draw is trained
three steps in both ways. `python -m tests.population.draws 0 1000` runs draws 0 to 999 and counts
what became of them; it ends with 1 if one differs. Draws that Keras' own `fit` can't train say so.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

from tests.population.catalogue import BATCH, STEPS
from tests.population.differential import IN_FLOAT64, Outcome, compare

EXAMPLES = STEPS * BATCH

Build = Callable[[], keras.Model]


def drawn_layers(draw: random.Random) -> list[Callable[[], L.Layer]]:
    """Layers between the input and the output: `[B, n] -> [B, n]` or `[B, T, n] -> [B, T, n]`."""
    regular = draw.choice([None, "l1", "l2"])
    constraint = draw.choice([None, "non_neg", "unit_norm", keras.constraints.MaxNorm(0.5)])
    rate = draw.choice([0.2, 0.6])
    pool = [
        lambda: L.Dense(4, "tanh", kernel_regularizer=regular, kernel_constraint=constraint),
        lambda: L.Dense(3, "relu", activity_regularizer=regular),
        lambda: L.BatchNormalization(momentum=0.5),
        L.LayerNormalization,
        lambda: L.Dropout(rate),
        lambda: L.GaussianNoise(rate),
        lambda: L.AlphaDropout(rate),
        lambda: L.SpectralNormalization(L.Dense(3)),
        lambda: L.ActivityRegularization(l2=rate),
        Penalised,
        OwnNoise,
        L.UnitNormalization,
        L.PReLU,
    ]
    return draw.sample(pool, draw.choice([1, 1, 2, 3]))


class Penalised(L.Layer):
    """Adds to the loss."""

    def call(self, x: Any) -> Any:
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        return x


class OwnNoise(L.Layer):
    """Draws by the generator that all layers share."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * keras.random.normal(keras.ops.shape(x)) if training else x


class OwnLoss(keras.Model):
    """Has a loss of its own."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        base = super().compute_loss(x, y, y_pred, sample_weight, training)
        return base + 0.1 * keras.ops.mean(keras.ops.abs(keras.tree.flatten(y_pred)[0]))


class OwnStep(keras.Model):
    """Has a training step of its own, which is refused."""

    def train_step(self, data):
        return super().train_step(data)


def drawn(number: int) -> dict[str, Any]:
    """One draw: what `compare` takes."""
    draw, numbers = random.Random(number), np.random.default_rng(number)
    masked, inputs = draw.random() < 0.4, draw.choice([1, 1, 2])
    outputs = draw.choice([1, 1, 2])
    shape = (4, 3) if masked else (3,)
    x = [numbers.normal(size=(EXAMPLES, *shape)).astype("float32") for _ in range(inputs)]
    if masked:
        for row in x[0]:
            row[draw.randint(1, 4) :] = 0
    middle = drawn_layers(draw)
    sequences = masked and draw.random() < 0.5
    kind = draw.choice(["real", "real", "classes", "yes"])
    units = {"real": 1, "classes": 3, "yes": 1}[kind]
    last = {"real": None, "classes": "softmax", "yes": "sigmoid"}[kind]
    model_class = draw.choices([keras.Model, OwnLoss, OwnStep], [12, 2, 1])[0]
    unroll = draw.random() < 0.8  # a loop of the graph takes several seconds to trace

    def build() -> keras.Model:
        ins = [keras.Input(shape) for _ in range(inputs)]
        h = ins[0] if inputs == 1 else L.Concatenate()(ins) if not masked else ins[0]
        if masked:
            h = L.LSTM(3, return_sequences=True, unroll=unroll)(L.Masking()(h))
            if inputs == 2:
                h = L.Add()([h, L.Dense(3)(ins[1])])
        for make in middle:
            h = make()(h)
        if masked and not sequences:
            h = L.GRU(3, unroll=unroll)(h)
        outs = [L.Dense(units, last, name=f"out{i}")(h) for i in range(outputs)]
        return model_class(ins if inputs > 1 else ins[0], outs if outputs > 1 else outs[0])

    places = (EXAMPLES, 4) if sequences else (EXAMPLES,)
    if kind == "real":
        y = numbers.normal(size=places).astype("float32")
        y = y if draw.random() < 0.3 else y[..., None]
        losses, metrics = (
            ["mse", "mae", "huber", keras.losses.LogCosh, absolute],
            ["mae", "R2Score"],
        )
        metrics = ["mae", "RootMeanSquaredError"] if sequences else metrics
    elif kind == "classes":
        y = numbers.integers(0, 3, places)
        losses, metrics = ["sparse_categorical_crossentropy"], ["accuracy"]
    else:
        y = numbers.integers(0, 2, places).astype("float32")[..., None]
        losses, metrics = ["binary_crossentropy", "mse"], ["accuracy", "AUC"]
    loss = draw.choice(losses)
    metrics = draw.sample(metrics, draw.randint(0, len(metrics)))
    optimizer = drawn_optimizer(draw)
    weights = numbers.uniform(0.5, 2, EXAMPLES).astype("float32") if draw.random() < 0.3 else None
    form = draw.choice(["arrays", "arrays", "dataset", "generator", "split", "epochs"])
    steps_a_call = draw.choice([None, None, 1, 2])

    def how() -> dict[str, Any]:
        own = {"optimizer": optimizer(), "steps_per_execution": steps_a_call}
        own["loss"] = loss() if isinstance(loss, type) else loss
        if metrics:
            own["metrics"] = [list(metrics)] * outputs if outputs > 1 else list(metrics)
        if weights is not None and metrics and outputs == 1:
            weighted = "SparseCategoricalAccuracy" if kind == "classes" else "MeanAbsoluteError"
            own["weighted_metrics"] = [getattr(keras.metrics, weighted)(name="weighted")]
        if outputs > 1 and number % 2:
            own |= {"loss": [own["loss"]] * outputs, "loss_weights": [0.3, 0.7]}
        return own

    def data() -> dict[str, Any]:
        one_x = x if inputs > 1 else x[0]
        one_y = [y, y] if outputs > 1 else y
        weight = weights if outputs == 1 else None
        parts = (tuple(x) if inputs > 1 else x[0], tuple(one_y) if outputs > 1 else y)
        parts += () if weight is None else (weight,)
        if form == "dataset":
            return {"x": tf.data.Dataset.from_tensor_slices(parts).batch(BATCH)}
        if form == "generator":
            return {"x": batches(parts), "steps_per_epoch": STEPS}
        more: dict[str, Any] = {"arrays": {}, "split": {"validation_split": 1 / 3}, "epochs": {}}[
            form
        ]
        if form == "epochs":
            more = {"epochs": 2, "steps_per_epoch": 2}
        return {"x": one_x, "y": one_y, "sample_weight": weight, "batch_size": BATCH} | more

    return {"build": build, "data": data, "how": how, "loop": draw.random() < 0.2}


def absolute(y: Any, prediction: Any) -> Any:
    """A loss that is a function."""
    return keras.ops.mean(keras.ops.abs(y - prediction), -1)


def batches(parts: Any) -> Iterator[Any]:
    """Batches one after another."""
    for start in range(0, EXAMPLES, BATCH):
        places = np.arange(start, start + BATCH)
        yield tf.nest.map_structure(lambda part, at=places: part[at], parts)


def drawn_optimizer(draw: random.Random) -> Callable[[], Any]:
    """An optimizer and its arguments."""
    name = draw.choice(["SGD", "Adam", "AdamW", "RMSprop", "Lamb", "Adafactor", "Nadam", "Lion"])
    arguments: dict[str, Any] = {"learning_rate": 0.02}
    extra = draw.choice(
        ["", "clipnorm", "global_clipnorm", "ema", "accumulate", "decay", "schedule", "scale"]
    )
    if extra in ("clipnorm", "global_clipnorm"):
        arguments[extra] = 0.1
    elif extra == "ema":
        arguments |= {"use_ema": True, "ema_overwrite_frequency": draw.choice([None, 2])}
    elif extra == "accumulate":
        arguments["gradient_accumulation_steps"] = 2
    elif extra == "decay":
        arguments["weight_decay"] = 0.1
    elif extra == "schedule":
        arguments["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(0.02, 1, 0.5)

    def make() -> Any:
        made = getattr(keras.optimizers, name)(**arguments)
        if extra == "decay":
            made.exclude_from_weight_decay(var_names=["bias"])
        return keras.optimizers.LossScaleOptimizer(made, 8.0, 2) if extra == "scale" else made

    return make


def is_so(outcome: Outcome) -> bool:
    """Whether a draw is `fit` of each seed, or refused because its model has a step of its own."""
    return outcome.kind in ("works", "loop") or (
        outcome.kind == "refused" and "OwnStep" in outcome.why
    )


if __name__ == "__main__":
    outcomes = {number: compare(**drawn(number)) for number in range(*map(int, sys.argv[1:]))}
    print(dict(Counter(o.why if o.why == IN_FLOAT64 else o.kind for o in outcomes.values())))
    rest = {number: outcome for number, outcome in outcomes.items() if not is_so(outcome)}
    for number, outcome in rest.items():
        print(number, outcome)
    sys.exit(any(outcome.kind != "keras" for outcome in rest.values()))
