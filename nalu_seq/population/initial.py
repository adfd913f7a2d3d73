"""The initial values of many seeds of one model, without a Keras model for each of them.

Keras draws the seed of every initializer from Python's generator as it builds a model, and every
initial value from that seed. So the initializers of one built model can make the values of all
other
models: they only need the seeds that Keras would have drawn for each. One loop of a graph does so
for all random seeds. The last seed's model is built too, as a check: if its values differ in one
bit, because a model draws in another way, every model is built.
"""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

BuildModel = Callable[[], keras.Model]
MOST_DRAWS = 4096  # seeds of initializers that one model may draw
FEW = 3  # for so many seeds, building each model is no slower than the graph
# Errors of an initializer that can't be traced into a graph, with a tensor for its seed.
NOT_TRACED = (AttributeError, NotImplementedError, TypeError, ValueError, tf.errors.OpError)
Values = list[np.ndarray]


def initial_values(
    builders: Sequence[BuildModel], seeds: Sequence[int]
) -> tuple[keras.Model, list[Values], Values]:
    """One model as the template, and the initial values of each member.

    Args:
        builders: the function that builds each member's model.
        seeds: each member's seed.

    Returns:
        The model, the initial value of each of its variables for each member, and for each member
        the state in which building it leaves the generator that Keras' layers share.

    Raises:
        ValueError: a builder returns a model that is not built.
    """
    template: keras.Model | None = None
    values: dict[tuple[BuildModel, int], Values] = {}
    for build in dict.fromkeys(builders):
        own = [seed for b, seed in zip(builders, seeds, strict=True) if b is build]
        distinct = list(dict.fromkeys(own))
        model, values_of_seeds = _values_of(build, distinct)
        values |= {
            (build, seed): value for seed, value in zip(distinct, values_of_seeds, strict=True)
        }
        template = template or model
    assert template is not None
    by_member = [values[member] for member in zip(builders, seeds, strict=True)]
    return template, [v[:-1] for v in by_member], [v[-1] for v in by_member]


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set Keras' random state by a seed within a block; Python's and NumPy's are restored after it.

    Args:
        seed: the random seed.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with drawing_by(None):
            keras.utils.set_random_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextlib.contextmanager
def drawing_by(generator: keras.random.SeedGenerator | None) -> Iterator[None]:
    """Within a block, layers without a seed generator of their own draw by this one.

    Args:
        generator: the generator; None to let Keras make a new one.
    """
    name = "global_seed_generator"
    before = global_state.get_global_attribute(name)
    global_state.set_global_attribute(name, generator)
    try:
        yield
    finally:
        global_state.set_global_attribute(name, before)


def _values_of(build: BuildModel, seeds: Sequence[int]) -> tuple[keras.Model, list[Values]]:
    """A model of the first seed, and the values of each seed, the shared generator's last."""
    with _record_initializers() as initializers:
        model, variables = _build(build, seeds[0])
    first = _as_arrays(variables)
    if len(seeds) > FEW:
        last = _as_arrays(_build(build, seeds[-1])[1])
        with contextlib.suppress(*NOT_TRACED):
            values_of_seeds = _values_by_initializers(variables, initializers, seeds)
            if _equal(values_of_seeds[0], first) and _equal(values_of_seeds[-1], last):
                return model, values_of_seeds
    return model, [first, *(_as_arrays(_build(build, seed)[1]) for seed in seeds[1:])]


