"""Pictures of handwritten digits, split by their original order."""

from typing import NamedTuple

import numpy as np


class Images(NamedTuple):
    """Pictures and what they show.

    Attributes:
        pixels: uint8 `[N, height, width, 1]`.
        labels: the digits, int32 `[N]`.
    """

    pixels: np.ndarray
    labels: np.ndarray

    def of(self, digits: list[int]) -> "Images":
        """Those that show one of some digits, in the same order."""
        kept = np.isin(self.labels, digits)
        return Images(self.pixels[kept], self.labels[kept])


class Data(NamedTuple):
    """A data set of digits.

    Attributes:
        name: what it is called.
        parts: `train`, `validation` and `test`.
        mean: of the training pixels, as parts of 255: a network sees `(pixel / 255 - mean) / sd`.
        deviation: their standard deviation.
    """

    name: str
    parts: dict[str, Images]
    mean: float
    deviation: float


def split(pixels: np.ndarray, labels: np.ndarray, ends: dict[str, int]) -> dict[str, Images]:
    """Cut pictures at the given ends, in their order."""
    parts, start = {}, 0
    for name, end in ends.items():
        parts[name] = Images(pixels[start:end], labels[start:end].astype(np.int32))
        start = end
    return parts
