"""Fifty seeds of a small MLP that reads digits."""

import keras

from nalu_seq import Population
from nalu_seq.data.digits import digits

train, _, test = digits(8).parts.values()
x, y = train.pixels.reshape(-1, 64) / 255, train.labels
x_test, y_test = test.pixels.reshape(-1, 64) / 255, test.labels


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((64,)), layers.Dense(32, "relu"), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=50)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x, y, epochs=10, validation_data=(x_test, y_test))
