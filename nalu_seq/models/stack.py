"""Several units applied one after another, where a head expects one unit."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.models.heads import Accumulate, check_snap, snap_to_grid
from nalu_seq.units.weights import positive_integer


@keras.saving.register_keras_serializable("nalu_seq")
class Stack(keras.layers.Layer):
    """Units one after another, `y = unit_n(... unit_1(x))`, such as a sum of products.

        with snap_factor:  y = number * nearest multiple of snap_factor to unit_n(...) / number

    Args:
        stacked: the units, in the order in which they are applied.
        snap_factor: where the output is a factor times the last input, the number: round the factor
            to multiples of this, such as 1 where numbers are added, subtracted or ignored, so that
            small errors of the factor do not add up. The gradient passes as if nothing were
            rounded. None for no rounding.
        **kwargs: `name`, `dtype`, `trainable`.

    Attributes:
        units: size of the output, the last unit's.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Example:
        >>> products_summed = Stack([nalu_seq.units.NMU(2), nalu_seq.units.NAU(1)])
        >>> tuple(products_summed(keras.ops.ones((8, 3))).shape)
        (8, 1)

    Raises:
        ValueError: snap_factor is not positive.
    """

    def __init__(
        self,
        stacked: Sequence[keras.layers.Layer],
        snap_factor: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stacked = list(stacked)
        self.snap_factor = check_snap(snap_factor, "snap_factor")
        self.units = self.stacked[-1].units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build each unit for the outputs of the one before."""
        for unit in self.stacked:
            if not unit.built:
                unit.build(input_shape)
            input_shape = (*input_shape[:-1], unit.units)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape with `units` in the place of the features."""
        return (*input_shape[:-1], self.units)

    def call(self, x: Any) -> Any:
        """`[..., in] -> [..., units]`."""
        y = x
        for unit in self.stacked:
            y = unit(y)
        if self.snap_factor is None:
            return y
        number = ops.cast(x[..., -1:], y.dtype)
        factor = y / ops.where(number == 0, 1.0, number)
        return number * snap_to_grid(factor, self.snap_factor)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        stacked = [keras.saving.serialize_keras_object(unit) for unit in self.stacked]
        return {**super().get_config(), "stacked": stacked, "snap_factor": self.snap_factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Stack":
        """The inverse of `get_config`."""
        config = dict(config)
        stacked = [keras.saving.deserialize_keras_object(unit) for unit in config.pop("stacked")]
        return cls(stacked, **config)


def accumulate_stack(
    unit: keras.layers.Layer,
    *,
    under: Callable[..., keras.layers.Layer],
    under_units: int,
    operation: str,
    snap: float | None = None,
    snap_factor: float | None = None,
    unroll: bool,
    return_state: bool,
) -> keras.layers.Layer:
    """The running sum or product of a unit on top of another one, such as NAU on NMU.

    Args:
        unit: the unit on top, whose outputs are accumulated.
        under: makes the unit under it.
        under_units: size of the output of the unit under it.
        operation: "sum" or "product".
        snap: what each step gives is rounded to multiples of this; None for no rounding.
        snap_factor: the factor of the number in what each step gives is rounded to multiples of
            this; see `Stack`. None for no rounding.
        unroll: without effect, as the sum is one operation.
        return_state: return the last sum or product too.

    Raises:
        ValueError: `under_units` is no positive integer.
    """
    del unroll
    size = positive_integer("head.under_units", under_units)
    stack = Stack([under(units=size, name="under"), unit], snap_factor, name="stack")
    return Accumulate(stack, operation, return_state, snap, name="accumulate")
