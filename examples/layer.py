"""A layer that multiplies far beyond what it was trained on: prints 180, for 15 times 12."""

import keras
import numpy as np

from nalu_seq.units import NMU

x = np.random.uniform(1, 2, (10_000, 2))
y = x.prod(axis=1, keepdims=True)

model = keras.Sequential([keras.Input((2,)), NMU(1, sparsity=0.01)])
model.compile(keras.optimizers.Adam(0.01), "mse")

if __name__ == "__main__":
    model.fit(x, y, epochs=3, verbose=0)
    print(model.predict(np.array([[15, 12]]), verbose=0).item())
