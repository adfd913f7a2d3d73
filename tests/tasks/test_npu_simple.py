"""NPU's simple task: its grids, its targets, and what counts on each split."""

from typing import Any

import numpy as np
import pytest

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.npu_simple import OPERATIONS, NpuSimple

MEMBERS = 2


def draws(examples: int, split: str = "train") -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, split).at(0, examples)


def measured(task: NpuSimple, split: str) -> tuple[np.ndarray, np.ndarray]:
    batch = task.split_batch(split, draws(task.splits[split].examples, split))
    return batch.x.numpy(), batch.y.numpy()


def test_training_draws_pairs_of_its_range() -> None:
    batch = NpuSimple().train_batch(draws(5000))
    x, y = batch.x.numpy(), batch.y.numpy()
    assert x.shape == (MEMBERS, 5000, 2) and y.shape == (MEMBERS, 5000, 4)
    assert 0.1 <= x.min() < 0.11 and 2.09 < x.max() < 2.1
    a, b = x[..., 0], x[..., 1]
    np.testing.assert_allclose(y, np.stack([a + b, a * b, a / b, a**0.5], axis=-1), rtol=1e-6)


def test_each_operation_is_measured_alone_on_its_grid() -> None:
    task = NpuSimple()
    assert {n: s.examples for n, s in task.splits.items()} == {
        "validation": 400, "add": 1681, "mul": 1681, "div": 1681, "root": 1600,
    }  # fmt: skip
    for i, split in enumerate(OPERATIONS):
        x, y = measured(task, split)
        others = np.delete(y, i, axis=-1)
        assert np.isnan(others).all() and np.isfinite(y[..., i]).all()
        low, high = (0.1, 4.0) if split == "root" else (-4.1, 3.9)
        assert (x.min(), x.max()) == pytest.approx((low, high))
    # x + y of the first pair, -4.1 - 4.1, and the root of the last, 4.
    assert measured(task, "add")[1][0, 0, 0] == pytest.approx(-8.2)
    assert measured(task, "root")[1][0, -1, 3] == pytest.approx(2.0)


def test_errors_are_means_over_the_outputs_that_have_a_target() -> None:
    task = NpuSimple()
    y = np.full((1, 2, 4), np.nan, np.float32)
    y[0, :, 1] = [1.0, 3.0]
    prediction = np.array([[[9, 2, 9, 9], [9, 6, 9, 9]]], np.float32)
    errors = {name: value.numpy().tolist() for name, value in task.metrics(y, prediction).items()}
    assert errors == {"mse": [5.0], "mae": [2.0]}
    prediction[0, 0, 1] = np.nan
    assert np.isnan(task.metrics(y, prediction)["mae"]).all()


@pytest.mark.parametrize("bad", [[0, 2], [2, 1], [1], "1 to 2", [-1, 1]])
def test_a_range_without_roots_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"range must be .* 0 < low < high"):
        NpuSimple(bad)
