"""scikit-learn's digits: 1,797 real ones of 8 x 8 pixels, inside the package, no network needed."""

import functools

import numpy as np

from nalu_seq.data.images import Data, split

NATIVE = 8
BRIGHTEST = 16  # the original's pixels count the dots of a 4 x 4 square
ENDS = {"train": 1300, "validation": 1400, "test": 1797}


@functools.cache
def digits(size: int = 16) -> Data:
    """The digits in their original order: 1,300 to train on, 100 to validate, 397 to test.

    Args:
        size: height and width; what is above the native 8 is a margin of zeros.

    Raises:
        ValueError: the size is below 8.

    Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), its test set;
    `sklearn.datasets.load_digits`.
    """
    from sklearn.datasets import load_digits

    if isinstance(size, bool) or not isinstance(size, int) or size < NATIVE:
        raise ValueError(f"data.size must be an integer from {NATIVE}, not {size!r}")
    loaded = load_digits()
    pixels = np.rint(loaded.images * (255 / BRIGHTEST)).astype(np.uint8)
    before, after = (size - NATIVE) // 2, (size - NATIVE + 1) // 2
    pixels = np.pad(pixels, [(0, 0), (before, after), (before, after)])[..., None]
    trained = pixels[: ENDS["train"]] / 255
    return Data(
        "digits",
        split(pixels, loaded.target, ENDS),
        float(trained.mean()),
        float(trained.std()),
    )
