"""Ten seeds of an LSTM that reads digits row by row."""

import keras

from nalu_seq import Population
from nalu_seq.data.digits import digits

train, _, test = digits(8).parts.values()
x, y = train.pixels.reshape(-1, 8, 8) / 255, train.labels
x_test, y_test = test.pixels.reshape(-1, 8, 8) / 255, test.labels


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8)), layers.LSTM(32, use_cudnn=False), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=10)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x, y, epochs=10, validation_data=(x_test, y_test))
