"""The effective weights of a population's arithmetic units."""

from typing import Any

import keras

from nalu_seq.models import units_of
from nalu_seq.population.population import Population


def effective_weights(population: Population) -> dict[str, Any]:
    """Each matrix that a unit applies, `[M, in, units]`, or each vector, by `NALU W_a`.

    A second unit of one class in a model is `NALU 2`: names of Keras' own count through a process,
    so that two runs of a sweep would not have the same.
    """

    def of_member(model: keras.Model) -> dict[str, Any]:
        matrices: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for unit in units_of(model):
            kind = type(unit).__name__
            seen[kind] = seen.get(kind, 0) + 1
            name = kind if seen[kind] == 1 else f"{kind} {seen[kind]}"
            matrices |= {f"{name} {key}": matrix for key, matrix in unit.matrices().items()}
        return matrices

    return population.scalars(of_member)
