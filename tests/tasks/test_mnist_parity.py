"""Pictures of several digits: what stands in them is what is counted."""

from typing import Any

import numpy as np
import pytest

from nalu_seq.data.images import Data, Images
from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.mnist_parity import MnistParity

MEMBERS = 2


def data() -> Data:
    """Pictures of 2 x 2 pixels, all of them the digit and one."""
    labels = np.arange(10, dtype=np.int32)
    pixels = np.broadcast_to((labels + 1).astype(np.uint8)[:, None, None, None], (10, 2, 2, 1))
    images = Images(np.ascontiguousarray(pixels), labels)
    return Data("plain", dict.fromkeys(("train", "validation", "test"), images), 0.0, 1 / 255)


def draws(examples: int, split: str = "train") -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, split).at(0, examples)


def cells_of(x: Any) -> np.ndarray:
    """The digit in each cell, -1 where there is none; each must fill its cell."""
    x = np.rint(x).astype(int)[..., 0].reshape(MEMBERS, -1, 3, 2, 3, 2).swapaxes(3, 4)
    cells = x.reshape(*x.shape[:2], 9, 4)
    assert (cells == cells[..., :1]).all()
    return cells[..., 0] - 1


@pytest.mark.parametrize("target", ["even", "digits"])
def test_the_target_counts_what_stands_in_the_picture(target: str) -> None:
    batch = MnistParity(data(), target, most=5).train_batch(draws(200))
    assert batch.x.shape == (MEMBERS, 200, 6, 6, 1)
    cells = cells_of(batch.x)
    count = (cells >= 0).sum(axis=2)
    assert set(count.ravel()) == {1, 2, 3, 4, 5}
    even = ((cells >= 0) & (cells % 2 == 0)).sum(axis=2)
    np.testing.assert_array_equal(batch.y[..., 0], even if target == "even" else count)
    # Every cell and every digit occurs.
    assert (cells >= 0).any(axis=(0, 1)).all() and set(cells.ravel()) == set(range(-1, 10))


def test_more_digits_are_measured_than_trained() -> None:
    task = MnistParity(data(), most=5, counts=[1, 9])
    assert list(task.splits) == ["validation", "digits_1", "digits_9"]
    for n in (1, 9):
        batch = task.split_batch(f"digits_{n}", draws(20, f"digits_{n}"))
        assert ((cells_of(batch.x) >= 0).sum(axis=2) == n).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "odd"}, "target must be even or digits"),
        ({"grid": 2, "most": 5}, "most must be at most 4"),
        ({"counts": [10]}, "counts must be at most 9"),
        ({"counts": 3}, "counts must be a list"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MnistParity(data(), **arguments)
