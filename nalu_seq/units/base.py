"""What every unit shares: an output size, an input of known width, and nothing else."""

from typing import Any

import keras


class Unit(keras.layers.Layer):
    """An arithmetic layer `[..., in] -> [..., units]`.

    A subclass makes its raw weights in `build` under the paper's names, derives the effective
    matrix in `call`, and returns its named penalty scalars from `penalties`.

    Args:
        units: size of the output, a positive integer.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Raises:
        ValueError: `units` is no positive integer, or (in `build`) the input has no feature axis of
            known size.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise ValueError(
                f"{type(self).__name__}: units must be a positive integer, not {units!r}"
            )
        self.units = units

    def add_matrix(self, name: str, initializer: Any, constraint: Any = None) -> keras.Variable:
        """A trainable `[in, units]` matrix, the shape of every weight of every unit here."""
        return self.add_weight(
            name=name,
            shape=(self.features, self.units),
            initializer=initializer,
            constraint=constraint,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the input, now and in later calls; subclasses call this first."""
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__}: the input must be [batch, ..., features] with a known "
                f"number of features, not {tuple(input_shape)}"
            )
        self.features = int(input_shape[-1])
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: self.features})

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape with `units` in the place of the features."""
        return (*input_shape[:-1], self.units)

    def penalties(self) -> dict[str, Any]:
        """Named penalty scalars of the current weights, unweighted; empty for a unit without."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
