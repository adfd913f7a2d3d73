"""Sums over inputs and time under an operation, whole and in pieces."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Stream
from nalu_seq.tasks.arithmetic_recurrent import ArithmeticRecurrent

BY_HAND = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "square": lambda a, b: a * a,
    "root": lambda a, b: np.sqrt(a),
}


@pytest.mark.parametrize("operation", BY_HAND)
def test_targets_against_plain_sums(operation: str) -> None:
    task = ArithmeticRecurrent(operation, inputs=8, subset=0.5, overlap=1.0, length=3)
    stream = Stream([3, 4], ["default"] * 2, "train")
    batch = task.train_batch(stream.at(0, 5))
    x = batch.x.numpy().astype(np.float64)  # [2, 5, 3, 8]
    offsets = stream.at(0, 1).elsewhere("offset").integers(0, 5, 1).numpy()[:, 0, 0]
    for member, offset in enumerate(offsets):
        subset = x[member, :, :, offset : offset + 4].sum(-1).cumsum(1)  # both subsets are one
        y = BY_HAND[operation](subset, subset)
        np.testing.assert_allclose(batch.y[member, :, :, 0], y, rtol=1e-6)


def test_pieces_make_up_the_whole() -> None:
    task = ArithmeticRecurrent("mul", inputs=6, subset=0.5, length=7)
    draws = Stream([0, 1], ["default"] * 2, "length_7").at(0, 4)
    whole, _ = task.piece(task.train_split, draws, 0, 7, task.target_state(2, 4))
    state, pieces = task.target_state(2, 4), []
    for start, count in ((0, 3), (3, 1), (4, 3)):
        piece, state = task.piece(task.train_split, draws, start, count, state)
        pieces.append(piece)
    np.testing.assert_array_equal(tf.concat([p.x for p in pieces], axis=2), whole.x)
    np.testing.assert_allclose(tf.concat([p.y for p in pieces], axis=2), whole.y, rtol=1e-6)


def test_only_the_last_step_is_trained() -> None:
    y = tf.constant([[[[1.0], [2.0]]]])
    early = tf.constant([[[[6.0], [2.0]]]])
    assert ArithmeticRecurrent().loss(y, early).numpy().tolist() == [0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operation": "pow"}, "operation must be one of"),
        ({"range": [-1, 1]}, "0 < low < high"),
        ({"subset": 0.9}, "give a smaller subset"),
        ({"length": 0}, "length must be a positive integer"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArithmeticRecurrent(**arguments)
