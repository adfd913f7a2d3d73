"""Ten seeds of an LSTM that reads digits row by row."""

import keras
from sklearn.datasets import load_digits

from nalu_seq import Population

x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 8, 8) / 16


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8)), layers.LSTM(32, use_cudnn=False), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=10)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x[:1500], y[:1500], epochs=10, validation_data=(x[1500:], y[1500:]))
