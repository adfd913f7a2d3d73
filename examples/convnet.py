"""Four seeds of a convnet, whose filters do not vectorise: one after another."""

import keras

from nalu_seq import Population
from nalu_seq.data.digits import digits

train, _, test = digits(8).parts.values()
x, y = train.pixels.reshape(-1, 8, 8, 1) / 255, train.labels
x_test, y_test = test.pixels.reshape(-1, 8, 8, 1) / 255, test.labels


def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(10, "softmax"),
    ])  # fmt: skip


if __name__ == "__main__":
    population = Population(build, seeds=4, loop=True)
    population.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    population.fit(x, y, epochs=5, validation_data=(x_test, y_test))
