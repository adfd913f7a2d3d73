"""The shipped digits: what is in them, in which order, at which size."""

import hashlib

import numpy as np
import pytest

from nalu_seq.data.digits import FILE, digits
from nalu_seq.data.images import Images

# Of the images and the labels of `sklearn.datasets.load_digits` (scikit-learn 1.9.1), as uint8.
ORIGINAL = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_the_file_holds_the_published_test_set() -> None:
    with np.load(FILE) as file:
        images, labels = file["images"], file["labels"]
    assert images.dtype == labels.dtype == np.uint8
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == ORIGINAL
    # As the data set's own description counts its test set.
    assert np.bincount(labels)[:5].tolist() == [178, 182, 177, 183, 181]


def test_the_parts_are_the_original_in_its_order() -> None:
    data = digits(8)
    with np.load(FILE) as file:
        images, shown = file["images"], file["labels"]
    assert {n: len(p.labels) for n, p in data.parts.items()} == {
        "train": 1300, "validation": 100, "test": 397,
    }  # fmt: skip
    labels = np.concatenate([p.labels for p in data.parts.values()])
    pixels = np.concatenate([p.pixels for p in data.parts.values()])
    np.testing.assert_array_equal(labels, shown)
    assert pixels.dtype == np.uint8 and pixels.shape == (1797, 8, 8, 1)
    np.testing.assert_allclose(pixels[..., 0] / 255, images / 16, atol=0.5 / 255)


def test_a_larger_size_is_a_margin() -> None:
    small, large = digits(8).parts["test"], digits(16).parts["test"]
    np.testing.assert_array_equal(large.pixels[:, 4:12, 4:12], small.pixels)
    assert large.pixels.sum() == small.pixels.sum()


def test_the_mean_and_deviation_are_the_training_pixels() -> None:
    data = digits(16)
    x = (data.parts["train"].pixels / 255 - data.mean) / data.deviation
    np.testing.assert_allclose([x.mean(), x.std()], [0, 1], atol=1e-6)


def test_some_digits_can_be_picked() -> None:
    picked = Images(np.arange(4)[:, None], np.array([3, 0, 5, 3])).of([3, 5])
    assert picked.labels.tolist() == [3, 5, 3] and picked.pixels[:, 0].tolist() == [0, 2, 3]


@pytest.mark.parametrize("size", [7, 8.0, True])
def test_a_size_below_the_native_one_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match=r"data\.size must be an integer from 8"):
        digits(size)  # type: ignore[arg-type]
