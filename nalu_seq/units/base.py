"""The base class of all units: sizes, penalties, facts, mean inputs, noise."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from nalu_seq.units.facts import Effective, Facts
from nalu_seq.units.weights import at_least_float32, positive_integer

# Inside `mean_inputs`: the mean input of each call, by unit. Each thread has its own.
_calls: ContextVar["dict[Unit, list[Any]] | None"] = ContextVar("calls", default=None)
# Inside `noise_source`: the function that draws noise for units. Each thread has its own.
_noise: ContextVar[Callable[[tuple[Any, ...]], Any] | None] = ContextVar("noise", default=None)


@contextmanager
def noise_source(draw: Callable[[tuple[Any, ...]], Any]) -> Iterator[None]:
    """Let units that train with noise take it from `draw` inside this block.

    Outside such a block they use no noise. A unit draws nothing itself, because a random operation
    in a model that is mapped over members would draw the same numbers for all of them.

    Args:
        draw: a function from a shape to numbers of U[0, 1) of that shape, called once for each call
            of such a unit, in the order of the calls.

    Example:
        >>> unit = nalu_seq.units.SNMU(2)
        >>> with noise_source(keras.random.uniform):
        ...     y = unit(keras.ops.ones((8, 3)))
    """
    token = _noise.set(draw)
    try:
        yield
    finally:
        _noise.reset(token)


def draw_noise(shape: tuple[Any, ...]) -> Any:
    """Numbers of U[0, 1) from the current `noise_source`; None outside of one.

    Args:
        shape: the shape of the numbers.
    """
    draw = _noise.get()
    return None if draw is None else draw(shape)


@contextmanager
def mean_inputs() -> Iterator["dict[Unit, Any]"]:
    """Record the mean input of every unit that is called in this block, for `input_penalties`.

    When the block ends, the dictionary is filled: unit -> mean input `[in]`, in float32 at least,
    the mean over all axes but the last and over the unit's calls. An unrolled recurrent layer calls
    its unit at each step, so that its mean is over batch and time of `concat(x_t, y_{t-1})`.
    Gradients pass through the mean. In a traced function (`tf.function`, `tf.vectorized_map`,
    `jax.jit`) the dictionary holds tensors of that trace, which can only be used there.

    A recurrent layer must be unrolled. The tensors of a rolled one belong to the body of a loop:
    TensorFlow and JAX raise an error where they are used outside it. If Keras runs such a loop
    eagerly, it calls the first step once more than there are steps, which distorts the mean.

    Example:
        >>> unit = nalu_seq.units.NMU(2)
        >>> with mean_inputs() as means:
        ...     y = unit(keras.ops.ones((8, 3)))
        >>> float(unit.input_penalties(means[unit])["r_z"])
        0.0
    """
    calls: dict[Unit, list[Any]] = {}
    means: dict[Unit, Any] = {}
    token = _calls.set(calls)
    try:
        yield means
    finally:
        _calls.reset(token)
    means.update({unit: sum(each) / len(each) for unit, each in calls.items()})


class Unit(keras.layers.Layer):
    """An arithmetic layer `[..., in] -> [..., units]`.

    A subclass makes its raw weights in `build` under the paper's names, derives the effective
    matrices in `matrices`, which `call` applies, and returns its named penalty scalars from
    `penalties`. `facts` says where it was published and what it computes exactly; `raw_weights`
    and `formula` let a trained unit be rounded and written down.

    Args:
        units: size of the output, a positive integer.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Attributes:
        noisy: whether the unit trains with noise inside a `noise_source`.
        whole_batch: whether its output for an example depends on the other examples of the batch.
        penalty_names: the names that `penalties` and `input_penalties` may return, as literals:
            the config reads them from the file, without Keras.

    Raises:
        ValueError: `units` is no positive integer, or (in `build`) the input has no feature axis of
            known size.
    """

    noisy = False
    whole_batch = False
    penalty_names: tuple[str, ...] = ()

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = positive_integer(f"{type(self).__name__}: units", units)
        # A step's output depends on that step's input alone, so that masks pass through.
        self.supports_masking = True

    def add_matrix(self, name: str, initializer: Any, constraint: Any = None, **kwargs: Any) -> Any:
        """Add a trainable matrix `[in, units]`.

        Args:
            name: the weight's name.
            initializer: as for Keras' `add_weight`.
            constraint: as for Keras' `add_weight`.
            **kwargs: the other arguments of `add_weight`.
        """
        return self.add_weight(
            name=name,
            shape=(self.features, self.units),
            initializer=initializer,
            constraint=constraint,
            **kwargs,
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

    def facts(self) -> Facts:
        """The unit's paper, exact solutions and favoured weights, for this instance's arguments."""
        return Facts()

    def effective(self, x: Any) -> dict[str, Any]:
        """The effective weights and gates that `facts` names: `matrices()`, and `gate`, `[units]`.

        Args:
            x: a sample of inputs `[examples, in]`; a gate that depends on them is the mean over
                them.
        """
        del x
        return self.matrices()

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """The raw weights, in the order of `build`, that lead to some effective weights.

        By default the raw weights `w` and `w_a` are the effective `W` and `W_a` themselves.

        Args:
            effective: favoured values, by the names that `effective` has.
            x: a sample of the inputs that the unit is used on, `[examples, in]`.
        """
        del x
        by_name = {name.lower(): value for name, value in effective.items()}
        return [by_name[v.name] for v in self.weights]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs as expressions of the inputs; None for a unit that has no such form.

        Args:
            x: one expression (such as a SymPy symbol, or a number) for each input.
            effective: arrays of favoured values, by the names that `effective` has.
        """
        del x, effective
        return None

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras' call of a layer, which inside `mean_inputs` also records the mean input."""
        if (calls := _calls.get()) is not None:
            input_in_float32 = at_least_float32(
                self.weighted_input(ops.cast(x, self.compute_dtype))
            )
            mean = ops.mean(input_in_float32, axis=tuple(range(len(input_in_float32.shape) - 1)))
            calls.setdefault(self, []).append(mean)
        return super().__call__(x, *args, **kwargs)

    def weighted_input(self, x: Any) -> Any:
        """The tensor that the weights are multiplied with, whose mean `mean_inputs` records.

        Args:
            x: the unit's input, `[..., in]`.

        Returns:
            `[..., in]`: the input itself, or for example its logarithm.
        """
        return x

    def penalties(self) -> dict[str, Any]:
        """Named penalty scalars of the current weights, unweighted; empty for a unit without."""
        return {}

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """Named penalty scalars that depend on the input too; empty for a unit without.

        Args:
            mean_input: `[in]`, as `mean_inputs` recorded it.
        """
        del mean_input
        return {}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
