"""A population: many seeds of one Keras model that train in one program."""

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_slicing import train_validation_split

from nalu_seq.population.arguments import (
    check_count,
    check_examples,
    check_schedule,
    check_sizes,
)
from nalu_seq.population.callbacks import (
    CallbackList,
    History,
    Optimizers,
    Progress,
    make_callback_list,
    per_member,
)
from nalu_seq.population.fitting import Fitting
from nalu_seq.population.mapping import check_process
from nalu_seq.population.rows import Rows, are_arrays
from nalu_seq.population.stacked import BuildModel, Stacked

BATCH_SIZE = 32  # Keras' own


class Population(Stacked):
    """Many seeds of one Keras model, compiled and fitted together as `keras.Model` is by itself.

    Each member becomes the model that `keras.Model.fit` would train from its seed, but for the
    order of the examples. What a population can't do is refused by name before anything is trained.
    docs/population.md lists what works and what is refused.

    Args and attributes: as for `Stacked`.

    Example:
        >>> population = Population(build_model, seeds=50)
        >>> population.compile("adam", "mse")
        >>> history = population.fit(x, y, epochs=5)  # history.history["loss"]: [epochs, M]
        >>> model = population.member(7)  # an ordinary keras.Model

    Raises:
        ValueError: as for `Stacked`.
    """

    def __init__(
        self,
        build_model: BuildModel | Sequence[BuildModel],
        seeds: int | Sequence[int] = 10,
        loop: bool = False,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        super().__init__(build_model, seeds, loop, strategy)
        self.history: History | None = None
        self._steps_per_execution: int | None = None
        # Steps that Keras has traced, by the name of its attribute and the shapes of the data.
        self._traced: dict[tuple[Any, ...], Any] = {}

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | None = None,
        jit_compile: bool = False,
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose optimizer, loss and metrics, with the arguments of `keras.Model.compile`.

        Args:
            optimizer: a name or a fresh optimizer. Each member has its own: its norms, its learning
                rate (`learning_rate`), its count of steps.
            loss: a name, a function or a `keras.losses.Loss`, or one for each output.
            loss_weights: the weight of each output's loss.
            metrics: names, functions or `keras.metrics.Metric`s, or one of them.
            weighted_metrics: metrics that `sample_weight` and `class_weight` weigh.
            run_eagerly: whether steps run without a graph, to look into them.
            steps_per_execution: training steps in one call; by default 10, or 1 where a callback
                looks at each step.
            jit_compile: whether XLA compiles the training step. On a CPU that takes half a minute,
                and makes long trainings of small feed-forward models faster.
            auto_scale_loss: whether a mixed_float16 model's loss is scaled.

        Raises:
            ValueError: an unknown name, an optimizer that is already in use, a model with a
                training step of its own.
        """
        if steps_per_execution is not None:
            check_count("steps_per_execution", steps_per_execution)
        for name, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if isinstance(value, str) or callable(value):
                metrics = [value] if name == "metrics" else metrics
                weighted_metrics = [value] if name == "weighted_metrics" else weighted_metrics
        if optimizer is None:
            raise ValueError("optimizer must be a name or a keras.optimizers.Optimizer, not None")
        # Step by step without a graph, as a call of several steps is a loop of the graph.
        self._steps_per_execution = 1 if run_eagerly else steps_per_execution
        self._traced = {}
        arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "auto_scale_loss": auto_scale_loss,
        }
        self._fitting.set_up(
            arguments,
            steps_per_execution=self._steps_per_execution or 1,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
        )

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train all members, with the arguments of `keras.Model.fit`.

        Args:
            x: inputs, as Keras takes them: arrays `[examples, ...]`, a `tf.data.Dataset`, a
                generator, a `keras.utils.PyDataset`; or `Rows`, for members that see different
                examples.
            y: targets `[examples, ...]`, if x are arrays.
            batch_size: examples a step, if x are arrays; 32 by default.
            epochs: how often all examples are used.
            verbose: 0 for silence; else a line an epoch, with the median over members and, in
                brackets, the least and the largest.
            callbacks: your own see the population as `model`, with logs `[M]`. Those of Keras that
                decide (EarlyStopping, ReduceLROnPlateau, ModelCheckpoint, ...) act on each member
                by itself; those that report (CSVLogger, ...) get the median over the members.
            validation_split: the share of the arrays' end to evaluate on after each epoch.
            validation_data: (x, y), (x, y, sample_weight), a data set or `Rows`.
            shuffle: whether each member sees the examples of arrays in an order of its own, which
                depends on its seed and the pass; if not, all see them in the order of the arrays.
                Batches of a data set or a generator are the same for all members.
            class_weight: the weight of each class in the loss.
            sample_weight: the weight of each example, `[examples]`.
            initial_epoch: the number of the first epoch, to go on with a training.
            steps_per_epoch: training steps of an epoch; by default as many as use all examples.
            validation_steps: steps of an evaluation on `validation_data`; by default all.
            validation_batch_size: examples a step of it; by default `batch_size`.
            validation_freq: after how many epochs, or after which ones, to evaluate.

        Returns:
            A history with a member axis: `history.history["loss"]` is `[epochs, M]`, NaN for epochs
            before which a callback had stopped a member.

        Raises:
            ValueError: `compile` was not called, an argument has an invalid value, or a population
                can't serve a callback or a layer.
        """
        check_process()
        self._check_compiled()
        check_examples(x)
        check_sizes(batch_size=batch_size, validation_batch_size=validation_batch_size)
        check_sizes(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        check_count("epochs", epochs)
        check_schedule(epochs, initial_epoch, validation_split, validation_freq)
        if class_weight is not None and not isinstance(class_weight, Mapping):
            raise ValueError(f"class_weight must map classes to weights, not {class_weight!r}")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = train_validation_split(
                (x, y, sample_weight), validation_split=validation_split
            )
        history, fitting = History(), self._fitting
        callback_list = make_callback_list(
            self, callbacks, [history, Progress(epochs, bool(verbose))]
        )
        steps = self._steps(callback_list, steps_per_epoch, validation_steps)
        if validation_data is not None:
            own = validation_data
            own = tuple(own) if isinstance(own, tuple | list) else (own,)
            size = validation_batch_size or batch_size or _batch_size(validation_steps, *own)
            own = self._in_memory(own, size, False, 1 if validation_steps else steps)
            validation_data = own[0] if len(own) == 1 else own
        batch_size = batch_size or _batch_size(steps_per_epoch, x, y, sample_weight)
        data = (x, y, sample_weight)
        calls = 1 if steps_per_epoch or fitting.jit_compile else steps
        inputs = self._in_memory(data, batch_size, shuffle, calls, class_weight)
        if len(inputs) == 1:  # arrays became a data set, which holds targets and weights itself
            x, y, sample_weight, class_weight, batch_size, shuffle = (
                *inputs,
                None,
                None,
                None,
                None,
                False,
            )
            callback_list.steps_a_call = calls
        fitting.begin(steps // callback_list.steps_a_call, x)
        fitting.begin_training()
        fitting._eval_epoch_iterator = None  # of a training that an error has ended
        with self._functions(train_function=x, test_function=validation_data):
            fitting.fit(
                x=x,
                y=y,
                sample_weight=sample_weight,
                class_weight=class_weight,
                batch_size=batch_size,
                epochs=epochs,
                callbacks=callback_list,
                validation_data=validation_data,
                shuffle=shuffle,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )
        self.history = history
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        return_dict: bool = False,
    ) -> list[np.ndarray] | dict[str, np.ndarray] | np.ndarray:
        """The loss and the metrics of each member, `[M]` each.

        Args:
            x: inputs, as for `fit`.
            y: targets `[examples, ...]`, if x are arrays.
            batch_size: examples a step, if x are arrays; 32 by default.
            verbose: accepted as Keras has it, and ignored.
            sample_weight: the weight of each example, `[examples]`.
            steps: how many steps are evaluated; by default all.
            callbacks: as for `fit`.
            return_dict: whether the values are returned by name.

        Returns:
            A dictionary; else a list in the order of `metrics_names`, or its only entry.

        Raises:
            ValueError: as for `fit`.
        """
        del verbose
        check_process()
        self._check_compiled()
        check_examples(x)
        check_sizes(batch_size=batch_size, steps=steps)
        callback_list = make_callback_list(self, callbacks)
        number = self._steps(callback_list, steps)
        batch_size = batch_size or _batch_size(steps, x, y, sample_weight)
        inputs = self._in_memory((x, y, sample_weight), batch_size, False, 1 if steps else number)
        if len(inputs) == 1:
            x, y, sample_weight, batch_size = *inputs, None, None, None
            callback_list.steps_a_call = 1 if steps or self._fitting.jit_compile else number
        with self._fitting.aside():
            self._fitting.begin(number // callback_list.steps_a_call, x)
            with self._functions(test_function=x):
                results = self._fitting.evaluate(
                    x=x,
                    y=y,
                    batch_size=batch_size,
                    sample_weight=sample_weight,
                    steps=steps,
                    callbacks=callback_list,
                    return_dict=True,
                )
        results = {name: per_member(value, len(self)) for name, value in results.items()}
        if return_dict:
            return results
        values = [results.pop(name) for name in self.metrics_names if name in results]
        values += results.values()
        return values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
    ) -> Any:
        """The outputs of every member on the same inputs.

        Args:
            x: inputs, as for `fit`, but no `Rows`: all members have the same.
            batch_size: examples a step, if x are arrays; 32 by default.
            verbose: accepted as Keras has it, and ignored.
            steps: how many steps are predicted; by default all.
            callbacks: as for `fit`.

        Returns:
            Arrays `[M, examples, ...]`, in the structure of the model's outputs.

        Raises:
            ValueError: an argument has an invalid value, or a population can't serve a callback or
                a layer.
        """
        del verbose
        check_process()
        if isinstance(x, Rows):
            raise ValueError("predict gives all members the same inputs: give it arrays, not Rows")
        check_examples(x)
        check_sizes(batch_size=batch_size, steps=steps)
        callback_list = make_callback_list(self, callbacks)
        with self._fitting.aside():
            # As many steps as are asked for, whatever a call of `fit` makes.
            self._fitting.steps_per_execution = 1
            predictions = self._fitting.predict(
                x, batch_size=batch_size, steps=steps, callbacks=callback_list
            )
        return keras.tree.map_structure(lambda values: np.moveaxis(values, 1, 0), predictions)

    def freeze(self, index: int, frozen: bool = True) -> None:
        """Leave a member as it is while the others train on; for a callback's `self.model`.

        Args:
            index: the index of the member.
            frozen: False to let the member train again. The next `fit` trains all members.

        Raises:
            ValueError: there is no such member.
        """
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise ValueError(f"index must be a whole number, not {index!r}")
        if not 0 <= index < len(self):
            raise ValueError(f"index must be from 0 to {len(self) - 1}, not {index}")
        self._fitting.freeze(index, frozen)

    @property
    def stop_training(self) -> bool:
        """Whether a callback has ended the training of all members."""
        return self._fitting.stop_training

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._fitting.stop_training = stop

    @property
    def optimizer(self) -> Optimizers:
        """The members' optimizers; set `learning_rate`, which is `[M]`, to a number or to `[M]`."""
        self._check_compiled()
        return Optimizers(self._fitting)

    @property
    def metrics_names(self) -> list[str]:
        """The names of the loss and the metrics, in the order of `evaluate`'s list."""
        names: list[str] = []
        for metric in self.model.metrics:
            inner = getattr(metric, "metrics", None)
            names += [m.name for m in inner] if inner is not None else [metric.name]
        return names

    @functools.cached_property
    def _fitting(self) -> Fitting:
        with self.strategy.scope():
            return Fitting(self)

    def _steps(self, callback_list: CallbackList, *counts: int | None) -> int:
        """The training steps of a call: a divisor of the steps of an epoch and of an evaluation."""
        if self.strategy.num_replicas_in_sync > 1:
            return 1  # Keras' loop over steps and the reductions of replicas don't go together
        most = self._steps_per_execution or callback_list.steps_per_execution
        number = math.gcd(*(count or 0 for count in counts))
        return max(d for d in range(1, most + 1) if number % d == 0)

    def _in_memory(
        self,
        data: tuple[Any, ...],
        batch_size: int | None,
        shuffle: bool,
        steps: int,
        class_weight: Mapping[int, float] | None = None,
    ) -> tuple[Any, ...]:
        """(x, y, sample_weight) as they are, or one data set in their place if they are arrays."""
        x, y, sample_weight = (*data, None, None)[:3]
        if not isinstance(x, Rows):
            if not are_arrays(x, y, sample_weight):
                return data
            x = Rows(None, x, y, sample_weight, class_weight)
        elif any(part is not None for part in (y, sample_weight, class_weight)):
            raise ValueError("Rows holds y and the weights itself: give them to Rows")
        steps = 1 if self._fitting.jit_compile else steps  # XLA's loops are slow on a CPU
        return (self._fitting.own_data(x, batch_size or BATCH_SIZE, shuffle, steps),)

    @contextlib.contextmanager
    def _functions(self, **data: Any) -> Iterator[None]:
        """Within a block, steps that were traced for data of these shapes, or are traced anew.

        A step of rows in memory needs their number. TensorFlow would trace a step that has seen two
        numbers for any number, and such a step is slower besides.

        Args:
            **data: the data by the name of Keras' attribute that holds the step.
        """
        fitting = self._fitting

        def key(name: str) -> tuple[Any, ...]:
            shapes = repr(getattr(data[name], "element_spec", None))
            return name, shapes, fitting.steps_per_execution, fitting.may_freeze

        for name in data:
            setattr(fitting, name, self._traced.get(key(name)))
        yield
        self._traced |= {key(name): getattr(fitting, name) for name in data}

    def _check_compiled(self) -> None:
        if not self._fitting.compiled:
            raise ValueError("call compile(optimizer=..., loss=...) first, as for a keras.Model")


def _batch_size(steps: int | None, *data: Any) -> int | None:
    """The batch size by which arrays give so many steps, as Keras chooses it; else None."""
    if not steps or not are_arrays(*data):
        return None
    return -(-len(keras.tree.flatten(data[0])[0]) // steps)
