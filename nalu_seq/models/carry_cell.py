"""A head that reads in groups: a running value that steps add to, multiply, and put aside."""

from typing import Any

import keras
from keras import ops

from nalu_seq.models.heads import check_snap, in_float32, snap_to_grid

APART = -3.0  # where a carry begins: sigmoid(-3) = 0.047 of the group


@keras.saving.register_keras_serializable("nalu_seq")
class CarryCell(keras.layers.Layer):
    """Two running values, as number words need them, as a cell for `keras.layers.RNN`.

        m_t = exp(x_t F) * g_{t-1}                          the group, multiplied
        c_t = sigmoid(x_t C - 3)                            the share of it that is put aside
        s_t = s_{t-1} + c_t * m_t                           the sum of what was put aside
        g_t = (1 - c_t) * m_t + sinh(unit(x_t))             the group that goes on
        y_t = s_t + g_t,    s_0 = g_0 = 0

    In "two hundred thousand three hundred" each "hundred" has to multiply its own group alone:
    "thousand" multiplies by 1,000 and puts the group aside. F and C are zero at first, so that the
    cell begins close to a running sum. Factors are exponentials and addends hyperbolic sines, as
    3, 90 and 1,000 are then about as near to learn. The cell and its unit compute in float32 under
    Keras' mixed precision.

    Args:
        unit: the unit, a layer `[batch, in] -> [batch, units]` with a `units` attribute.
        snap: round factors and addends to multiples of it, and shares to 0 or 1; None for no
            rounding.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, in]`, states `[y, g, s]` with `[batch, units]` each.

    Example:
        >>> layer = keras.layers.RNN(CarryCell(nalu_seq.units.Linear(1)))
        >>> tuple(layer(keras.ops.ones((2, 10, 5))).shape)
        (2, 1)

    Raises:
        ValueError: snap is not positive.
    """

    penalty_names = ("roles",)

    def __init__(self, unit: keras.layers.Layer, snap: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit = unit
        self.snap = check_snap(snap)
        for layer in self._flatten_layers():
            in_float32(layer)
        # Keras on JAX takes the first state for the output of the step before, at a masked step.
        self.state_size = [unit.units] * 3
        self.output_size = unit.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the unit, and `factors`, F, and `carries`, C, `[in, units]`."""
        if not self.unit.built:
            self.unit.build(input_shape)
        shape = (input_shape[-1], self.output_size)
        self.factors = self.add_weight(name="factors", shape=shape, initializer="zeros")
        self.carries = self.add_weight(name="carries", shape=shape, initializer="zeros")

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step."""
        del training
        _, group, aside = states
        addend, factor, carry = self.operations(x).values()
        multiplied = factor * group
        aside += carry * multiplied
        group = (1.0 - carry) * multiplied + addend
        y = aside + group
        return y, [y, group, aside]

    def operations(self, x: Any) -> dict[str, Any]:
        """What each step adds, multiplies by, and which share it puts aside.

        Args:
            x: the inputs of some steps, `[steps, in]`.

        Returns:
            `addends`, `factors` and `carries`, `[steps, units]` each.
        """
        x = ops.cast(x, self.compute_dtype)
        addends, factors = ops.sinh(self.unit(x)), ops.exp(ops.matmul(x, self.factors))
        carries = ops.sigmoid(ops.matmul(x, self.carries) + APART)
        if self.snap is not None:
            addends, factors = snap_to_grid(addends, self.snap), snap_to_grid(factors, self.snap)
            carries = snap_to_grid(carries, 1.0)
        return {"addends": addends, "factors": factors, "carries": carries}

    def penalties(self) -> dict[str, Any]:
        """`roles`, which is small where each input either adds, or multiplies and carries.

            R = sum_i (sigmoid(C_i - 3) + |F_i|) * (1 + |unit(e_i)|)

        The sum is over the inputs i, the unit vectors e_i.
        """
        addends = ops.abs(self.unit(ops.eye(self.factors.shape[0], dtype=self.compute_dtype)))
        operators = ops.sigmoid(self.carries + APART) + ops.abs(self.factors)
        return {"roles": ops.sum(operators * (1.0 + addends))}

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """`[y_0, g_0, s_0]`."""
        return [ops.zeros((batch_size, self.output_size), self.compute_dtype) for _ in range(3)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "unit": keras.saving.serialize_keras_object(self.unit),
            "snap": self.snap,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CarryCell":
        """The inverse of `get_config`."""
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})


def carry_cell(
    unit: keras.layers.Layer, *, snap: float | None = None, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """A sum of groups: each step adds to the group, multiplies it, or puts it aside.

    Args:
        unit: the unit, on each step by itself.
        snap: what is added and multiplied by is rounded to multiples of this; None for no rounding.
        unroll: whether to write the loop over time out.
        return_state: whether to return the last value, group and sum too.
    """
    return keras.layers.RNN(
        CarryCell(unit, snap),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="carry_cell",
    )
