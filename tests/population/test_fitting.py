"""A population fits as its members would one by one, by Keras' own `fit`."""

import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tf_config

from nalu_seq import Population
from nalu_seq.population.callbacks import BestMember, EachMember
from nalu_seq.population.mapping import NotVectorised
from nalu_seq.population.rows import Rows

SEEDS = [0, 3]
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(70, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, size=70)
STEPS = RANDOM.normal(size=(40, 5, 3)).astype(np.float32)
SUMS = STEPS.sum(axis=(1, 2))[:, None]


def mlp() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(momentum=0.9),
            layers.Dense(3, activation="softmax"),
        ]
    )


def lstm() -> keras.Model:
    layers = keras.layers
    return keras.Sequential([keras.Input((5, 3)), layers.LSTM(6, use_cudnn=False), layers.Dense(1)])


REGRESSION = {"loss": "mse", "metrics": ["mae", "RootMeanSquaredError"]}
HUBER = {"loss": keras.losses.Huber()}
CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


@pytest.fixture
def xla(monkeypatch):
    """Let Keras compile where another test has asked for deterministic operations."""
    monkeypatch.setattr(tf_config, "is_op_determinism_enabled", lambda: False)


def fit_alone(model: keras.Model, x, y, how, epochs, optimizer) -> tuple[dict, list, np.ndarray]:
    config = keras.optimizers.serialize(keras.optimizers.get(optimizer))
    model.compile(optimizer=keras.optimizers.deserialize(config), **how)
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, validation_data=(x, y)
    )
    return history.history, model.evaluate(x, y, batch_size=16, verbose=0), model.predict(x, 16, 0)


CLIPPED = keras.optimizers.SGD(0.1, 0.9, global_clipnorm=0.3)
CLIPPED_EACH = keras.optimizers.Adam(clipnorm=0.1)


@pytest.mark.parametrize(
    ("build", "x", "y", "how", "jit_compile", "optimizer"),
    [
        pytest.param(mlp, X, LABELS, CLASSES, False, CLIPPED, id="mlp"),
        pytest.param(mlp, X, LABELS, CLASSES, True, "adam", id="compiled", marks=pytest.mark.slow),
        pytest.param(lstm, STEPS, SUMS, REGRESSION, False, CLIPPED_EACH, id="lstm"),
        pytest.param(lstm, STEPS, SUMS, HUBER, False, "rmsprop", marks=pytest.mark.slow),
    ],
)
def test_it_is_fit_one_by_one(build, x, y, how, jit_compile, optimizer, xla):
    population = Population(build, SEEDS)
    model = population.member(1)
    config = keras.optimizers.serialize(keras.optimizers.get(optimizer))
    population.compile(keras.optimizers.deserialize(config), jit_compile=jit_compile, **how)
    history = population.fit(
        x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, validation_data=(x, y)
    )
    measured = population.evaluate(x, y, batch_size=16)
    predicted = population.predict(x, batch_size=16)
    logs, evaluated, prediction = fit_alone(model, x, y, how, 3, optimizer)
    assert list(history.history) == list(logs)
    for name, values in logs.items():
        np.testing.assert_allclose(history.history[name][:, 1], values, rtol=1e-4, atol=1e-6)
    last = np.atleast_1d(evaluated)
    # As Keras' own, evaluate gives the loss alone where there are no metrics.
    figures = measured if isinstance(measured, list) else [measured]
    np.testing.assert_allclose([m[1] for m in figures], last, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(predicted[1], prediction, rtol=1e-3, atol=1e-5)
    assert not np.allclose(predicted[0], predicted[1])
    # What the member has become is an ordinary model with the same weights.
    for own, other in zip(population.member(1).variables, model.variables, strict=True):
        np.testing.assert_allclose(own.value, other.value, rtol=1e-3, atol=1e-5)


def linear() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])


