"""What every unit shares: an output size, an input of known width, who may look at it, noise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from nalu_seq.units.weights import at_least_float32

# The means of the inputs of each call, by unit, while `observing_inputs`; of this thread alone.
_calls: ContextVar["dict[Unit, list[Any]] | None"] = ContextVar("calls", default=None)
# What gives noise to the units that ask for it; of this thread alone.
_noise: ContextVar[Callable[[tuple[Any, ...]], Any] | None] = ContextVar("noise", default=None)


@contextmanager
def giving_noise(draw: Callable[[tuple[Any, ...]], Any]) -> Iterator[None]:
    """Meanwhile units that train with noise get it from `draw`; without it they train plainly.

    A unit draws nothing itself: a random operation inside a model that is mapped over members would
    give all of them one draw.

    Args:
        draw: `shape -> U[0, 1)` of that shape, called once for each call of such a unit, in the
            order of the calls.

    Example:
        >>> unit = nalu_seq.units.SNMU(2)
        >>> with giving_noise(keras.random.uniform):
        ...     y = unit(keras.ops.ones((8, 3)))
    """
    token = _noise.set(draw)
    try:
        yield
    finally:
        _noise.reset(token)


def given_noise(shape: tuple[Any, ...]) -> Any:
    """U[0, 1) of a shape from `giving_noise`; None where nobody gives any."""
    draw = _noise.get()
    return None if draw is None else draw(shape)


@contextmanager
def observing_inputs() -> Iterator["dict[Unit, Any]"]:
    """The mean input of every unit that is called meanwhile: what `input_penalties` needs.

    The dictionary is filled when the block ends: unit -> `[in]`, in float32 at least, the mean over
    all axes but the last and over the unit's calls. An unrolled recurrent layer calls its unit at
    each step, so that there it is the mean over batch and time of `concat(x_t, y_{t-1})`. Gradients
    pass through it. In a traced function (`tf.function`, `tf.vectorized_map`, `jax.jit`) it holds
    that trace's tensors: use them there.

    A recurrent layer must be unrolled. Rolled, its tensors belong to the loop's body, and
    TensorFlow and JAX raise an error where they are used outside; where Keras runs such a loop
    eagerly it calls the first step once more than there are steps, which distorts the mean.

    Example:
        >>> unit = nalu_seq.units.NMU(2)
        >>> with observing_inputs() as seen:
        ...     y = unit(keras.ops.ones((8, 3)))
        >>> float(unit.input_penalties(seen[unit])["r_z"])
        0.0
    """
    calls: dict[Unit, list[Any]] = {}
    seen: dict[Unit, Any] = {}
    token = _calls.set(calls)
    try:
        yield seen
    finally:
        _calls.reset(token)
    seen.update({unit: sum(means) / len(means) for unit, means in calls.items()})


class Unit(keras.layers.Layer):
    """An arithmetic layer `[..., in] -> [..., units]`.

    A subclass makes its raw weights in `build` under the paper's names, derives the effective
    matrices in `matrices`, which `call` applies, and returns its named penalty scalars from
    `penalties`.

    Args:
        units: size of the output, a positive integer.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Attributes:
        noisy: whether it trains with noise where `giving_noise` gives any.
        whole_batch: whether what it makes of an example depends on the others in the batch.

    Raises:
        ValueError: `units` is no positive integer, or (in `build`) the input has no feature axis of
            known size.
    """

    noisy = False
    whole_batch = False

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

    def matrices(self) -> dict[str, Any]:
        """The effective weights, as `call` applies them, by their names in the equation.

        `[in, units]` each, unless the unit says otherwise. Biases are not among them, nor gates
        between two paths.
        """
        return {}

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras' call of a layer; the mean input is noted while somebody is `observing_inputs`."""
        if (calls := _calls.get()) is not None:
            observed = at_least_float32(self.observed(ops.cast(x, self.compute_dtype)))
            mean = ops.mean(observed, axis=tuple(range(len(observed.shape) - 1)))
            calls.setdefault(self, []).append(mean)
        return super().__call__(x, *args, **kwargs)

    def observed(self, x: Any) -> Any:
        """What `observing_inputs` takes the mean of, `[..., in]`: the input as the weights see it.

        Args:
            x: the input.
        """
        return x

    def penalties(self) -> dict[str, Any]:
        """Named penalty scalars of the current weights, unweighted; empty for a unit without."""
        return {}

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """Named penalty scalars that depend on the input too; empty for a unit without.

        Args:
            mean_input: `[in]`, as `observing_inputs` found it.
        """
        del mean_input
        return {}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
