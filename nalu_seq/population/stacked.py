"""Many copies of one Keras model with their variables stacked along a leading member axis."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras.src.random import seed_generator

from nalu_seq.population.initial import BuildModel, drawing_by, initial_values, seeded
from nalu_seq.population.mapping import check_process, map_members

MOST_SEEDS = 2**20
Pair = tuple[keras.Variable, keras.Variable]  # a variable of one model, and its stack `[M, ...]`


class Stacked:
    """Members of one Keras model, each with its own seed, stacked along a leading axis.

    Args:
        build_model: a function that returns a fresh, built `keras.Model`, with the same variables
            in the same order each time. It is called with Keras' random seed set, so that a
            member's initial values depend on its seed alone. If there are many seeds, it is called
            for a few only, and the initializers of one model make the values of the others. Or a
            list with a function for each member, where initial values are drawn differently.
        seeds: how many members (seeds 0, 1, ...), or each member's seed.
        loop: whether to write the model out for one member after the other instead of vectorising
            it: for layers that can't be vectorised, such as convolutions. A layer of this package
            that needs it says so itself (`loops_over_members = True`).
        strategy: the strategy that keeps the variables; the current one by default.

    Attributes:
        seeds: each member's seed.
        strategy: the strategy that keeps the variables.
        parts: in how many concurrent parts of a graph the members are called, 1 at first. Cores
            can't share a small operation, but can take a part each.
        trainable_variables: stacked `keras.Variable`s `[M, ...]`, in the model's order.
        non_trainable_variables: the other variables, stacked in the same way.

    Example:
        >>> stacked = Stacked(build_model, seeds=50)
        >>> y = stacked(x)  # x: [50, batch, ...]
        >>> model = stacked.member(7)  # an ordinary keras.Model

    Raises:
        ValueError: another backend than TensorFlow's, a process that was forked after TensorFlow
            began, no seeds, a seed that is no integer in 0 .. 2^32 - 1, no function that returns a
            model, a model that is not built.
        NotVectorised: when called without `loop`, a `ValueError` that names a layer that can't be
            mapped over members.
    """

    def __init__(
        self,
        build_model: BuildModel | Sequence[BuildModel],
        seeds: int | Sequence[int] = 10,
        loop: bool = False,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        check_process()
        self.seeds = check_seeds(seeds)
        self.strategy = strategy or tf.distribute.get_strategy()
        self._builders = check_builders(build_model, len(self.seeds))
        self.model, values, draws = initial_values(self._builders, self.seeds)
        layers = self.model._flatten_layers()
        self.loop = loop or any(getattr(layer, "loops_over_members", False) for layer in layers)
        self.parts = 1
        # In the place of the generator by which Keras' layers without one draw; each member has a
        # state.
        self._generator = keras.random.SeedGenerator(0)
        own = [np.stack([value[i] for value in values]) for i in range(len(self.model.variables))]
        self._keep(own, np.stack(draws))

    def _keep(self, values: Sequence[Any], draws: Any) -> None:
        """Make the stacks of the model's variables and of the generator, with values `[M, ...]`."""
        templates = self.model.variables
        with self.strategy.scope():
            stacked = [_stack(v, value) for v, value in zip(templates, values, strict=True)]
            self._generator_state = _stack(self._generator.state, draws)
        position = {id(variable): i for i, variable in enumerate(templates)}
        self.variables: list[keras.Variable] = stacked
        self.trainable_variables = [
            stacked[position[id(v)]] for v in self.model.trainable_variables
        ]
        self.non_trainable_variables = [
            stacked[position[id(v)]] for v in self.model.non_trainable_variables
        ]
        self.weights = [stacked[position[id(v)]] for v in self.model.weights]

    def __len__(self) -> int:
        """The number of members."""
        return len(self.seeds)

    def __call__(
        self,
        inputs: Any,
        *,
        model: keras.Model | None = None,
        trainable: Sequence[Any] | None = None,
        training: bool = False,
        forward: Callable[[keras.Model, Any], Any] | None = None,
    ) -> Any:
        """The outputs of every member on its own inputs.

        Args:
            inputs: `[M, batch, ...]`, or a list of these for a model with several inputs.
            model: another model on the same variables in the same order, such as one unrolled for
                a known length; the stack's own by default.
            trainable: values `[M, ...]` to use for the trainable variables, such as those that a
                gradient tape watches; the current ones by default.
            training: Keras' argument of that name to the model's layers; if True, updates that
                they make to non-trainable variables are kept.
            forward: computes the result of a member's model and inputs; by default the model's
                outputs.

        Returns:
            The model's outputs, or what `forward` gives, with a leading member axis.
        """
        model = model or self.model

        def one_member(inputs: Any) -> Any:
            return forward(model, inputs) if forward else model(inputs, training=training)

        return self._mapped(one_member, inputs, model, trainable, keep=training)

    def gradients(
        self,
        objective: Callable[[keras.Model, Any], tuple[Any, Any]],
        inputs: Any,
        model: keras.Model | None = None,
    ) -> tuple[Any, list[Any]]:
        """The results of an objective for each member, and its gradients, both within the map.

        Programs that XLA compiles need this method: the gradient of a mapped forward pass, taken
        outside the map, passes shapes from one program to the next as values, so that each call
        would be compiled again.

        Args:
            objective: `(model, one member's inputs) -> (scalar, anything)`; the gradient is the
                scalar's.
            inputs: tensors `[M, ...]`, in any structure.
            model: as for a call.

        Returns:
            The objective's second value with a leading member axis, and gradients `[M, ...]` of the
            trainable variables.
        """
        model = model or self.model

        def one_member(inputs: Any) -> tuple[Any, Any]:
            values = [v.value for v in model.trainable_variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                total, aux = objective(model, inputs)
            gradients = tape.gradient(total, values, unconnected_gradients="zero")
            return aux, [tf.convert_to_tensor(g) for g in gradients]

        return self._mapped(one_member, inputs, model, keep=True)

    def _mapped(
        self,
        one_member: Callable[[Any], Any],
        inputs: Any,
        model: keras.Model,
        trainable: Sequence[Any] | None = None,
        keep: bool = False,
    ) -> Any:
        """Call a function of one member's inputs for all members, each with its own variables."""
        trainable = list(trainable or [v.value for v in self.trainable_variables])
        pairs = self.pairs(model)
        values = trainable + [variable.value for _, variable in pairs[len(trainable) :]]
        result, updates = self.map(one_member, inputs, pairs, values)
        if keep:
            for variable, value in updates:
                variable.assign(value)
        return result

    def pairs(self, model: keras.Model | None = None) -> list[Pair]:
        """The variables of a model and their stacks: trainable ones first, the generator's last.

        Args:
            model: a model on the same variables in the same order; the stack's own by default.
        """
        model = model or self.model
        templates = [*model.trainable_variables, *model.non_trainable_variables]
        stacks = [*self.trainable_variables, *self.non_trainable_variables]
        own = list(zip(templates, stacks, strict=True))
        return [*own, (self._generator.state, self._generator_state)]

    def stacks_of(self, templates: Sequence[keras.Variable]) -> list[Pair]:
        """New stacks for variables of an optimizer or of metrics, alike for all members.

        Args:
            templates: the variables, of one member.

        Returns:
            Each variable with its stack, `[M, ...]`.
        """
        with self.strategy.scope():
            return [
                (v, _stack(v, np.stack([v.numpy()] * len(self)), noted=False)) for v in templates
            ]

    def map(
        self,
        one_member: Callable[[Any], Any],
        inputs: Any,
        pairs: Sequence[Pair],
        values: Sequence[Any],
        differentiated: bool = True,
        loop: bool | None = None,
    ) -> tuple[Any, list[tuple[keras.Variable, Any]]]:
        """Call a function for all members, with each member's own values of variables.

        Args:
            one_member: a function of one member's inputs; its assignments are returned, not made.
            inputs: tensors `[M, ...]`, in any structure.
            pairs: the variables that it may use, and the stack of each.
            values: the value `[M, ...]` of each stack.
            differentiated: whether gradients of the results are taken.
            loop: whether to write the function out for one member after another; by default as
                the stack does.

        Returns:
            The function's results, `[M, ...]`, and each stack that it assigns to with its new
            value.
        """
        templates = [template for template, _ in pairs]
        updated: list[int] = []

        def scoped(args: tuple[list[Any], Any]) -> tuple[Any, list[Any]]:
            values, x = args
            mapping = list(zip(templates, values, strict=True))
            with (
                drawing_by(self._generator),
                _Scope(mapping, differentiated) as scope,
            ):
                result = one_member(x)
                after = [scope.get_current_value(template) for template in templates]
            updated[:] = [i for i, value in enumerate(after) if value is not values[i]]
            return result, [after[i] for i in updated]

        tensors = [tf.convert_to_tensor(value) for value in values]
        layers = self.model._flatten_layers()
        loop = self.loop if loop is None else loop
        result, after = map_members(scoped, (tensors, inputs), layers, loop, self.parts)
        return result, [(pairs[i][1], value) for i, value in zip(updated, after, strict=True)]

    def scalars(self, of: Callable[[keras.Model], dict[str, Any]]) -> dict[str, Any]:
        """Scalars of each member's weights, such as penalties.

        Args:
            of: a function from a model to scalars by name.

        Returns:
            The scalars of all members, `[M]` each, by name; any other shape gets M in front in the
            same way.
        """
        templates = self.model.variables

        if not templates:  # a model without weights has nothing to map over
            return {}

        def one_member(values: list[Any]) -> dict[str, Any]:
            mapping = list(zip(templates, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return of(self.model)

        stacked = [v.value for v in self.variables]
        return map_members(one_member, stacked, (), loop=False)

    def redraw(self, index: int, seed: int) -> None:
        """Give a member new initial values, as if it had another seed; its seed itself stays.

        Args:
            index: the index of the member.
            seed: the seed of the new values.
        """
        with seeded(seed):
            model = self._builders[index]()
            draws = seed_generator.global_seed_generator().state
        self.assign(self._generator_state, index, draws.value)
        for variable, fresh in zip(self.variables, model.variables, strict=True):
            self.assign(variable, index, fresh.value)

    def assign(self, variable: keras.Variable, index: int, value: Any) -> None:
        """Set one member's part of a stacked variable.

        Args:
            variable: the stack, `[M, ...]`.
            index: the index of the member.
            value: the member's new value, of the shape of one member's part.
        """
        value = tf.cast(value, variable.dtype)
        variable.assign(tf.tensor_scatter_nd_update(variable.value, [[index]], value[None]))

    def part(self, start: int, stop: int) -> Self:
        """The members from `start` to `stop - 1`, with their current values in new variables.

        The copy shares the model with the whole, and no variable.

        Args:
            start: the index of the first member.
            stop: the index behind the last one.
        """
        part = copy.copy(self)
        part.parts = 1
        part.seeds, part._builders = self.seeds[start:stop], self._builders[start:stop]
        draws = self._generator_state.value[start:stop]
        part._keep([v.value[start:stop] for v in self.variables], draws)
        return part

    def member(self, index: int) -> keras.Model:
        """A member as an ordinary Keras model with its current values.

        Args:
            index: the index of the member.
        """
        model = self._builders[index]()
        for variable, stacked in zip(model.variables, self.variables, strict=True):
            variable.assign(stacked.value[index])
        return model


def check_seeds(seeds: Any) -> list[int]:
    """The list of seeds that a number or a list means.

    Args:
        seeds: a number of members, for seeds 0, 1, ...; or each member's seed.

    Raises:
        ValueError: it is neither, is empty, or has a seed outside 0 .. 2^32 - 1.
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        if seeds > MOST_SEEDS:
            raise ValueError(f"seeds={seeds} is more than {MOST_SEEDS}, the most at once")
        listed = list(range(seeds))
    elif isinstance(seeds, Sequence | np.ndarray) and not isinstance(seeds, str):
        listed = list(seeds)
    else:
        raise ValueError(f"seeds must be a number or a list of numbers, not {seeds!r}")
    if not listed:
        raise ValueError(f"seeds={seeds!r} leaves no member: give a number above 0 or a list")
    for seed in listed:
        whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if not whole or not 0 <= seed < 2**32:
            raise ValueError(f"a seed must be an integer from 0 to 2^32 - 1, not {seed!r}")
    return [int(seed) for seed in listed]


def check_builders(build_model: Any, members: int) -> list[BuildModel]:
    """The function that builds each member's model.

    Args:
        build_model: one function for all members, or a list with one for each.
        members: how many members there are.

    Raises:
        ValueError: it is something else, such as a model itself, or a list of another length.
    """
    if isinstance(build_model, Sequence) and not isinstance(build_model, str):
        builders = list(build_model)
    else:
        builders = [build_model] * members
    for build in builders:
        if not callable(build) or isinstance(build, keras.layers.Layer):
            raise ValueError(
                "build_model must be a function that returns a fresh keras.Model, such as "
                f"`lambda: keras.Sequential([...])`, not {type(build).__name__}"
            )
    if len(builders) != members:
        raise ValueError(f"build_model has {len(builders)} functions for {members} members")
    return builders


class _Scope(keras.StatelessScope):
    """A stateless scope in which gradients do not flow through an assignment.

    It behaves as TensorFlow's variables do: a value that is read after an assignment is again the
    variable, whose gradient does not reach into the assigned value (SpectralNormalization trains
    so).
    """

    def __init__(
        self, mapping: list[tuple[keras.Variable, Any]], differentiated: bool = True
    ) -> None:
        super().__init__(mapping, collect_losses=True)
        self._leaves = {id(v): value for v, value in mapping if differentiated and v.trainable}

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        """Note an assignment."""
        variable, value = update
        value = tf.stop_gradient(value)
        if (leaf := self._leaves.get(id(variable))) is not None:
            # Adds 0 to the value, and passes the gradient on to the variable.
            value += leaf - tf.stop_gradient(leaf)
        super().add_update((variable, value))


def _stack(variable: keras.Variable, values: Any, noted: bool | None = None) -> keras.Variable:
    """A variable of all members, with values `[M, ...]`, like one member's variable.

    Args:
        variable: one member's variable.
        values: the values of all members, `[M, ...]`.
        noted: whether layers note statistics of their inputs in it; by default, whether it is a
            float that is not trained.
    """
    if noted is None:
        noted = not variable.trainable and keras.backend.is_float_dtype(variable.dtype)
    stacked = keras.Variable(
        values,
        trainable=variable.trainable,
        dtype=variable.dtype,
        name=variable.path.replace("/", "_"),
        # Replicas make the same update, except of statistics of their inputs, which are averaged.
        aggregation="mean" if noted else "only_first_replica",
    )
    # For the trainer: the constraints of units are elementwise, and so mean the same on a stack.
    # `fit` applies each member's constraint within the map.
    stacked.constraint = variable.constraint
    return stacked