def test_each_member_shuffles_by_its_own_seed():
    y = X[:, :1]
    together, alone = Population(linear, SEEDS), Population(linear, [3])
    ordered = Population(linear, SEEDS)
    losses = []
    for population, shuffle in ((together, True), (alone, True), (ordered, False)):
        population.compile("sgd", "mse")
        history = population.fit(X, y, batch_size=7, epochs=2, shuffle=shuffle, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0][:, 1], losses[1][:, 0], rtol=1e-4)
    assert not np.allclose(losses[0], losses[2], rtol=1e-4)


class DistinctSteps(keras.optimizers.SGD):
    """Counts the distinct gradients, which TensorFlow has no mapped form of."""

    def update_step(self, gradient, variable, learning_rate):
        distinct, _ = tf.unique(tf.reshape(gradient, [-1]))
        rate = learning_rate / tf.cast(tf.size(distinct), tf.float32)
        super().update_step(gradient, variable, rate)


def test_one_after_another_where_an_optimizer_has_no_mapped_form():
    population = Population(linear, SEEDS, loop=True)
    model = population.member(1)
    for trained in (population, model):
        trained.compile(DistinctSteps(0.1), "mse")
        trained.fit(X, X[:, :1], batch_size=16, shuffle=False, verbose=0)
    for own, other in zip(population.member(1).variables, model.variables, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-7)


def test_a_compiled_step_takes_the_same_rows_in_the_same_order(xla):
    losses = []
    for jit_compile in (False, True):
        population = Population(linear, SEEDS)
        population.compile("sgd", "mse", jit_compile=jit_compile)
        assert population._fitting.jit_compile == jit_compile
        # 70 rows: the last batch has six. The second training has another number of rows.
        first = population.fit(X, X[:, :1], batch_size=16, epochs=2, verbose=0)
        other = population.fit(X[:40], X[:40, :1], batch_size=16, epochs=2, verbose=0)
        losses.append([*first.history["loss"], *other.history["loss"]])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_every_example_is_used_once_a_pass():
    population = Population(linear, 2)
    population.compile("sgd", "mse")
    orders = [population._fitting.next_order(50).numpy() for _ in range(2)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), [range(50)] * 2)
    assert (orders[0] != orders[1]).any()


def test_a_callback_sees_the_population_and_can_stop_it():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert isinstance(self.model, Population)
            assert logs["loss"].shape == (2,)
            self.model.stop_training = epoch == 1

    population = Population(linear, 2)
    population.compile("sgd", "mse")
    history = population.fit(X, X[:, :1], epochs=9, verbose=0, callbacks=[Stop()])
    assert history.history["loss"].shape == (2, 2)


