"""The effective weights of a population's arithmetic units."""

from typing import Any

import keras

from nalu_seq.models import units_of
from nalu_seq.population.population import Population


def effective_weights(population: Population) -> dict[str, Any]:
    """The effective weights of all units in a population, by unit and matrix, such as `NALU W_a`.

    Args:
        population: the members.

    Returns:
        Matrices `[M, in, units]` or vectors `[M, units]`, as the units apply them.
    """

    def of_member(model: keras.Model) -> dict[str, Any]:
        return {
            f"{name} {key}": matrix
            for name, unit in named_units(model).items()
            for key, matrix in unit.matrices().items()
        }

    return population.scalars(of_member)


def named_units(model: keras.Model) -> dict[str, Any]:
    """The units of a model, named by their classes.

    A second unit of a class is called `NALU 2`. Keras' own names count through a process, so that
    two runs of a sweep would have different ones.

    Args:
        model: a model of the population.

    Returns:
        The units by name, from input to output.
    """
    units: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for unit in units_of(model):
        kind = type(unit).__name__
        counts[kind] = counts.get(kind, 0) + 1
        units[kind if counts[kind] == 1 else f"{kind} {counts[kind]}"] = unit
    return units
