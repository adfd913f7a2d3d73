"""A population fits as its members would one by one, by Keras' own `fit`."""

import keras
import numpy as np
import pytest

from nalu_seq import Population
from nalu_seq.population.mapping import NotVectorised

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


def fit_alone(model: keras.Model, x, y, how, epochs, optimizer) -> tuple[dict, list, np.ndarray]:
    config = keras.optimizers.serialize(keras.optimizers.get(optimizer))
    model.compile(optimizer=keras.optimizers.deserialize(config), **how)
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, validation_data=(x, y)
    )
    return history.history, model.evaluate(x, y, batch_size=16, verbose=0), model.predict(x, 16, 0)


CLIPPED = keras.optimizers.SGD(0.1, 0.9, global_clipnorm=0.3)


@pytest.mark.parametrize(
    ("build", "x", "y", "how", "jit_compile", "optimizer"),
    [
        pytest.param(mlp, X, LABELS, CLASSES, False, CLIPPED, id="mlp"),
        pytest.param(mlp, X, LABELS, CLASSES, True, "adam", id="compiled", marks=pytest.mark.slow),
        pytest.param(lstm, STEPS, SUMS, REGRESSION, False, keras.optimizers.Adam(clipnorm=0.1)),
        pytest.param(lstm, STEPS, SUMS, HUBER, False, "rmsprop", marks=pytest.mark.slow),
    ],
)
def test_it_is_fit_one_by_one(build, x, y, how, jit_compile, optimizer):
    population = Population(build, SEEDS)
    model = population.member(1)
    population.compile(optimizer, jit_compile=jit_compile, **how)
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
    np.testing.assert_allclose([m[1] for m in measured], last, rtol=1e-4, atol=1e-6)
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


def test_every_example_is_used_once_an_epoch():
    population = Population(linear, 2)
    population.compile("sgd", "mse")
    for epoch in range(2):
        population._fitting._epoch = epoch
        order = population._fitting._order(50, shuffle=True).numpy()
        np.testing.assert_array_equal(np.sort(order), [range(50)] * 2)


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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda p: p.fit(X, X), "compile"),
        (lambda p: p.compile("adafactor"), "Adafactor looks at a variable as a whole"),
        (lambda p: (p.compile(), p.fit(X, X[:3])), "they have 70 and 3"),
        (lambda p: (p.compile(), p.fit(iter([X]), X)), "arrays or tensors"),
    ],
)
def test_what_can_not_be_fitted_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong(Population(linear, 2))


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


def test_dropout_is_refused():
    def build():
        layers = [keras.Input((6,)), keras.layers.Dropout(0.5, name="half"), keras.layers.Dense(1)]
        return keras.Sequential(layers)

    with pytest.raises(ValueError, match="half draws random numbers"):
        Population(build, 2)