def test_a_line_an_epoch(capsys):
    population = Population(linear, 2)
    population.compile("sgd", "mse", metrics=["mae"])
    population.fit(X, X[:, :1], epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "mae" in lines[0]


class OwnStep(keras.Model):
    def train_step(self, data):
        raise AssertionError("never called")


def own_step() -> keras.Model:
    inputs = keras.Input((6,))
    return OwnStep(inputs, keras.layers.Dense(1)(inputs))


def compiled(build=linear) -> Population:
    population = Population(build, 2)
    population.compile("sgd", "mse")
    return population


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Population(linear, 2).fit(X, X), "compile"),
        (lambda: compiled().fit(X, X[:3]), "70"),
        (lambda: compiled().fit(X[:0], X[:0, :1]), "examples"),
        (lambda: compiled(own_step).fit(X, X[:, :1]), "OwnStep has its own train_step"),
        (lambda: compiled().fit(X, X[:, :1], batch_size=0), "batch_size.*from 1, not 0"),
        (lambda: compiled().fit(X, X[:, :1], batch_size=-1), "batch_size.*from 1, not -1"),
        (lambda: compiled().fit(X, X[:, :1], batch_size=1.5), "batch_size.*from 1, not 1.5"),
        (lambda: compiled().fit(X, X[:, :1], epochs=0), "epochs.*from 1, not 0"),
        (lambda: compiled().fit(X, X[:, :1], steps_per_epoch=0), "steps_per_epoch.*from 1"),
        (lambda: compiled().evaluate(X, X[:, :1], batch_size=0), "batch_size.*from 1"),
        (lambda: compiled().predict(X, batch_size=True), "batch_size.*from 1"),
        (lambda: compiled().compile("sgd", "mse", steps_per_execution=0), "steps_per_execution"),
        (lambda: compiled().compile("sgd", "mse", steps_per_execution=-1), "steps_per_execution"),
        (lambda: compiled().fit(X, X[:, :1], callbacks=[3]), "callbacks must be"),
        (
            lambda: compiled().fit(X, X[:, :1], callbacks=[keras.callbacks.BackupAndRestore("b")]),
            "BackupAndRestore can't serve a population",
        ),
        (lambda: compiled().fit(Rows([[0, 70]] * 2, X, X)), "rows must be from 0 to 69"),
        (lambda: compiled().fit(None), "x is missing"),
        (lambda: compiled().fit(np.float32(3), 1), "not the single number"),
        (lambda: compiled().predict(X[:0]), "x has no examples"),
        (lambda: compiled().fit(X, X, validation_split=1.5), "validation_split must be a number"),
        (lambda: compiled().fit(X, X, validation_split="a"), "validation_split must be a number"),
        (lambda: compiled().fit(X, X, validation_freq=[1, 0]), "validation_freq must be a whole"),
        (lambda: compiled().fit(X, X, initial_epoch=1), "from 0 to below epochs=1, not 1"),
        (lambda: compiled().fit(X, X, initial_epoch=1.5), "initial_epoch must be a whole number"),
        (lambda: compiled().fit(X, X, class_weight=[1, 2]), "class_weight must map classes"),
        (lambda: compiled().fit(X, X, callbacks=keras.callbacks.History), "must be keras.callba"),
        (lambda: compiled().freeze(2), "index must be from 0 to 1, not 2"),
        (lambda: compiled().compile(None), "optimizer must be a name"),
        (lambda: compiled().fit(Rows([[0]] * 3, X, X[:, :1])), "rows has 3 members"),
        (lambda: compiled().fit(Rows([[0], [1, 2]], X, X)), "equally many for each member"),
    ],
)
def test_what_can_not_be_fitted_is_refused_before_anything_is_traced(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: random.random(), "own_noise .Lambda. draws by Python's or NumPy's"),
        (lambda: np.random.uniform(), "own_noise .Lambda. draws by Python's or NumPy's"),
        (lambda: tf.random.uniform([]), "own_noise .Lambda. draws by TensorFlow's own"),
    ],
)
@pytest.mark.parametrize("loop", [False, True])
def test_a_draw_that_no_seed_governs_is_refused(draw, says, loop):
    def build() -> keras.Model:
        noise = keras.layers.Lambda(lambda x: x * draw(), name="own_noise")
        return keras.Sequential([keras.Input((6,)), noise, keras.layers.Dense(1)])

    population = Population(build, 2, loop=loop)
    population.compile("sgd", "mse")
    with pytest.raises(ValueError, match=says):
        population.fit(X, X[:, :1])


def test_a_loss_that_draws_by_numpy_is_refused():
    population = Population(linear, 2)
    population.compile("sgd", lambda y, prediction: keras.ops.abs(y) * np.random.uniform())
    with pytest.raises(ValueError, match="the model's loss or a metric draws by"):
        population.fit(X, X[:, :1])


