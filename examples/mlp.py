"""Fifty seeds of a small MLP that reads digits."""

import keras
from sklearn.datasets import load_digits

from nalu_seq import Population

x, y = load_digits(return_X_y=True)
x = x / 16


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((64,)), layers.Dense(32, "relu"), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=50)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x[:1500], y[:1500], epochs=10, validation_data=(x[1500:], y[1500:]))
