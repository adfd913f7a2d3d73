"""Pictures of handwritten digits, split by their original order."""

from typing import NamedTuple

import numpy as np


class Images(NamedTuple):
    """Pictures and their labels.

    Attributes:
        pixels: uint8 `[N, height, width, 1]`.
        labels: the digits, int32 `[N]`.
    """

    pixels: np.ndarray
    labels: np.ndarray

    def of(self, digits: list[int]) -> "Images":
        """The pictures that show one of some digits, in the same order.

        Args:
            digits: the digits that are kept.
        """
        mask = np.isin(self.labels, digits)
        return Images(self.pixels[mask], self.labels[mask])


class Data(NamedTuple):
    """A data set of digits.

    Attributes:
        name: the name of the data set.
        parts: the pictures of `train`, `validation` and `test`.
        mean: the mean of `pixel / 255` over the training pixels, from 0 to 1; a network gets
            `(pixel / 255 - mean) / deviation`.
        deviation: the standard deviation of the same.
    """

    name: str
    parts: dict[str, Images]
    mean: float
    deviation: float


def split(pixels: np.ndarray, labels: np.ndarray, ends: dict[str, int]) -> dict[str, Images]:
    """Cut a data set into consecutive parts.

    Args:
        pixels: the pictures, uint8 `[N, height, width, 1]`.
        labels: their digits, `[N]`.
        ends: for each part, in order, the index behind its last picture.

    Returns:
        The pictures of each part, by name.
    """
    parts, start = {}, 0
    for name, end in ends.items():
        parts[name] = Images(pixels[start:end], labels[start:end].astype(np.int32))
        start = end
    return parts
