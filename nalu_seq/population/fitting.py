"""Keras' own `fit`, `evaluate` and `predict`, with a step that all members make together."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.losses import loss as losses

from nalu_seq.population.mapping import NotVectorised
from nalu_seq.population.optimizing import (
    check_begins,
    check_optimizer,
    functional,
    members_of,
    variables_of,
)
from nalu_seq.population.random import Stream
from nalu_seq.population.rows import Batch, OwnBatch, Rows
from nalu_seq.population.stacked import Pair, Stacked

UNREAD = "unread"  # the only entry of the logs of a call of many steps, which reads no metrics
# Methods that a model may not override, because the population's are called in their place.
OURS = ("train_step", "test_step", "predict_step", "fit", "evaluate", "predict", "compile")


class Fitting(keras.Model):
    """A Keras model whose training step makes a step of every member.

    `fit`, `evaluate` and `predict` are Keras' own. The template, the one model that all members
    share, is compiled as any Keras model is. Within the map over members, under a stateless scope,
    the template computes the loss and the metrics by its own `compute_loss` and `compute_metrics`,
    and its optimizer applies the gradients, all on one member's values.

    Args:
        population: the members.
    """

    def __init__(self, population: Stacked) -> None:
        super().__init__()
        self.population = population
        self.built = True
        self.steps_per_execution: int = 1
        self.active = _variable(tf.ones([len(population)], tf.bool))
        self.inactive = np.zeros(len(population), bool)  # at the epoch's beginning
        self.may_freeze = False
        self._counted: set[int] = set()  # ids of metrics' variables that each replica counts itself
        self._metric_pairs: list[Pair] = []
        self.optimizer_pairs: list[Pair] = []
        # How many passes over shuffled rows have begun, and the order of the current one, `[M, n]`.
        self._passes = _variable(tf.constant(0))
        self._order = _variable(tf.zeros([len(population), 0], tf.int32), [len(population), None])

    def set_up(self, arguments: dict[str, Any], **how: Any) -> None:
        """Compile the template with the arguments of `keras.Model.compile`.

        Args:
            arguments: the arguments that concern one member: optimizer, loss, metrics.
            **how: those that concern the calls: `steps_per_execution`, `jit_compile`,
                `run_eagerly`.
        """
        model, population = self.population.model, self.population
        optimizer = keras.optimizers.get(arguments["optimizer"])
        check_optimizer(optimizer)
        model.compile(**{**arguments, "optimizer": optimizer})
        with functional():
            model.optimizer.build(model.trainable_variables)
        kept = variables_of(model.optimizer, model.trainable_variables)
        check_begins(kept)
        self.optimizer_pairs = population.stacks_of(kept)
        self._metric_pairs = []
        super().compile(optimizer=None, loss=None, metrics=None, **how)

    def begin(self, steps_per_execution: int, data: Any) -> None:
        """Get ready for `fit` or `evaluate`.

        Args:
            steps_per_execution: how many steps a call of Keras' loop makes.
            data: the x of `fit` or `evaluate`. If it is a data set, its shapes are known and the
                metrics are built here: a step that had to build them would be traced twice, as a
                graph must not make variables.
        """
        refuse_own_steps(self.population.model)
        if isinstance(data, tf.data.Dataset):
            self._symbolic_build(data_batch=data.element_spec)
        if steps_per_execution != self.steps_per_execution:
            self.steps_per_execution = steps_per_execution
            self.train_function = self.test_function = None  # both are traced for a number of steps

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Keep what a `fit` has traced while a block, in a callback of it, measures or predicts."""
        names = "steps_per_execution", "train_function", "test_function"
        before = {name: getattr(self, name) for name in names}
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def begin_training(self) -> None:
        """Let every member train, also those that an earlier training has stopped."""
        self.history = None
        self.active.assign(tf.ones_like(self.active))

    def freeze(self, index: int, frozen: bool) -> None:
        """Leave a member as it is in the steps to come, or let it train again.

        Args:
            index: the index of the member.
            frozen: whether it stays as it is; False to let it train again.
        """
        self.active.assign(tf.tensor_scatter_nd_update(self.active, [[index]], [not frozen]))
        if not self.may_freeze:  # steps that can leave out members are slower: traced if needed
            self.may_freeze = True
            self.make_train_function(force=True)
        if not self.active.numpy().any():
            self.stop_training = True

    def note_inactive(self) -> None:
        """Note which members have stopped, at the beginning of an epoch."""
        self.inactive = ~self.active.numpy()

    # The methods that Keras' `fit`, `evaluate` and `predict` call.

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of every member."""
        return self._on(data, self._train)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Every member's loss and metrics on a batch."""
        return self._on(data, self._test)

    def predict_step(self, data: Any) -> Any:
        """Every member's outputs on a batch: `[B, M, ...]`."""
        return self._on(data, self._predict)

    def reset_metrics(self) -> None:
        """Set every member's metrics back to nothing."""
        if self._metric_pairs:
            self._reset()

    def get_metrics_result(self) -> dict[str, Any]:
        """Every member's metrics: `[M]` each."""
        return self._results() if self._metric_pairs else {}

    def finalize(self) -> None:
        """Set variables to their moving averages, if the optimizer keeps them."""
        model = self.population.model

        def one_member(_: Any) -> Any:
            with functional():
                model.optimizer.finalize_variable_values(model.trainable_variables)
            return tf.constant(0)

        if any(part.use_ema for part in members_of(model.optimizer)):
            self.active.assign(tf.ones_like(self.active))
            pairs = [*self.population.pairs(), *self.optimizer_pairs]
            self._mapped(one_member, self._seeds(), pairs)

    # The data of members that see different examples, or the same in different orders.

    def own_data(self, rows: Rows, batch_size: int, shuffle: bool, steps: int) -> tf.data.Dataset:
        """A data set for Keras' `fit` or `evaluate` from rows in memory.

        Args:
            rows: the examples, and which of them each member sees.
            batch_size: examples a step, over all replicas.
            shuffle: whether each member sees its rows in an order of its own.
            steps: training steps in each element of the data set; always 1 with several replicas.

        Returns:
            A data set of `Batch`, or of `OwnBatch` with several replicas.
        """
        members, count = len(self.population), rows.rows.shape[-1]
        if self.population.strategy.num_replicas_in_sync == 1:
            if shuffle:  # XLA can assign only values of the shape that the variable has already
                self._order.assign(tf.zeros([members, count], tf.int32))
            return rows.dataset(batch_size, shuffle, members, steps)
        in_order = np.tile(np.arange(count), [members, 1])
        orders = (lambda: self.next_order(count)) if shuffle else (lambda: in_order)
        return rows.shared(batch_size, orders, members)

    def next_order(self, count: int) -> Any:
        """The order of the next pass over the rows, by each member's seed and the pass.

        Args:
            count: how many rows each member sees.

        Returns:
            A permutation for each member, int32 `[M, count]`.
        """
        seeds = self.population.seeds
        words = Stream(seeds, ["fit"] * len(seeds), "order").at(self._passes, 1).bits(count)[:, 0]
        order = tf.argsort(tf.cast(words, tf.int64), axis=-1, stable=True)
        self._passes.assign_add(1)
        return order

    def _on(self, data: Any, step: Callable[[Any, Any], Any]) -> Any:
        """Call `step((), data)` with data that members share, `step(data, None)` with their own."""
        if isinstance(data, OwnBatch):
            return step(tf.nest.map_structure(_members_first, data.data), None)
        if not isinstance(data, Batch):
            return step((), data)
        count, size = data.rows.shape[-1], data.places.shape[0]
        if data.order:
            tf.cond(
                data.start == 0,
                lambda: self._order.assign(self.next_order(count)),
                lambda: self._order.value(),
            )

        def on(start: Any, size: int) -> Any:
            own, shared = self._picked(data, start, size)
            return step(own, shared)

        # A step of known shapes is faster, so that a last, smaller batch has a step of its own.
        rest = count % size
        if not data.steps:
            if rest == 0:
                return on(data.start, size)
            return tf.cond(data.rest, lambda: on(data.start, rest), lambda: on(data.start, size))

        def one(i: Any) -> Any:
            on(data.start + i * size, size)
            return i + 1

        steps = data.steps[0]
        tf.while_loop(lambda i: i < steps, one, [tf.constant(0)], parallel_iterations=1)
        if rest:
            last = data.start + steps * size
            tf.cond(data.rest, lambda: (on(last, rest), True)[1], lambda: False)
        return {UNREAD: steps}  # the metrics are read when a callback or an epoch's end asks

    def _picked(self, data: Batch, start: Any, size: int) -> tuple[Any, Any]:
        """The examples from a place on: each member's own, `[M, B, ...]`, or shared ones."""
        own = data.rows.shape.rank == 2
        places = start + data.places[:size]  # not a slice: XLA would compile one for each start
        if data.order:
            picked = tf.gather(self._order, places, axis=-1)
            picked = tf.gather(data.rows, picked, axis=-1, batch_dims=1 if own else 0)
        else:
            picked = tf.gather(data.rows, places, axis=-1)
        examples = tf.nest.map_structure(lambda part: tf.gather(part, picked), data.data)
        return (examples, None) if picked.shape.rank == 2 else ((), examples)

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """Keras' method; after a call that has read no metrics they are read here."""
        unread = UNREAD in logs
        return self.get_metrics_result() if unread else super()._get_metrics_result_or_logs(logs)

    # The steps. `own` has data that differ between members, `[M, B, ...]`, `shared` data that do
    # not.

    def _train(self, own: Any, shared: Any) -> dict[str, Any]:
        self._prepare(own, shared)
        population, model = self.population, self.population.model
        pairs = [*population.pairs(), *self._metric_pairs, *self.optimizer_pairs]
        count = len(population.trainable_variables)
        if not count:
            return self._mapped(
                lambda own: self._measured(own, shared, True)[1], self._ahead(own), pairs
            )
        replicas = population.strategy.num_replicas_in_sync
        if self.jit_compile and replicas == 1:
            return self._train_within(own, shared, pairs)
        values = [tf.convert_to_tensor(variable.value) for _, variable in pairs]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values[:count])
            (loss, logs), updates = population.map(
                lambda own: self._measured(own, shared, True), self._ahead(own), pairs, values
            )
            total = tf.reduce_sum(loss)
        gradients = tape.gradient(total, values[:count])
        with_gradient = [i for i, g in enumerate(gradients) if g is not None]
        dense = [tf.convert_to_tensor(gradients[i]) for i in with_gradient]
        if replicas > 1:
            context = tf.distribute.get_replica_context()
            dense = context.all_reduce(tf.distribute.ReduceOp.SUM, dense)

        def applied(dense: Any) -> Any:
            own = dict(zip(with_gradient, dense, strict=True))
            with functional():
                model.optimizer.apply([own.get(i) for i in range(count)], model.trainable_variables)
            return tf.constant(0)

        self._keep(updates)
        changed = [*pairs[:count], *self.optimizer_pairs]
        try:  # layers that need the loop are not called here
            self._mapped(applied, dense, changed, differentiated=False, loop=False)
        except NotVectorised:
            self._mapped(applied, dense, changed, differentiated=False)
        return logs

    def _train_within(self, own: Any, shared: Any, pairs: Sequence[Pair]) -> dict[str, Any]:
        """`_train` with the tape within the map, as XLA needs it: see `Stacked.gradients`."""
        model = self.population.model

        def one_member(own: Any) -> Any:
            values = [variable.value for variable in model.trainable_variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                loss, logs = self._measured(own, shared, True)
            gradients = tape.gradient(loss, values)
            gradients = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
            with functional():
                model.optimizer.apply(gradients, model.trainable_variables)
            return logs

        return self._mapped(one_member, self._ahead(own), pairs)

    def _test(self, own: Any, shared: Any) -> dict[str, Any]:
        self._prepare(own, shared)
        pairs = [*self.population.pairs(), *self._metric_pairs]
        return self._mapped(
            lambda own: self._measured(own, shared, False)[1],
            self._ahead(own),
            pairs,
            training=False,
        )

    def _predict(self, own: Any, shared: Any) -> Any:
        def one_member(own: Any) -> Any:
            x, *_ = keras.utils.unpack_x_y_sample_weight(own[0] if shared is None else shared)
            return self._outputs(x, False)

        outputs = self._mapped(one_member, self._ahead(own), self.population.pairs())
        return tf.nest.map_structure(_members_first, outputs)

    def _measured(self, own: Any, shared: Any, training: bool) -> tuple[Any, dict[str, Any]]:
        """One member's loss on a batch, scaled as its optimizer expects, and its metrics."""
        model = self.population.model
        data = own[0] if shared is None else shared
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self._outputs(x, training)
        loss = model._compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
        )
        examples = tf.shape(next(i for i in keras.tree.flatten(x) if i is not None))[0]
        model._loss_tracker.update_state(_unscaled(loss), examples)
        logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
        scaled = model.optimizer.scale_loss(loss) if training else loss
        return scaled, {name: tf.convert_to_tensor(value) for name, value in logs.items()}

    def _outputs(self, x: Any, training: bool) -> Any:
        model = self.population.model
        return model(x, training=training) if model._call_has_training_arg else model(x)

    def _ahead(self, own: Any) -> Any:
        """The inputs of the map: own data and the seeds, as it needs at least one tensor."""
        return own, self._seeds()

    def _seeds(self) -> Any:
        return tf.constant(self.population.seeds, tf.int64)

    def _mapped(
        self,
        one_member: Callable[[Any], Any],
        inputs: Any,
        pairs: Sequence[Pair],
        training: bool = True,
        **how: bool,
    ) -> Any:
        """A function of one member for all members; its assignments to variables are kept."""
        values = [variable.value for _, variable in pairs]
        outputs, updates = self.population.map(one_member, inputs, pairs, values, **how)
        self._keep(updates, training)
        return outputs

    def _keep(self, updates: Sequence[tuple[keras.Variable, Any]], training: bool = True) -> None:
        for variable, value in updates:
            if id(variable) in self._counted and not tf.distribute.in_cross_replica_context():
                # The counts of all replicas are added up.
                count = value - variable.value
                context = tf.distribute.get_replica_context()
                value = variable.value + context.all_reduce(tf.distribute.ReduceOp.SUM, count)
            if training and self.may_freeze:  # frozen members are measured like all others
                active = tf.reshape(self.active, [-1] + [1] * (len(value.shape) - 1))
                value = tf.where(active, value, variable.value)
            variable.assign(value)

    # Metrics and losses are built at the first batch, for its shapes.

    def _prepare(self, own: Any, shared: Any) -> None:
        spec = shared if shared is not None else tf.nest.map_structure(_one_members, own)
        self._symbolic_build(data_batch=spec)

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if self._metric_pairs:  # Keras calls this before each `evaluate`, too
            return
        model = self.population.model
        with tf.init_scope():
            model._symbolic_build(data_batch=_one_batch(data_batch))
            self._metric_pairs = self.population.stacks_of(model.metrics_variables)
        if self.population.strategy.num_replicas_in_sync > 1:
            self._counted = {id(stack) for _, stack in self._metric_pairs}
        self._reset = self._of_metrics(lambda: model.reset_metrics() or {})
        self._results = self._of_metrics(model.get_metrics_result)

    def _of_metrics(self, function: Callable[[], dict[str, Any]]) -> Callable[[], Any]:
        def all_members() -> Any:
            def one_member(_: Any) -> Any:
                return {name: tf.convert_to_tensor(v) for name, v in function().items()}

            return self._mapped(one_member, self._seeds(), self._metric_pairs, training=False)

        return tf.function(all_members, autograph=False)


