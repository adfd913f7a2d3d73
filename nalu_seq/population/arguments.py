"""Checks of the arguments of a population's `fit`, `evaluate` and `predict`."""

from typing import Any

import numpy as np
import tensorflow as tf


def check_examples(x: Any) -> None:
    """Check that there are inputs.

    Args:
        x: the argument of that name.

    Raises:
        ValueError: it is None, a single number, or an array without examples.
    """
    if x is None:
        raise ValueError("x is missing: give arrays, Rows, a data set or a generator")
    if not isinstance(x, np.ndarray | np.number | tf.Tensor | int | float):
        return
    if not np.size(x):
        raise ValueError("x has no examples: give it at least one")
    if not np.ndim(x):
        raise ValueError(f"x must be [examples, ...], not the single number {x!r}")


def check_schedule(epochs: int, initial_epoch: Any, split: Any, frequency: Any) -> None:
    """Check that there are epochs, and examples and epochs to evaluate on.

    Args:
        epochs: the number of the last epoch.
        initial_epoch: the number of the first one.
        split: the share of the examples that is held out for evaluation.
        frequency: after how many epochs, or after which ones, to evaluate.

    Raises:
        ValueError: there would be none.
    """
    whole = isinstance(initial_epoch, int | np.integer) and not isinstance(initial_epoch, bool)
    if not whole or not 0 <= initial_epoch < epochs:
        raise ValueError(
            f"initial_epoch must be a whole number from 0 to below epochs={epochs}, "
            f"not {initial_epoch!r}"
        )
    number = isinstance(split, int | float | np.number) and not isinstance(split, bool)
    if not number or not 0 <= split < 1:
        raise ValueError(f"validation_split must be a number from 0 to below 1, not {split!r}")
    for value in frequency if isinstance(frequency, list | tuple | set) else [frequency]:
        check_count("validation_freq", value)


def check_sizes(**sizes: Any) -> None:
    """Check arguments that are whole numbers from 1, or None.

    Args:
        **sizes: the arguments by their names.

    Raises:
        ValueError: one is neither.
    """
    for name, value in sizes.items():
        if value is not None:
            check_count(name, value)


def check_count(name: str, value: Any) -> None:
    """Check that an argument is a whole number from 1.

    Args:
        name: the argument's name.
        value: its value.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
