"""`evaluate` and `predict` of a population: after a training, in the middle of one, on any data."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq import Population
from nalu_seq.population.callbacks import EachMember
from nalu_seq.population.rows import Rows
from tests.population.test_fitting import SEEDS, X, linear


def fitted(**how) -> Population:
    population = Population(linear, SEEDS)
    population.compile(keras.optimizers.SGD(0.05), "mse")
    population.fit(X, X[:, :1], shuffle=False, verbose=0, **how)
    return population


def test_members_that_have_stopped_are_measured_too():
    stopping = EachMember(keras.callbacks.EarlyStopping("loss", min_delta=1.0, patience=0))
    population = fitted(epochs=5, callbacks=[stopping])
    assert not population._fitting.active.numpy().any()
    errors = population.predict(X) - X[:, :1]
    measured = population.evaluate(X, X[:, :1])
    np.testing.assert_allclose(measured, np.square(errors).mean(axis=(1, 2)), rtol=1e-5)


def of_arrays(population: Population, **how) -> None:
    population.fit(X, X[:, :1], verbose=0, **how)


def of_data_set(population: Population, **how) -> None:
    data = tf.data.Dataset.from_tensor_slices((X, X[:, :1])).batch(7)
    population.fit(data, validation_data=data, shuffle=False, verbose=0, **how)


def of_steps(population: Population, **how) -> None:
    population.fit(X, X[:, :1], batch_size=7, steps_per_epoch=6, verbose=0, **how)


def of_arrays_validated(population: Population, **how) -> None:
    population.fit(X, X[:, :1], validation_data=[X[:20], X[:20, :1]], verbose=0, **how)


@pytest.mark.parametrize("fit", [of_arrays, of_data_set, of_steps, of_arrays_validated])
def test_a_callback_may_measure_and_predict(fit):
    figures = []

    class Measures(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            figures.append(self.model.evaluate(X[:30], X[:30, :1]))
            assert self.model.predict(X, batch_size=7).shape == (2, 70, 1)

    population = Population(linear, SEEDS)
    population.compile("sgd", "mse")
    fit(population, epochs=2, callbacks=[Measures()])
    np.testing.assert_allclose(figures[-1], population.evaluate(X[:30], X[:30, :1]), rtol=1e-6)
    assert population.predict(X, batch_size=7, steps=3).shape == (2, 21, 1)


def test_steps_without_a_batch_size_divide_the_examples_as_keras_does():
    population = Population(linear, SEEDS)
    model = population.member(1)
    measured = []
    for trained in (population, model):
        trained.compile("sgd", "mse")
        history = trained.fit(
            X, X[:, :1], shuffle=False, verbose=0, validation_data=(X, X[:, :1]), validation_steps=2
        )
        measured.append((trained.evaluate(X, X[:, :1], steps=1), history.history["val_loss"][-1]))
    np.testing.assert_allclose(np.asarray(measured[0])[:, 1], measured[1], rtol=1e-5)


def test_rows_hold_targets_and_weights_themselves():
    population = Population(linear, SEEDS)
    population.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"^Rows holds y and the weights itself"):
        population.fit(Rows(None, X, X[:, :1]), sample_weight=np.zeros(70))
    with pytest.raises(ValueError, match=r"^predict gives all members the same inputs"):
        population.predict(Rows(None, X))


def test_each_member_s_callback_sees_its_own_predictions():
    class Noting(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            self.outputs = logs["outputs"]

    noting = EachMember(Noting())
    population = Population(linear, SEEDS)
    predicted = population.predict(X, batch_size=70, callbacks=[noting])
    for own, expected in zip(noting.copies, predicted, strict=True):
        np.testing.assert_array_equal(own.outputs, expected)
