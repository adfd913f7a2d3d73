"""The two interfaces of a training: measurers return measurements, listeners take them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Measurement(NamedTuple):
    """One metric on one split, for every member.

    Attributes:
        split: the split that was measured; `train` for a metric of the training itself.
        metric: the metric's name.
        values: the value of each member, `[M]`.
    """

    split: str
    metric: str
    values: np.ndarray


class Measurer(ABC):
    """Returns measurements of a population at each step that a training measures.

    A measurer changes nothing that the training depends on. `experiment/observation.py` lists the
    measurers of a run; to add one, write a file and a line there.
    """

    @abstractmethod
    def __call__(self) -> Iterable[Measurement]:
        """Measure the population as it is now."""

    def trackables(self) -> dict[str, Any]:
        """The TensorFlow variables, by name, that it keeps between measurements.

        A checkpoint holds them. A run whose checkpoint is older than the measurer resumes without
        their values.
        """
        return {}


class Listener:
    """Takes the measurements of a training: a file, a bar, a view of the run.

    The methods are called in this order: `open`, then `advance` and the listener itself as the
    training goes on, `close`. A listener overrides those that it needs.
    """

    def open(self) -> None:
        """Called when the training begins."""

    def advance(self, step: int) -> None:
        """Called when the training has reached a step, after each call into TensorFlow.

        Args:
            step: the newest step.
        """

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Called when all measurements at a step are made."""

    def close(self) -> None:
        """Called when the training ends, whether it is done, interrupted or failed."""