def convnet() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, name="filters"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def test_a_layer_that_does_not_vectorise_is_named_unless_the_loop_is_asked_for(caplog):
    x = RANDOM.normal(size=(20, 6, 6, 1)).astype(np.float32)
    refused, looped = Population(convnet, 2), Population(convnet, 2, loop=True)
    with pytest.raises(NotVectorised, match=r"^filters \(Conv2D\).*loop=True"):
        refused.predict(x)
    assert not caplog.records  # TensorFlow writes pages
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    looped.compile("sgd", loss)
    alone = looped.member(1)
    history = looped.fit(x, LABELS[:20], batch_size=8, epochs=2, shuffle=False, verbose=0)
    alone.compile("sgd", loss)
    own = alone.fit(x, LABELS[:20], batch_size=8, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"][:, 1], own.history["loss"], rtol=1e-4)


def test_an_optimizer_in_use_is_refused():
    optimizer = keras.optimizers.SGD(0.1)
    Population(linear, 2).compile(optimizer, "mse")
    with pytest.raises(ValueError, match="SGD is in use"):
        Population(linear, 2).compile(optimizer, "mse")


def test_each_member_learns_at_its_own_rate():
    population = Population(linear, [3, 3, 3])
    population.compile(keras.optimizers.SGD(0.1), "mse")
    population.optimizer.learning_rate = [0.0, 0.1, 0.2]
    np.testing.assert_allclose(population.optimizer.learning_rate, [0.0, 0.1, 0.2])
    history = population.fit(X, X[:, :1], epochs=2, shuffle=False, verbose=0).history
    alone = linear()
    alone.set_weights([v[1].numpy() for v in (Population(linear, [3] * 3).variables)])
    alone.compile(keras.optimizers.SGD(0.1), "mse")
    own = alone.fit(X, X[:, :1], epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"][:, 1], own["loss"], rtol=1e-4)
    assert history["loss"][0, 0] == pytest.approx(history["loss"][1, 0])
    assert len(set(history["loss"][1].tolist())) == 3


def test_members_see_their_own_rows():
    rows = [range(0, 40), range(30, 70)]
    population = Population(linear, SEEDS)
    population.compile("sgd", "mse")
    train = Rows(rows, X, X[:, :1])
    held_out = Rows([range(40, 70), range(0, 30)], X, X[:, :1])
    history = population.fit(
        train, batch_size=16, epochs=2, shuffle=False, verbose=0, validation_data=held_out
    ).history
    for index, (seed, own) in enumerate(zip(SEEDS, rows, strict=True)):
        keras.utils.set_random_seed(seed)
        alone = linear()
        alone.compile("sgd", "mse")
        rest = np.setdiff1d(np.arange(70), own)
        logs = alone.fit(
            X[own],
            X[own, :1],
            batch_size=16,
            epochs=2,
            shuffle=False,
            verbose=0,
            validation_data=(X[rest], X[rest, :1]),
        ).history
        for name, values in logs.items():
            np.testing.assert_allclose(history[name][:, index], values, rtol=1e-4)


def test_members_stop_and_are_saved_by_themselves(tmp_path):
    stopping = EachMember(keras.callbacks.EarlyStopping("loss", min_delta=0.02, patience=0))
    best = BestMember(tmp_path / "best.keras", "loss")
    each = keras.callbacks.ModelCheckpoint(tmp_path / "own.keras", "loss", save_best_only=True)
    population = Population(linear, [3, 4, 5])
    population.compile(keras.optimizers.SGD(0.05), "mse")
    history = population.fit(
        X, X[:, :1], epochs=30, shuffle=False, verbose=0, callbacks=[stopping, best, each]
    ).history["loss"]
    stopped = [own.stopped_epoch for own in stopping.copies]
    assert len(set(stopped)) > 1 and len(history) == max(stopped) + 1
    for index, epoch in enumerate(stopped):
        assert np.isfinite(history[: epoch + 1, index]).all()
        assert np.isnan(history[epoch + 1 :, index]).all()
    saved, together = keras.models.load_model(tmp_path / "best.keras"), population.predict(X)
    assert best.best == np.nanmin(history)
    for index in range(3):
        own = keras.models.load_model(tmp_path / f"own_member{index}.keras")
        np.testing.assert_allclose(own.predict(X, verbose=0), together[index], rtol=1e-5)
    np.testing.assert_allclose(saved.predict(X, verbose=0), together[best.member], rtol=1e-5)


def test_what_reports_gets_the_median(tmp_path):
    population = compiled()
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = population.fit(X, X[:, :1], epochs=2, verbose=0, callbacks=[log]).history
    rows = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    np.testing.assert_allclose(rows["loss"], np.median(history["loss"], axis=1), rtol=1e-5)


def test_batch_hooks_see_each_step():
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"].shape))
    )
    compiled().fit(X, X[:, :1], verbose=0, callbacks=look)
    assert seen == [(0, (2,)), (1, (2,)), (2, (2,))]


REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nalu_seq import Population

x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
build = lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
both = []
for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    population = Population(build, seeds=2, strategy=strategy)
    population.compile(keras.optimizers.Adam(0.1, clipnorm=0.3), "mse", metrics=["mae"])
    history = population.fit(
        x, x[:, :1], epochs=2, shuffle=False, validation_split=0.25, verbose=0
    ).history
    both.append({**history, "predicted": population.predict(x)})
for name, values in both[0].items():
    np.testing.assert_allclose(values, both[1][name], rtol=1e-4, atol=1e-5)
    assert np.abs(values).min() > 0 or name == "predicted"
"""


@pytest.mark.slow
def test_replicas_fit_what_one_fits():
    # In a process of its own, as devices are set before TensorFlow begins.
    subprocess.run([sys.executable, "-c", REPLICAS], check=True)


BACKEND = """
import keras
from nalu_seq import Population
try:
    Population(lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), seeds=2)
