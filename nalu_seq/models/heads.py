"""Heads: where the unit sits on the encoder.

A head takes the unit and returns one Keras layer, `[batch, time, features] -> [batch, time, units]`
(`readout` and `dense` also `[batch, features] -> [batch, units]`). `unroll` and `return_state` mean
what they mean for an encoder.
"""

import math
from typing import Any

import keras
from keras import ops

HALF = ("float16", "bfloat16")


def in_float32(layer: keras.layers.Layer) -> None:
    """Let a layer compute in float32 under mixed precision: 16 bits can't count beyond 256.

    Args:
        layer: the layer; one whose precision was set to another than 16 bits stays as it is.
    """
    if layer.compute_dtype in HALF:
        layer.dtype_policy = "float32"


@keras.saving.register_keras_serializable("nalu_seq")
class UnitCell(keras.layers.Layer):
    """A unit as a recurrent cell for `keras.layers.RNN`.

        y_t = unit(concat(x_t, y_{t-1})),    y_0 = initial_state
        with snap:  y_t = y_{t-1} + nearest multiple of snap to unit(concat(x_t, y_{t-1})) - y_{t-1}

    The cell and its unit compute in float32 under Keras' mixed precision: what is added up or
    multiplied from step to step outgrows 16 bits. A stateful `keras.layers.RNN` begins with y_0,
    but its `reset_state()` sets zeros, whatever the cell says.

    Args:
        unit: the unit, a layer `[batch, in + units] -> [batch, units]` with a `units` attribute.
        initial_state: every entry of y_0: 0 for sums, 1 for products.
        snap: round what each step adds to multiples of it, such as 1 where the total is a count, so
            that small errors do not add up; see `snap_to_grid`. None for no rounding.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, in]`, states `[y]` with y `[batch, units]`.

    Example:
        >>> layer = keras.layers.RNN(UnitCell(nalu_seq.units.NAC(3)))
        >>> tuple(layer(keras.ops.ones((2, 10, 5))).shape)
        (2, 3)

    Raises:
        ValueError: initial_state is no number, or snap is not positive.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.
    """

    def __init__(
        self,
        unit: keras.layers.Layer,
        initial_state: float = 0.0,
        snap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(initial_state, bool) or not isinstance(initial_state, int | float):
            raise ValueError(f"UnitCell: initial_state must be a number, not {initial_state!r}")
        self.unit = unit
        self.initial_state = initial_state
        self.snap = check_snap(snap)
        for layer in self._flatten_layers():
            in_float32(layer)
        self.state_size = self.output_size = unit.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the unit for x and the state side by side."""
        if not self.unit.built:
            self.unit.build((input_shape[0], input_shape[-1] + self.state_size))

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step."""
        del training
        before = states[0]
        y = self.unit(ops.concatenate([x, before], axis=-1))
        if self.snap is not None:
            y = before + snap_to_grid(y - before, self.snap)
        return y, [y]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """`[y_0]`."""
        return [ops.full((batch_size, self.state_size), self.initial_state, self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "unit": keras.saving.serialize_keras_object(self.unit),
            "initial_state": self.initial_state,
            "snap": self.snap,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "UnitCell":
        """The inverse of `get_config`."""
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})


@keras.saving.register_keras_serializable("nalu_seq")
class AffineCell(keras.layers.Layer):
    """A running sum that each step may also multiply, as a cell for `keras.layers.RNN`.

        y_t = exp(x_t F) * y_{t-1} + unit(x_t),    y_0 = 0

    F is zero at first, so that the cell begins as the running sum of the unit's outputs. A step
    whose factor is never needed keeps the factor 1, as no gradient reaches it. The factor is an
    exponential, as 100 and 1,000 are then as near as 4.6 and 6.9, and it can't change the sign of
    what it multiplies. The cell and its unit compute in float32 under Keras' mixed precision.

    Args:
        unit: the unit, a layer `[batch, in] -> [batch, units]` with a `units` attribute.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, in]`, states `[y]` with y `[batch, units]`.

    Example:
        >>> layer = keras.layers.RNN(AffineCell(nalu_seq.units.Linear(1)))
        >>> tuple(layer(keras.ops.ones((2, 10, 5))).shape)
        (2, 1)
    """

    def __init__(self, unit: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit = unit
        for layer in self._flatten_layers():
            in_float32(layer)
        self.state_size = self.output_size = unit.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the unit, and `factors`, F, `[in, units]`."""
        if not self.unit.built:
            self.unit.build(input_shape)
        self.factors = self.add_weight(
            name="factors", shape=(input_shape[-1], self.state_size), initializer="zeros"
        )

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step."""
        del training
        addend, factor = self.operations(x).values()
        y = factor * states[0] + addend
        return y, [y]

    def operations(self, x: Any) -> dict[str, Any]:
        """What each step adds and multiplies by.

        Args:
            x: the inputs of some steps, `[steps, in]`.

        Returns:
            `addends` and `factors`, `[steps, units]` each.
        """
        x = ops.cast(x, self.compute_dtype)
        return {"addends": self.unit(x), "factors": ops.exp(ops.matmul(x, self.factors))}

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """`[y_0]`."""
        return [ops.zeros((batch_size, self.state_size), self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "unit": keras.saving.serialize_keras_object(self.unit)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AffineCell":
        """The inverse of `get_config`."""
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})


@keras.saving.register_keras_serializable("nalu_seq")
class Accumulate(keras.layers.Layer):
    """A unit at every step, and the running sum or product of what it gives.

        sum:      y_t = y_0 + sum_{s <= t} unit(x_s),     y_0 = 0
        product:  y_t = y_0 * prod_{s <= t} unit(x_s),    y_0 = 1

    The accumulation is built in, not learned: what is learned is the event at each step. With
    `snap`, what the unit gives is rounded before it is accumulated. A masked step adds 0, or
    multiplies by 1. Sums and products are kept in float32 under Keras' mixed precision, whatever
    the unit computes in.

    Args:
        unit: the unit, a layer `[batch, time, in] -> [batch, time, units]`.
        operation: "sum" or "product".
        return_state: also return the last y, so that a long sequence can be fed in pieces.
        snap: round what the unit gives to multiples of it, such as 1 where events are counted, so
            that small errors do not add up; see `snap_to_grid`. None for no rounding.
        go_backwards: begin with the last step, and give the steps in that order, as Keras'
            recurrent layers do: `keras.layers.Bidirectional` needs it.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: x `[batch, time, in]`; initial_state, `[batch, units]` or a list or tuple of it;
    mask `[batch, time]`, False where a step is padding.

    Example:
        >>> layer = Accumulate(nalu_seq.units.NAU(3))
        >>> tuple(layer(keras.ops.ones((2, 10, 5))).shape)
        (2, 10, 3)

    Raises:
        ValueError: an unknown operation, or snap is not positive.
    """

    def __init__(
        self,
        unit: keras.layers.Layer,
        operation: str = "sum",
        return_state: bool = False,
        snap: float | None = None,
        go_backwards: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        in_float32(self)
        if operation not in ("sum", "product"):
            raise ValueError(f"Accumulate: operation must be sum or product, not {operation!r}")
        self.unit = unit
        self.operation = operation
        self.return_state = return_state
        self.snap = check_snap(snap)
        self.go_backwards = go_backwards
        # As `keras.layers.Bidirectional` asks of its layers.
        self.return_sequences, self.stateful, self.supports_masking = True, False, True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the unit for one step's features."""
        if not self.unit.built:
            self.unit.build(input_shape)

    def call(self, x: Any, initial_state: Any = None, mask: Any = None) -> Any:
        """`[batch, time, in] -> [batch, time, units]`, and `[batch, units]` with `return_state`."""
        steps = ops.cast(self.unit(x), self.compute_dtype)
        if self.snap is not None:
            steps = snap_to_grid(steps, self.snap)
        if mask is not None:
            neutral = 0.0 if self.operation == "sum" else 1.0
            steps = ops.where(ops.expand_dims(mask, -1), steps, neutral)
        if self.go_backwards:
            steps = ops.flip(steps, axis=1)
        if isinstance(initial_state, list | tuple):
            (initial_state,) = initial_state
        if self.operation == "sum":
            y = ops.cumsum(steps, axis=1)
            y = y if initial_state is None else y + ops.expand_dims(initial_state, 1)
        else:
            y = ops.cumprod(steps, axis=1)
            y = y if initial_state is None else y * ops.expand_dims(initial_state, 1)
        return [y, y[:, -1]] if self.return_state else y

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The steps' own mask; a state has none."""
        del inputs
        if isinstance(previous_mask, list | tuple):
            previous_mask = previous_mask[0]
        return [previous_mask, None] if self.return_state else previous_mask

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """`[y_0]`."""
        start = 0.0 if self.operation == "sum" else 1.0
        return [ops.full((batch_size, self.unit.units), start, self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "unit": keras.saving.serialize_keras_object(self.unit),
            "operation": self.operation,
            "return_state": self.return_state,
            "snap": self.snap,
            "go_backwards": self.go_backwards,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Accumulate":
        """The inverse of `get_config`."""
        unit = keras.saving.deserialize_keras_object(config["unit"])
        return cls(**{**config, "unit": unit})


def snap_to_grid(x: Any, grid: float) -> Any:
    """The multiples of `grid` nearest to x; the gradient passes as if nothing were rounded.

    A total of such numbers is exact while its multiples are below 2^24, the end of whole numbers in
    float32: a count up to 16,777,216.

    Args:
        x: numbers of any shape.
        grid: what to take multiples of.
    """
    # The difference is exact wherever x is within a factor of 2 of its multiple, so the sum is too.
    return x + ops.stop_gradient(grid * ops.round(x / grid) - x)


def check_snap(snap: Any, name: str = "snap") -> float | None:
    """A grid to round to, or None.

    Args:
        snap: what an argument or a config says.
        name: the argument's name in the message.

    Raises:
        ValueError: it is neither None nor a positive number.
    """
    if snap is None:
        return None
    if isinstance(snap, bool) or not isinstance(snap, int | float) or not 0 < snap < math.inf:
        raise ValueError(f"{name} must be a positive number or null, not {snap!r}")
    return float(snap)


def unit_cell(
    unit: keras.layers.Layer,
    *,
    initial_state: float,
    snap: float | None = None,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    """The unit as a recurrent cell, as in the NALU paper: the addition too must be learned.

    Args:
        unit: the unit, which sees a step's features and its own output of the step before.
        initial_state: every entry of that output before the first step.
        snap: what each step adds is rounded to multiples of this; None for no rounding.
        unroll: write the loop over time out.
        return_state: return the last state too.
    """
    return keras.layers.RNN(
        UnitCell(unit, initial_state, snap),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="unit_cell",
    )


def affine_cell(
    unit: keras.layers.Layer, *, unroll: bool, return_state: bool
) -> keras.layers.Layer:
    """The running sum of the unit's outputs, which each step first multiplies by a learned factor.

    Args:
        unit: the unit, on each step by itself.
        unroll: whether to write the loop over time out.
        return_state: whether to return the last total too.
    """
    return keras.layers.RNN(
        AffineCell(unit),
        return_sequences=True,
        unroll=unroll,
        return_state=return_state,
        name="affine_cell",
    )


def accumulate(
    unit: keras.layers.Layer,
    *,
    operation: str,
    snap: float | None = None,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    """The running sum or product of the unit's outputs: only the event must be learned.

    Args:
        unit: the unit, on each step by itself.
        operation: "sum" or "product".
        snap: what each step gives is rounded to multiples of this; None for no rounding.
        unroll: without effect, as the sum is one operation.
        return_state: return the last sum or product too.
    """
    del unroll
    return Accumulate(unit, operation, return_state, snap, name="accumulate")


def readout(unit: keras.layers.Layer, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """The unit on the encoder's output at each step; no state of its own.

    Args:
        unit: the unit, on each step by itself.
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.
    """
    del unroll, return_state
    return unit


def dense(unit: keras.layers.Layer, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """The baseline: a linear layer in the unit's place, whatever the unit is.

    Args:
        unit: its size alone is used.
        unroll: without effect, as there is no loop.
        return_state: without effect, as there is no state.
    """
    del unroll, return_state
    return keras.layers.Dense(unit.units, name="dense")
