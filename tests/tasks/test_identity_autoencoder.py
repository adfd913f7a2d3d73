"""The identity's splits: one range that is trained on, and points beyond it."""

from typing import Any

import numpy as np
import pytest

from nalu_seq.population.random import Stream
from nalu_seq.tasks.identity_autoencoder import IdentityAutoencoder


def test_targets_are_the_inputs_and_points_are_where_they_say() -> None:
    task = IdentityAutoencoder(range=[-5, 5], tested=[-20, 20], points=5)
    assert list(task.splits) == ["validation", "at_-20", "at_-10", "at_0", "at_10", "at_20"]
    draws = Stream([0, 1], ["default"] * 2, "train").at(0, 500)
    batch = task.train_batch(draws)
    np.testing.assert_array_equal(batch.x, batch.y)
    assert -5 <= np.min(batch.x) < -4.5 and 4.5 < np.max(batch.x) < 5
    point = task.split_batch("at_-20", Stream([0, 1], ["default"] * 2, "at_-20").at(0, 1))
    assert point.x.numpy().ravel().tolist() == [-20.0, -20.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"range": [5, -5]}, r"range must be \[low, high\]"),
        ({"tested": "far"}, r"tested must be \[low, high\]"),
        ({"points": 0}, "points must be a positive integer"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IdentityAutoencoder(**arguments)