except ValueError as error:
    assert "needs Keras' TensorFlow backend, and this is jax" in str(error), error
else:
    raise AssertionError("no word of the backend")
"""


@pytest.mark.slow
def test_another_backend_is_refused():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", BACKEND], check=True, env=environment)


FORKED = """
import multiprocessing, keras, tensorflow as tf
from nalu_seq import Population

def made():
    try:
        Population(lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), seeds=2)
    except ValueError as error:
        assert "forked after TensorFlow had begun" in str(error)
    else:
        raise SystemExit(3)

tf.constant(1) + 1
process = multiprocessing.get_context("fork").Process(target=made)
process.start()
process.join(60)
raise SystemExit(process.exitcode)
"""


@pytest.mark.slow
def test_a_fork_after_tensorflow_has_begun_is_refused():
    subprocess.run([sys.executable, "-c", FORKED], check=True)


def test_later_data_of_another_size_are_trained_and_evaluated_on():
    """A step of rows in memory is traced for their number; another number has a step of its own."""
    population, y = compiled(), X[:, :1]
    population.fit(X, y, batch_size=8, verbose=0)
    before = [v.value.numpy() for v in population.variables]
    population.fit(X[:31], y[:31], batch_size=8, shuffle=False, verbose=0)
    fresh = compiled()
    for variable, value in zip(fresh.variables, before, strict=True):
        variable.assign(value)
    fresh.fit(X[:31], y[:31], batch_size=8, shuffle=False, verbose=0)
    for ours, theirs in zip(population.variables, fresh.variables, strict=True):
        np.testing.assert_array_equal(ours.value, theirs.value)
    for size in (70, 31, 5, 31):
        errors = (population.predict(X[:size]) - y[:size]) ** 2  # [M, size, 1]
        measured = population.evaluate(X[:size], y[:size], batch_size=8)
        np.testing.assert_allclose(measured, errors.mean(axis=(1, 2)), rtol=1e-5)
    population.fit(X, y, batch_size=16, validation_data=(X[:9], y[:9]), verbose=0)


def test_steps_without_a_graph_train_as_those_of_a_graph():
    weights = []
    for eager in (False, True):
        population = Population(linear, 2)
        population.compile("sgd", "mse", run_eagerly=eager)
        population.fit(X[:20], X[:20, :1], batch_size=8, epochs=2, verbose=0)
        weights.append([v.value.numpy() for v in population.variables])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_training_after_one_that_failed_evaluates_on_its_own_data():
    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("on purpose")

    population, y = compiled(), X[:, :1]
    with pytest.raises(RuntimeError, match="on purpose"):
        population.fit(X, y, validation_data=(X, y + 100), callbacks=[Fail()], verbose=0)
    history = population.fit(X, y, validation_data=(X[:9], y[:9]), verbose=0)
    assert (history.history["val_loss"] < 100).all()
