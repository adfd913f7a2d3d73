"""Sums by hand: how they are written, and what they give."""

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.tasks.addition import Addition


@pytest.mark.parametrize("written", ["digits", "whole"])
def test_sums_by_hand(written: str) -> None:
    task = Addition(written=written)
    first, second = tf.constant([[37, 0, 9, 9999]]), tf.constant([[52, 0, 90, 1]])
    places, sums = task.add(first, second, digits=4)
    steps = np.asarray(task.steps(places, task.longest(4)))[0]
    assert [task.text(x) for x in steps] == ["37+52", "0+0", "9+90", "9999+1"]
    np.testing.assert_array_equal(sums, [[89, 0, 99, 10_000]])


def test_a_sum_takes_a_step_for_each_character_or_number() -> None:
    digits, whole = Addition(), Addition(written="whole")
    assert [s.length for s in digits.splits.values()] == [5, 7, 9] and digits.length == 5
    assert [s.length for s in whole.splits.values()] == [3, 3, 3] and whole.length == 3
    assert (digits.input_size, digits.numbers) == (11, 0)
    assert (whole.input_size, whole.numbers) == (3, 1)
