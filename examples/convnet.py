"""Four seeds of a convnet, whose filters do not vectorise: one after another."""

import keras
from sklearn.datasets import load_digits

from nalu_seq import Population

x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8, 1) / 16


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=4, loop=True)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x[:1500], y[:1500], epochs=5, validation_data=(x[1500:], y[1500:]))
