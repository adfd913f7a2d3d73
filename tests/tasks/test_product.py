"""The notebook's job: its fixed training set, its order, its loss and its tolerance."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.product import Product


def draws(step: int, batch: int, split: str = "train") -> Draws:
    return Stream([0, 1], ["default"] * 2, split).at(step, batch)


def test_an_epoch_goes_through_the_set_in_order_and_the_next_repeats_it() -> None:
    task = Product(pairs=40)
    epoch = [task.train_batch(draws(step, 10)).x for step in range(4)]
    again = [task.train_batch(draws(step, 10)).x for step in range(4, 8)]
    whole = task.train_batch(draws(0, 40)).x
    np.testing.assert_array_equal(tf.concat(epoch, axis=1), whole)
    np.testing.assert_array_equal(tf.concat(again, axis=1), whole)


def test_pairs_are_digits_below_high_and_targets_their_products() -> None:
    batch = Product(high=9).train_batch(draws(3, 500))
    assert sorted(np.unique(batch.x)) == list(range(9))
    np.testing.assert_array_equal(batch.y[..., 0], batch.x[..., 0] * batch.x[..., 1])


def test_members_have_sets_of_their_own() -> None:
    x = Product().train_batch(draws(0, 100)).x.numpy()
    assert not np.array_equal(x[0], x[1])


def test_validation_holds_every_pair_once() -> None:
    batch = Product(high=9).split_batch("validation", draws(0, 81, "validation"))
    assert batch.x.shape == (2, 81, 2)
    pairs = {tuple(p) for p in batch.x[0].numpy().tolist()}
    assert pairs == {(float(a), float(b)) for a in range(9) for b in range(9)}


def test_the_extrapolation_has_both_ends() -> None:
    task = Product(extrapolate=[9, 11])
    assert list(task.splits) == ["validation", "range_9_11"]
    x = task.split_batch("range_9_11", draws(0, 1000, "range_9_11")).x
    assert sorted(np.unique(x)) == [9, 10, 11]


def test_the_loss_is_half_the_sum_of_squares() -> None:
    loss = Product().loss(tf.zeros([2, 3, 1]), tf.fill([2, 3, 1], 2.0))
    np.testing.assert_allclose(loss, [6.0, 6.0])


def test_the_tolerance_grows_with_the_prediction() -> None:
    # |p - y| <= 1e-4 + 1e-4 |p|: at 63 it is 0.0064.
    y = tf.constant([[[63.0], [63.0], [0.0], [0.0]]])
    prediction = tf.constant([[[63.006], [63.007], [0.00009], [0.00011]]])
    assert Product().metrics(y, prediction)["accuracy"].numpy().tolist() == [0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": 0}, "pairs must be a positive integer"),
        ({"high": "9"}, "high must be a positive integer"),
        ({"extrapolate": [9]}, "extrapolate must be"),
        ({"extrapolate": [9, 9]}, "extrapolate must be"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Product(**arguments)
