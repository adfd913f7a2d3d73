"""How far the weights of each member are from the whole numbers that units should reach."""

from typing import Any

import keras
import tensorflow as tf

from nalu_seq.models import units_of
from nalu_seq.population.population import Population
from nalu_seq.records.observers import Measurement, Measurer
from nalu_seq.units.weights import sparsity_error


class SparsityError(Measurer):
    """Measures how far each member's worst weight is from -1, 0 and 1.

    Args:
        population: the members; where their model has no units, nothing is measured.
    """

    def __init__(self, population: Population) -> None:
        self._scalars = tf.function(lambda: population.scalars(_largest_error), autograph=False)

    def __call__(self) -> list[Measurement]:
        """The measurement `train/sparsity_error`, `[M]`."""
        return [Measurement("train", name, v.numpy()) for name, v in self._scalars().items()]


def _largest_error(model: keras.Model) -> dict[str, Any]:
    errors = [
        sparsity_error(matrix) for unit in units_of(model) for matrix in unit.matrices().values()
    ]
    return {"sparsity_error": tf.reduce_max(tf.stack(errors))} if errors else {}
