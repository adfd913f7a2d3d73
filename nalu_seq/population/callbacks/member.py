"""One member of a population in training, as a callback sees it: its weights and its optimizer."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class Member:
    """One member of a population in training, in the place of the model that a callback expects.

    Args:
        population: the population.
        index: the index of the member.
    """

    def __init__(self, population: Any, index: int) -> None:
        self._population, self._index = population, index
        self.optimizer = Optimizers(population._fitting, index)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics, by which callbacks know whether more is better."""
        return self._population.model.metrics

    @property
    def stop_training(self) -> bool:
        """Whether the member is frozen."""
        return not self._population._fitting.active.numpy()[self._index]

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._population.freeze(self._index, stop)

    def get_weights(self) -> list[np.ndarray]:
        """The member's weights as NumPy arrays, in the order of `keras.Model.weights`."""
        return [stack.value[self._index].numpy() for stack in self._population.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the member's weights.

        Args:
            weights: an array for each weight, in the order of `get_weights`.
        """
        for stack, value in zip(self._population.weights, weights, strict=True):
            self._population.assign(stack, self._index, value)

    def save(self, filepath: Any, **how: Any) -> None:
        """Save the member as a model of its own, under the path with its number.

        Args:
            filepath: the path without the number: `own.keras` becomes `own_member3.keras`.
            **how: the other arguments of `keras.Model.save`.
        """
        self._population.member(self._index).save(_member_path(filepath, self._index), **how)

    def save_weights(self, filepath: Any, **how: Any) -> None:
        """Save the member's weights, under the path with its number.

        Args:
            filepath: as for `save`.
            **how: the other arguments of `keras.Model.save_weights`.
        """
        self._population.member(self._index).save_weights(
            _member_path(filepath, self._index), **how
        )


class Optimizers:
    """The optimizers of all members, or of one, as a callback sees them.

    Args:
        fitting: the model that trains the population.
        index: the index of one member; None for all members.
    """

    def __init__(self, fitting: Any, index: int | None = None) -> None:
        self._fitting = fitting
        self._index = index

    @property
    def learning_rate(self) -> Any:
        """The learning rate: `[M]`, or a number for one member."""
        value = self._stack().value.numpy()
        return value if self._index is None else value[self._index]

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        stack = self._stack()
        if self._index is None:
            stack.assign(np.broadcast_to(np.asarray(rate, np.float32), stack.shape))
        else:
            self._fitting.population.assign(stack, self._index, np.float32(rate))

    @property
    def variables(self) -> list[keras.Variable]:
        """The optimizers' variables, `[M, ...]`, which a checkpoint needs beside the members'."""
        return [stack for _, stack in self._fitting.optimizer_pairs]

    def _stack(self) -> keras.Variable:
        optimizer = self._fitting.population.model.optimizer
        rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
        for template, stack in self._fitting.optimizer_pairs:
            if template is rate:
                return stack
        raise ValueError("the learning rate follows a schedule, and can't be read or set")


def _member_path(filepath: Any, index: int) -> str:
    folder, name = os.path.split(os.fspath(filepath))
    stem, dot, rest = name.partition(".")
    return os.path.join(folder, f"{stem}_member{index}{dot}{rest}")
