"""1,797 handwritten digits of 8 x 8 pixels that the package ships, so that no network is needed."""

import functools
from pathlib import Path

import numpy as np

from nalu_seq.data.images import Data, split

FILE = Path(__file__).with_name("digits.npz")  # source and licence: digits.txt beside it
NATIVE = 8
BRIGHTEST = 16  # the original's pixels count the dots of a 4 x 4 square
ENDS = {"train": 1300, "validation": 1400, "test": 1797}


@functools.cache
def digits(size: int = 16) -> Data:
    """The digits in their original order: 1,300 to train on, 100 to validate, 397 to test.

    Args:
        size: height and width in pixels; a size above the native 8 adds a margin of zeros.

    Returns:
        Pixels from 0 to 255, uint8 `[N, size, size, 1]`, and labels, int32 `[N]`, of each part.

    Raises:
        ValueError: the size is no integer from 8.

    Example:
        >>> digits(8).parts["train"].pixels.shape
        (1300, 8, 8, 1)

    Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (UCI, CC BY 4.0), the
    test set; `sklearn.datasets.load_digits` holds the same digits.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < NATIVE:
        raise ValueError(f"data.size must be an integer from {NATIVE}, not {size!r}")
    with np.load(FILE) as file:
        images, labels = file["images"], file["labels"]
    pixels = np.rint(images * (255 / BRIGHTEST)).astype(np.uint8)
    before, after = (size - NATIVE) // 2, (size - NATIVE + 1) // 2
    pixels = np.pad(pixels, [(0, 0), (before, after), (before, after)])[..., None]
    trained = pixels[: ENDS["train"]] / 255
    return Data(
        "digits",
        split(pixels, labels, ENDS),
        float(trained.mean()),
        float(trained.std()),
    )
