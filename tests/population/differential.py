"""Keras' `fit` of each seed beside a population of them: equal, or refused by name beforehand."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from nalu_seq import Population
from nalu_seq.population.mapping import NotVectorised

SEEDS = [3, 4]
# Relative and absolute tolerance of each number format.
TOLERANCES = {"float32": (1e-4, 1e-6), "float64": (1e-6, 1e-6)}
IN_FLOAT64 = "equal in float64"


class Outcome(NamedTuple):
    """What became of a comparison.

    Attributes:
        kind: "works", "loop" (works with loop=True), "refused", "keras" (Keras' own fit fails), or
            "different".
        why: what the population or Keras says, or where they differ.
    """

    kind: str
    why: str = ""


def compare(
    build: Callable[[], keras.Model],
    data: Callable[[], dict[str, Any]],
    how: Callable[[], dict[str, Any]],
    loop: bool = False,
) -> Outcome:
    """Three steps (or what the data give) of each, from the same seeds.

    Where they differ they are compared in float64 too. If they agree there, float32's rounding is
    the difference: Adam and its like divide a gradient that is 0, such as that of a bias under a
    normalization, by its own size, and so make steps of what rounding has left of it.

    Args:
        build: makes the model.
        data: makes `fit`'s arguments anew, so that a generator can be used twice.
        how: makes `compile`'s arguments anew.
        loop: the population's.
    """
    outcome = _compared(build, data, how, loop, eager=True)
    if outcome.kind == "different":  # what Keras' own eager steps may be, too
        outcome = _compared(build, data, how, loop, eager=False)
    if outcome.kind == "different":
        with _in_float64():
            exact = _compared(build, data, how, loop, eager=False)
        outcome = Outcome("works", IN_FLOAT64) if exact.kind == "works" else outcome
    return outcome


@contextlib.contextmanager
def _in_float64() -> Iterator[None]:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def _compared(build: Any, data: Any, how: Any, loop: bool, eager: bool) -> Outcome:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            alone = [_alone(build, data(), how(), seed, eager) for seed in SEEDS]
        except Exception as error:  # whatever a layer raises that is not meant for `fit`
            return Outcome("keras", _line(error))
        population = None
        try:
            population = Population(build, SEEDS, loop=loop)
            begin = [variable.numpy() for variable in population.variables]
            population.compile(**how())
            history = _named(population.fit(verbose=0, shuffle=False, **data()).history)
        except ValueError as error:
            if population and not all(
                np.array_equal(v.numpy(), b)
                for v, b in zip(population.variables, begin, strict=True)
            ):
                return Outcome("different", f"refused after it had trained: {_line(error)}")
            if isinstance(error, NotVectorised) and not loop:
                looped = compare(build, data, how, loop=True)
                return Outcome("loop") if looped.kind == "works" else looped
            return Outcome("refused", _line(error))
    return _difference(population, history, alone)


def _alone(
    build: Any, data: dict[str, Any], how: dict[str, Any], seed: int, eager: bool
) -> tuple[Any, Any]:
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(**how | {"run_eagerly": eager, "steps_per_execution": 1})
    history = _named(model.fit(verbose=0, shuffle=False, **data).history)
    return history, [variable.numpy() for variable in model.variables]


def _difference(population: Population, history: dict[str, Any], alone: list[Any]) -> Outcome:
    for index, (logs, variables) in enumerate(alone):
        if set(logs) != set(history):
            return Outcome("different", f"{sorted(history)} logged, not {sorted(logs)}")
        for name, values in logs.items():
            if not _close(history[name][: len(values), index], values):
                ours = history[name][:, index]
                return Outcome("different", f"{name}: {ours}, Keras {values}, member {index}")
        for stack, value in zip(population.variables, variables, strict=True):
            if not _close(stack.value[index], value):
                gap = np.abs(np.asarray(stack.value[index], float) - value).max()
                return Outcome("different", f"{stack.path}: by {gap:.3g}, member {index}")
    return Outcome("works")


def _named(history: dict[str, Any]) -> dict[str, Any]:
    """Without the number that a metric's name gets when there was one before."""
    return {re.sub(r"_\d+$", "", name): values for name, values in history.items()}


def _close(ours: Any, expected: Any) -> bool:
    rtol, atol = TOLERANCES[keras.config.floatx()]
    return np.allclose(
        np.asarray(ours, float), np.asarray(expected, float), rtol, atol, equal_nan=True
    )


def _line(error: Exception) -> str:
    # Keras wraps what is raised in a layer's call into lines of its own, in bold.
    bold = re.search("\x1b\\[1m(.*?)\x1b\\[0m", str(error), flags=re.S)
    text = (bold[1] if bold else str(error)).strip() or type(error).__name__
    line = re.sub(r"_\d+(?= \()", "", text.splitlines()[0])  # a layer's number: `dense_3 (Dense)`
    return line[:200]
