"""Heads to compare arithmetic units with: recurrent layers, and a sum or product built in.

They are called as those in `nalu_seq.models.heads`, but use only the unit's size, not the unit.
"""

from typing import Any

import keras

from nalu_seq.models import encoders, heads


@keras.saving.register_keras_serializable("nalu_seq")
class Recurrent(keras.layers.Layer):
    """A recurrent layer and a linear one on its outputs, as one layer with a state.

    Args:
        recurrent: a Keras recurrent layer that returns its sequences and its state.
        units: size of the output.
        return_state: also return the last state, so that a long sequence can be fed in pieces.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, time, in]`; initial_state, the recurrent layer's, a list.

    Example:
        >>> lstm = keras.layers.LSTM(8, return_sequences=True, return_state=True)
        >>> tuple(Recurrent(lstm, 3)(keras.ops.ones((2, 10, 5))).shape)
        (2, 10, 3)
    """

    def __init__(
        self, recurrent: keras.layers.Layer, units: int, return_state: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.recurrent, self.units, self.return_state = recurrent, units, return_state
        self.dense = keras.layers.Dense(units, name="dense")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build both layers."""
        if not self.recurrent.built:
            self.recurrent.build(input_shape)
        if not self.dense.built:
            self.dense.build((*input_shape[:-1], self.recurrent.units))

    def call(self, x: Any, initial_state: Any = None) -> Any:
        """`[batch, time, in] -> [batch, time, units]`, and the states with `return_state`."""
        h, *states = self.recurrent(x, initial_state=initial_state)
        y = self.dense(h)
        return [y, *states] if self.return_state else y

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The recurrent layer's: zeros."""
        return list(self.recurrent.get_initial_state(batch_size=batch_size))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "recurrent": keras.saving.serialize_keras_object(self.recurrent),
            "units": self.units,
            "return_state": self.return_state,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recurrent":
        """The inverse of `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config.pop("recurrent")), **config)


@keras.saving.register_keras_serializable("nalu_seq")
class Same(keras.layers.Layer):
    """Stands in a unit's place and returns its input unchanged.

    Args:
        units: size of the input, which is that of the output.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        ValueError: (in `build`) the input has another size.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the size."""
        if input_shape[-1] != self.units:
            raise ValueError(
                f"head=solved adds up the encoder's outputs themselves, so that there must be "
                f"{self.units} of them, not {input_shape[-1]}: encoder.outputs={self.units} "
                "encoder.activation=linear"
            )

    def call(self, x: Any) -> Any:
        """The input."""
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def solved(
    unit: keras.layers.Layer, *, operation: str, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """The reference baseline: the running sum or product of the encoder's outputs themselves.

    Args:
        unit: only its number of units is used.
        operation: "sum" or "product".
        unroll: without effect, as there is no loop.
        return_state: whether to return the last total too.
    """
    del unroll
    return heads.Accumulate(Same(unit.units), operation, return_state, name="solved")


def lstm(
    unit: keras.layers.Layer, *, hidden: int, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """An LSTM and a linear layer.

    Args:
        unit: its size alone is used.
        hidden: size of the recurrent layer's state.
        unroll: write the loop over time out.
        return_state: return the last states too.
    """
    layer = encoders.lstm(hidden, unroll=unroll, return_state=True)
    return Recurrent(layer, unit.units, return_state, name="recurrent")


def gru(
    unit: keras.layers.Layer, *, hidden: int, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A GRU and a linear layer.

    Args:
        unit: its size alone is used.
        hidden: size of the recurrent layer's state.
        unroll: write the loop over time out.
        return_state: return the last state too.
    """
    layer = encoders.gru(hidden, unroll=unroll, return_state=True)
    return Recurrent(layer, unit.units, return_state, name="recurrent")


def rnn(
    unit: keras.layers.Layer, *, hidden: int, activation: str, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A simple recurrent network, tanh or relu, and a linear layer.

    Args:
        unit: its size alone is used.
        hidden: size of the recurrent layer's state.
        activation: of the recurrent layer.
        unroll: write the loop over time out.
        return_state: return the last state too.
    """
    layer = encoders.rnn(hidden, activation, unroll=unroll, return_state=True)
    return Recurrent(layer, unit.units, return_state, name="recurrent")
