"""An encoder of symbols and numbers: a recurrent layer reads the symbols, numbers go around it."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("nalu_seq")
class Routed(keras.layers.Layer):
    """A recurrent layer reads the symbols; its few outputs are put beside the unchanged numbers.

        h_t = recurrent(symbols_t, h_{t-1})
        y_t = concat(h_t W + b, numbers_t)

    A recurrent layer's outputs are bounded: a number that goes through it can't leave the range of
    the training. Here numbers reach the arithmetic unit unchanged, beside outputs that can say
    whether to add, subtract or ignore them. Where all inputs are numbers, the recurrent layer reads
    a 1 at each step: it knows how many steps there were, and no more.

    Args:
        recurrent: a Keras recurrent layer that returns its sequences and its state.
        outputs: size of the linear layer on the recurrent layer's output, `h W + b`.
        numbers: how many of the inputs are numbers: the last ones.
        reads: "symbols", or "all": whether the recurrent layer reads the numbers too.
        return_state: also return the last state, so that a long sequence can be fed in pieces.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, time, symbols + numbers]`; initial_state, the recurrent layer's, a
    list. Output shape: `[batch, time, outputs + numbers]`.

    Example:
        >>> lstm = keras.layers.LSTM(8, return_sequences=True, return_state=True)
        >>> tuple(Routed(lstm, outputs=4, numbers=1)(keras.ops.ones((2, 10, 5))).shape)
        (2, 10, 5)

    Raises:
        ValueError: `reads` is neither.
    """

    def __init__(
        self,
        recurrent: keras.layers.Layer,
        outputs: int,
        numbers: int,
        reads: str = "symbols",
        return_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if reads not in ("symbols", "all"):
            raise ValueError(f"Routed: reads must be symbols or all, not {reads!r}")
        self.recurrent, self.outputs, self.numbers = recurrent, outputs, numbers
        self.reads, self.return_state = reads, return_state
        self.dense = keras.layers.Dense(outputs, name="outputs")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build both layers for what the recurrent one reads."""
        size = input_shape[-1]
        assert size is not None
        read_size = size if self.reads == "all" else max(size - self.numbers, 1)
        if not self.recurrent.built:
            self.recurrent.build((*input_shape[:-1], read_size))
        if not self.dense.built:
            self.dense.build((*input_shape[:-1], self.recurrent.units))

    def call(self, x: Any, initial_state: Any = None) -> Any:
        """`[batch, time, in] -> [batch, time, outputs + numbers]`, and states if asked for."""
        symbols, numbers = x[..., : -self.numbers], x[..., -self.numbers :]
        if symbols.shape[-1] == 0:
            symbols = ops.ones_like(x[..., :1])
        sequence = symbols if self.reads == "symbols" else x
        h, *states = self.recurrent(sequence, initial_state=initial_state)
        outputs = ops.cast(self.dense(h), self.compute_dtype)
        y = ops.concatenate([outputs, numbers], axis=-1)
        return [y, *states] if self.return_state else y

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The recurrent layer's: zeros."""
        states = self.recurrent.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("outputs", "numbers", "reads", "return_state")
        return {
            **super().get_config(),
            "recurrent": keras.saving.serialize_keras_object(self.recurrent),
            **{name: getattr(self, name) for name in own},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Routed":
        """The inverse of `get_config`."""
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(config.pop("recurrent")), **config)