def _values_by_initializers(
    variables: Sequence[keras.Variable], initializers: dict[int, Any], seeds: Sequence[int]
) -> list[Values]:
    """The initial values for all seeds, made by the initializers of one model's variables."""
    places = {number: place for place, number in enumerate(_keras_draws(seeds[0], MOST_DRAWS))}
    makers = [_maker(variable, initializers, places) for variable in variables]
    count = 1 + max((place for _, place in makers if place is not None), default=0)
    numbers = np.asarray([_keras_draws(seed, count) for seed in seeds], np.int32)  # [S, draws]
    dtypes = [variable.value.dtype for variable in variables]

    def one_seed(numbers: Any) -> list[Any]:
        return [make(None if place is None else numbers[place]) for make, place in makers]

    @tf.function(autograph=False)
    def all_seeds(numbers: Any) -> list[Any]:
        return tf.map_fn(one_seed, numbers, fn_output_signature=dtypes)

    stacked = [value.numpy() for value in all_seeds(tf.constant(numbers))]
    return [[value[i] for value in stacked] for i in range(len(seeds))]


def _maker(
    variable: keras.Variable, initializers: dict[int, Any], places: dict[int, int]
) -> tuple[Callable[[Any], Any], int | None]:
    """The function from a drawn number to a variable's value, and the number's place."""
    value = variable.value
    if id(variable) not in initializers:  # a generator's state, which is its seed, or anything else
        state = value.numpy()
        pair = np.issubdtype(state.dtype, np.integer) and state.shape == (2,)
        place = places.get(int(state[0])) if pair else None
        if place is None:
            return (lambda _: tf.identity(value)), None
        return (lambda number: tf.cast(tf.stack([number, 0 * number]), value.dtype)), place
    initializer = initializers[id(variable)]
    if initializer is None:
        raise ValueError(f"{variable.path}: the layer names no initializer")
    seed = getattr(initializer, "seed", None)
    place = places.get(seed) if isinstance(seed, int) else None

    def make(number: Any) -> Any:
        seeded_initializer = initializer
        if place is not None:
            seeded_initializer = copy.copy(initializer)
            seeded_initializer.seed = _Seed(number)
        initial = keras.ops.convert_to_tensor(
            seeded_initializer(variable.shape, dtype=variable.dtype)
        )
        return tf.ensure_shape(tf.cast(initial, value.dtype), value.shape)

    return make, place


class _Seed(keras.random.SeedGenerator):
    """A seed that is a tensor, where Keras takes an integer or a generator."""

    def __init__(self, number: Any) -> None:
        self._number = number

    def next(self, ordered: bool = True) -> Any:
        """The seed, the same each time, as that of an integer is."""
        del ordered
        return tf.stack([self._number, 0 * self._number])


@contextlib.contextmanager
def _record_initializers() -> Iterator[dict[int, Any]]:
    """Note the initializer of each variable that layers add within this block, by variable id."""
    initializers: dict[int, Any] = {}
    add_weight = keras.layers.Layer.add_weight

    def record_initializer(self: Any, *args: Any, initializer: Any = None, **how: Any) -> Any:
        # The initializer draws its seed when it is resolved, which happens once, where Keras does
        # it.
        initializer = keras.initializers.get(initializer)
        variable = add_weight(self, *args, initializer=initializer, **how)
        initializers[id(variable)] = initializer
        return variable

    keras.layers.Layer.add_weight = record_initializer
    try:
        yield initializers
    finally:
        keras.layers.Layer.add_weight = add_weight


def _keras_draws(seed: int, count: int) -> list[int]:
    """The first numbers that Keras draws as seeds of initializers under a random seed."""
    generator = random.Random(seed)
    return [generator.randint(1, int(1e9)) for _ in range(count)]


def _build(build: BuildModel, seed: int) -> tuple[keras.Model, list[keras.Variable]]:
    """A model of a seed, its variables and the state of the generator that layers share."""
    with seeded(seed):
        model = build()
        draws = seed_generator.global_seed_generator().state
    if not model.built:
        raise ValueError("build_model must return a built model: give it a keras.Input")
    return model, [*model.variables, draws]


def _as_arrays(variables: Sequence[keras.Variable]) -> Values:
    return [keras.ops.convert_to_numpy(variable.value) for variable in variables]


def _equal(values: Values, others: Values) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(values, others, strict=True))
