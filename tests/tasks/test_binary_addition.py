"""Sums bit by bit: the pairs, their bits, and what is measured."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.base import Split
from nalu_seq.tasks.binary_addition import BinaryAddition

MEMBERS = 2


def draws(step: int, examples: int, split: str = "train") -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, split).at(step, examples)


def numbers(task: BinaryAddition, split: Split, where: Draws) -> np.ndarray:
    """Both numbers and their sum, as their bits say them: `[M, B, 3]`."""
    batch, _ = task.piece(split, where, 0, split.length, ())
    bits = np.concatenate([batch.x, batch.y], axis=-1)  # [M, B, T, 3]
    return np.sum(bits * 2.0 ** np.arange(split.length)[:, None], axis=2).astype(int)


def test_lengths_are_the_published_ones() -> None:
    # 100 pairs of 6 bits, 400 of 7, and tests of 11 bits.
    for below, length in ((10, 6), (20, 7)):
        task = BinaryAddition(below)
        assert (task.length, task.splits["test"].length) == (length, 11)
        assert task.splits["training"].examples == below**2


def test_training_goes_through_all_pairs() -> None:
    task = BinaryAddition(10)
    read = numbers(task, task.train_split, draws(0, 100))
    assert {(a, b) for a, b, _ in read[0]} == {(a, b) for a in range(10) for b in range(10)}
    np.testing.assert_array_equal(read[..., 0] + read[..., 1], read[..., 2])
    np.testing.assert_array_equal(
        numbers(task, task.train_split, draws(1, 60)), np.roll(read, -60, axis=1)[:, :60]
    )


def test_tested_pairs_are_larger_and_each_seeds_own() -> None:
    task = BinaryAddition(20, examples=2000)
    read = numbers(task, task.splits["test"], draws(0, 2000, "test"))
    assert (read[..., :2].min(), read[..., :2].max()) == (21, 270)
    np.testing.assert_array_equal(read[..., 0] + read[..., 1], read[..., 2])
    assert (read[0] != read[1]).any()


def test_a_sum_has_these_bits_in_pieces_too() -> None:
    task = BinaryAddition(4)
    three_and_one = 3 * 4 + 1
    where = draws(0, 16)
    first, state = task.piece(task.splits["training"], where, 0, 2, ())
    last, _ = task.piece(task.splits["training"], where, 2, 2, state)
    x, y = (np.concatenate(p, axis=2)[0, three_and_one] for p in zip(first, last, strict=True))
    assert x.tolist() == [[1, 1], [1, 0], [0, 0], [0, 0]]
    assert y[:, 0].tolist() == [0, 0, 1, 0]


def test_accuracy_is_the_share_of_right_bits() -> None:
    task = BinaryAddition(4)
    y = tf.constant([[[[1.0], [0.0]], [[1.0], [1.0]]]])  # [1, 2, 2, 1]
    right = 2 * y - 1
    tally = task.tally(y, right * tf.constant([[[[1.0], [1.0]], [[1.0], [-1.0]]]]), (0.0, 0.0, 0.0))
    assert task.tally_metrics(tally)["accuracy"].numpy().tolist() == [0.75]
    even = task.tally_metrics(task.tally(y, 0 * y, (0.0, 0.0, 0.0)))
    assert even["cross_entropy"].numpy() == pytest.approx(1.0)
    assert task.loss(y, 0 * y).numpy() == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"below": 1}, "below must be from 2 to 1048576, not 1"),
        ({"below": 2.5}, "below must be a positive integer"),
        ({"examples": 0}, "examples must be a positive integer"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinaryAddition(**arguments)