# Keras divides a loss by the number of replicas, since 3.7.
_unscaled = getattr(losses, "unscale_loss_for_distribution", lambda loss: loss)


def refuse_own_steps(model: keras.Model) -> None:
    """Check that a model has no training step or loop of its own.

    Args:
        model: the template of a population.

    Raises:
        ValueError: it overrides one of the methods that the population replaces; the message names
            them.
    """
    own = [name for name in OURS if getattr(type(model), name) is not getattr(keras.Model, name)]
    if own:
        raise ValueError(
            f"{type(model).__name__} has its own {', '.join(own)}, which a population would not "
            "call: override compute_loss or compute_metrics, or train its members one by one"
        )


def _members_first(tensor: Any) -> Any:
    """`[B, M, ...]` to `[M, B, ...]`, and back."""
    return tf.transpose(tensor, [1, 0, *range(2, len(tensor.shape))])


def _one_members(tensor: Any) -> Any:
    return tf.TensorSpec(tensor.shape[1:], tensor.dtype)


def _one_batch(data: Any) -> Any:
    """The shapes and types of the batch that one member sees."""

    def spec(part: Any) -> Any:
        if isinstance(part, tf.experimental.Optional | tf.OptionalSpec):  # Keras' form of None
            return None
        if isinstance(data, Batch):
            return tf.TensorSpec([data.places.shape[0], *part.shape[1:]], part.dtype)
        if isinstance(data, OwnBatch):  # [B, M, ...]
            return tf.TensorSpec([part.shape[0], *part.shape[2:]], part.dtype)
        return part

    examples = data.data if isinstance(data, Batch | OwnBatch) else data
    return keras.tree.map_structure(spec, examples)


def _variable(value: Any, shape: Any = None) -> tf.Variable:
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, shape=shape, trainable=False, aggregation=aggregation)
