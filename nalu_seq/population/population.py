"""A population: many seeds of one Keras model that train in one program."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nalu_seq.population.fitting import STEPS_PER_EXECUTION, Fitting, predict, predict_batch
from nalu_seq.population.stacked import BuildModel, Stacked


class Population(Stacked):
    """Many seeds of one Keras model, compiled and fitted together as `keras.Model` is by itself.

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
        self._fitting: Fitting | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = "mse",
        metrics: Sequence[Any] = (),
        jit_compile: bool = False,
        steps_per_execution: int = STEPS_PER_EXECUTION,
    ) -> None:
        """Say how to train, as for a `keras.Model`.

        Args:
            optimizer: a name or an optimizer, of which the config is taken. Its norms are clipped
                to for each member by itself.
            loss: a name, a function or a `keras.losses.Loss`.
            metrics: names, functions or `keras.metrics.Metric`s.
            jit_compile: whether XLA compiles: for long trainings of small models that only feed
                forward, which it makes about twice as fast on a CPU, after half a minute.
            steps_per_execution: training steps in one call.

        Raises:
            ValueError: an unknown name, or an optimizer whose update is not elementwise.
        """
        self._fitting = Fitting(self, optimizer, loss, metrics, jit_compile, steps_per_execution)

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        validation_data: tuple[Any, Any] | None = None,
        shuffle: bool = True,
    ) -> keras.callbacks.History:
        """Train all members on the same examples, as `keras.Model.fit` trains one.

        Args:
            x: `[examples, ...]`, an array or a tensor.
            y: `[examples, ...]`.
            batch_size: examples a step.
            epochs: how often each example is used.
            verbose: 0 for silence; else a line an epoch, with the median over members and, in
                brackets, the least and the largest.
            callbacks: Keras callbacks; `model` is the population, logs are arrays `[M]`, and
                `model.stop_training = True` ends the training of all.
            validation_data: (x, y) to evaluate on after each epoch.
            shuffle: each member sees the examples in an order of its own, a function of its seed
                and the epoch; without, all see them in the order given.

        Returns:
            A history with a member axis: `history.history["loss"]` is `[epochs, M]`.

        Raises:
            ValueError: not compiled, no arrays, or arrays of different lengths.
        """
        return self._compiled().fit(
            x, y, batch_size, epochs, shuffle, validation_data, callbacks, verbose
        )

    def evaluate(
        self, x: Any, y: Any, batch_size: int = 32, return_dict: bool = False
    ) -> list[np.ndarray] | dict[str, np.ndarray]:
        """The loss and the metrics of each member, `[M]` each, in a list or by name.

        Args: as for `fit`.
        """
        results = self._compiled().evaluate(x, y, batch_size)
        return results if return_dict else list(results.values())

    def predict(self, x: Any, batch_size: int = 32) -> np.ndarray:
        """Every member's outputs on the same inputs: `[examples, ...] -> [M, examples, ...]`."""
        return predict(self._predict_batch, x, batch_size)

    @functools.cached_property
    def _predict_batch(self) -> Callable[[Any], Any]:
        return predict_batch(self)

    def _compiled(self) -> Fitting:
        if self._fitting is None:
            raise ValueError("call compile(optimizer=..., loss=...) first, as for a keras.Model")
        return self._fitting
