"""The two doors of a training: measurers give what is recorded, listeners take it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Measurement(NamedTuple):
    """One metric on one split, for every member.

    Attributes:
        split: where it was measured; `train` for what is of no split.
        metric: the metric's name.
        values: `[M]`.
    """

    split: str
    metric: str
    values: np.ndarray


class Measurer:
    """Gives measurements of a population whenever a training stops to be measured.

    A measurer changes nothing that the training depends on. `experiment/observation.py` lists those
    of a run; one more is a file and a line there.
    """

    def __call__(self) -> Iterable[Measurement]:
        """Measure the population as it is now."""
        raise NotImplementedError

    def trackables(self) -> dict[str, Any]:
        """The TensorFlow variables, by name, that it keeps between measurements.

        A checkpoint holds them. One from before the measurer was added is resumed without.
        """
        return {}


class Listener:
    """Takes the measurements of a training: a file, a bar, a view of the run.

    The methods are called in this order: `open`, then `advance` and the listener itself as the
    training goes on, `close`. A listener overrides those that it needs.
    """

    def open(self) -> None:
        """The training begins."""

    def advance(self, step: int) -> None:
        """The training has come to `step`."""

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """All measurements at `step` are made."""

    def close(self) -> None:
        """The training has ended, whether done, interrupted or failed."""
