"""NPU's large task: Sobol's sequence, the two sums, and the ranges of the published table."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import qmc

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.npu_large import OPERATIONS, NpuLarge, directions, sobol

MEMBERS = 2


def draws(step: int, examples: int) -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, "train").at(step, examples)


def test_points_are_those_of_scipys_sequence() -> None:
    sequence = qmc.Sobol(100, scramble=False)
    sequence.fast_forward(1000)
    points = sobol(tf.cast(tf.range(1000, 1300), tf.uint32), directions(100))
    np.testing.assert_array_equal(points, sequence.random(300).astype(np.float32))
    sequence.fast_forward(2**23 - 1300 + 5)
    late = sobol(tf.constant([2**23 + 5], tf.uint32), directions(100))
    np.testing.assert_array_equal(late, sequence.random(1).astype(np.float32))


def test_training_goes_through_the_sequence_once_for_all_members() -> None:
    task = NpuLarge("add")
    batch = task.train_batch(draws(3, 16))
    np.testing.assert_array_equal(batch.x[0], batch.x[1])
    both = task.train_batch(draws(1, 32)).x
    np.testing.assert_array_equal(batch.x, both[:, 16:])
    assert -1 <= np.min(batch.x) < -0.9 and 0.9 < np.max(batch.x) <= 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_targets_come_from_two_sums_that_share_twelve_inputs(operation: str) -> None:
    task = NpuLarge(operation)
    batch = task.split_batch("extrapolation", draws(0, 50))
    x, y = batch.x.numpy().astype(np.float64), batch.y.numpy()[..., 0]
    a, b = x[..., :50].sum(axis=-1), x[..., 38:88].sum(axis=-1)
    by_hand = {"add": a + b, "mul": a * b, "inverse": 1 / (a + (a == 0)), "root": abs(a) ** 0.5}
    np.testing.assert_allclose(y, by_hand[operation], rtol=1e-4, atol=1e-4)


def test_the_tested_range_is_that_of_the_published_table() -> None:
    # An NPU without gates answers about 0. Its published errors are 161.65 +- 0.11 in the test, and
    # 41.6 +- 3.1 in the range of training.
    task = NpuLarge("add")
    errors = {
        split: np.square(task.split_batch(split, draws(0, 10_000)).y[0]).mean()
        for split in ("extrapolation", "validation")
    }
    assert errors == {"extrapolation": pytest.approx(161.65, abs=0.11),
                      "validation": pytest.approx(41.6, abs=3.1)}  # fmt: skip


def test_a_split_is_solved_by_an_error_far_below_the_targets() -> None:
    task = NpuLarge("inverse")
    target = np.square(task.split_batch("extrapolation", draws(0, 10_000)).y[0]).mean()
    limit = task.criterion.threshold["extrapolation"]["default"]
    assert limit == pytest.approx(1e-4 * target, rel=1e-3)


def test_another_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="operation must be one of add, mul, inverse, root"):
        NpuLarge("div")
