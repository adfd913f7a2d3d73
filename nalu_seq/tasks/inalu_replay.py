"""The random numbers of iNALU's published runs, drawn again seed for seed.

A published run draws all its random numbers from one generator of NumPy's, which its seed starts:
the training set, the sets of validation and extrapolation, the weights in the order in which the
layer makes them, and the weights of each restart. NumPy keeps this generator (`RandomState`) the
same to the bit in all its versions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

SETS = ("train", "validation", "extrapolation")
MEANS = {"w_hat": 1.0, "m_hat": -1.0, "g": 0.0}
DEVIATION = 0.1
CUT = 3.0  # where a normal distribution is truncated, in its standard deviations


class Replay:
    """The random numbers of published runs with sets of one size.

    Args:
        examples: how many examples each of a run's three sets holds.
        inputs: how many numbers an example has.

    Source: Schlör et al. 2020 (arXiv 2003.07629), by their script for experiments 1 and 2.
    """

    def __init__(self, examples: int, inputs: int) -> None:
        self.examples, self.inputs = examples, inputs

    def inputs_of(self, seed: int, shape: str, ranges: Mapping[str, Any], name: str) -> np.ndarray:
        """The inputs of one of a run's sets.

        Args:
            seed: the run's seed.
            shape: normal, uniform or exponential.
            ranges: the range, or the scale of an exponential, of each of `SETS`.
            name: one of `SETS`.

        Returns:
            float64 `[examples, inputs]`.
        """
        generator = np.random.RandomState(seed)
        sets = ((n, self._drawn(generator, shape, ranges[n])) for n in SETS)
        return next(x for n, x in sets if n == name)

    def initial(self, seed: int, variables: Sequence[Any]) -> list[np.ndarray]:
        """The weights that a run starts with.

        Args:
            seed: the run's seed.
            variables: the variables of one model, each with its name and its shape.

        Returns:
            float32 values of the variables, normal around the means of the script.

        Raises:
            ValueError: the script has no such variable.
        """
        return list(self._initial(self._after_the_sets(seed), variables))

    def restarted(
        self, seed: int, variables: Sequence[Any], count: int, reach: float
    ) -> list[np.ndarray]:
        """The weights that a run goes on with after a restart.

        Args:
            seed: the run's seed.
            variables: as for `initial`.
            count: the number of the restart, from 1.
            reach: the weights are drawn from U(-reach, reach).

        Returns:
            Values of the variables.
        """
        generator = self._after_the_sets(seed)
        list(self._initial(generator, variables))
        for _ in range(count):
            drawn = [generator.uniform(-reach, reach, tuple(v.shape)) for v in variables]
        return drawn

    def _after_the_sets(self, seed: int) -> np.random.RandomState:
        """A run's generator after its three sets, which is the same whatever their distribution."""
        generator = np.random.RandomState(seed)
        for _ in SETS:
            self._drawn(generator, "uniform", (0.0, 1.0))
        return generator

    def _initial(
        self, generator: np.random.RandomState, variables: Sequence[Any]
    ) -> Iterator[np.ndarray]:
        for variable in variables:
            kind = re.fullmatch(r"(w_hat|m_hat|g)(_[am])?", variable.name)
            if kind is None:
                raise ValueError(
                    "replay draws the weights w_hat, m_hat and g of NALU and iNALU, "
                    f"and this model has {variable.name}"
                )
            values = generator.normal(MEANS[kind[1]], DEVIATION, tuple(variable.shape))
            yield values.astype(np.float32)

    def _drawn(self, generator: np.random.RandomState, shape: str, where: Any) -> np.ndarray:
        """A set of inputs: one row of numbers that is drawn, shuffled and cut into examples."""
        size = self.examples * self.inputs
        if shape == "exponential":
            numbers = generator.exponential(where, size)
        else:
            low, high = where
            unit = generator.random_sample(size)
            if shape == "normal":
                below = ndtr(-CUT)
                deviations = ndtri(below + unit * (ndtr(CUT) - below))
                unit = 0.5 + deviations / (2 * CUT)
            numbers = low + (high - low) * unit
        generator.shuffle(numbers)
        return numbers.reshape(self.examples, self.inputs)
