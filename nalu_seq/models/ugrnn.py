"""The update gate RNN: a recurrent cell with a single gate."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("nalu_seq")
class UGRNNCell(keras.layers.Layer):
    """The update gate RNN, as a cell for `keras.layers.RNN`.

        c_t = tanh(x_t W_c + h_{t-1} U_c + b_c)
        g_t = sigmoid(x_t W_g + h_{t-1} U_g + b_g)
        h_t = g_t * h_{t-1} + (1 - g_t) * c_t,    h_0 = 0

    One gate says how much of the state stays. Its bias begins at 1, so that most of it does.

    Args:
        units: size of the output and of the state.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, in]`, states `[h]` with h `[batch, units]`.

    Example:
        >>> tuple(keras.layers.RNN(UGRNNCell(8))(keras.ops.ones((2, 10, 5))).shape)
        (2, 8)

    Source: Collins, Sohl-Dickstein & Sussillo 2017, "Capacity and Trainability in Recurrent Neural
    Networks" (arXiv 1611.09913).
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build W and U, those of c first, and both biases."""
        units = self.units
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], 2 * units), initializer="glorot_uniform"
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(units, 2 * units), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.gate_bias = self.add_weight(name="gate_bias", shape=(units,), initializer="ones")

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step."""
        del training
        (h,) = states
        both = ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel)
        candidate, gate = ops.split(both, 2, axis=-1)
        gate = ops.sigmoid(gate + self.gate_bias)
        h = gate * h + (1 - gate) * ops.tanh(candidate + self.bias)
        return h, [h]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """`[h_0]`."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
