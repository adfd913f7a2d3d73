"""Dyck-1: the strings of the paper, what can follow, and what is measured."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.base import Batch, Split
from nalu_seq.tasks.dyck1 import Dyck1

MEMBERS = 2
NEST, OTHERWISE = (float(np.log(p)) for p in (0.3, 0.7))


def draws(step: int, examples: int) -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, "train").at(step, examples)


def whole(task: Dyck1, split: Split) -> Batch:
    batch, _ = task.piece(split, draws(0, split.examples), 0, split.length, ())
    return batch


def measured(task: Dyck1, batch: Batch, prediction: Any) -> dict[str, float]:
    tally = task.tally(batch.y, prediction, task.tally_start(MEMBERS, batch.x.shape[1]))
    return {name: float(values[0]) for name, values in task.tally_metrics(tally).items()}


def always(symbol: int, batch: Batch) -> Any:
    return tf.broadcast_to(tf.one_hot(symbol, 3), batch.y.shape)


def counted(x: Any, impossible: float = -100.0) -> Any:
    """The grammar's own probabilities, as logarithms, from a count of the open brackets."""
    opened = tf.cumsum(x[..., 1] - x[..., 2], axis=2)
    end = tf.where(opened == 0, OTHERWISE, impossible)
    close = tf.where(opened > 0, OTHERWISE, impossible)
    return tf.stack([end, tf.fill(end.shape, NEST), close], axis=-1)


@pytest.mark.parametrize(
    ("strings", "rows", "longest", "symbols", "tested", "optimal", "always_end"),
    # Those of the published corpora, as their statistics say them.
    [
        (100, 14, 17, 252, 125_410, 0.8820901842, 0.05070049742),
        (500, 43, 33, 1306, 125_364, None, 0.05061447428),
    ],
)
def test_strings_are_the_published_ones(
    strings: int, rows: int, longest: int, symbols: int, tested: int, optimal: Any, always_end: Any
) -> None:
    task = Dyck1(strings)
    assert (task.train_split.examples, task.length) == (rows, longest)
    assert tf.reduce_sum(whole(task, task.train_split).y[0]) == symbols
    test = whole(task, task.splits["test"])
    assert tf.reduce_sum(tf.maximum(test.y[0], 0)) == tested
    perfect = measured(task, test, counted(test.x))
    assert perfect["accuracy"] == 1.0
    if optimal is not None:
        assert perfect["cross_entropy"] == pytest.approx(optimal, abs=1e-6)
    # What networks without any weight left always answer.
    next_symbol = Dyck1(strings, measure="next")
    ended = measured(next_symbol, test, always(0, test))
    assert ended["accuracy"] == pytest.approx(always_end, abs=1e-8)


def test_what_can_follow_depends_on_whether_a_bracket_is_open() -> None:
    assert Dyck1(examples=1).targets("[[]][]") == ["#[", "[]", "[]", "[]", "#[", "[]", "#["]
    assert Dyck1(examples=1).targets("") == ["#["]


def test_a_step_has_the_count_of_its_string_and_minus_1_at_what_cannot_follow() -> None:
    task = Dyck1(12, examples=1)  # the seed's first strings: six times nothing, twice [], ...
    parts = (task.train_split, task.splits["training"])
    train, training = (whole(task, part).y[0, :2, :4].numpy().tolist() for part in parts)
    nothing = [0, 0, 0]
    assert train == [[[6, 0, 0], nothing, nothing, nothing],
                     [[0, 2, 0], [0, 0, 2], [2, 0, 0], nothing]]  # fmt: skip
    assert training == [[[6, 0, -1], nothing, nothing, nothing],
                        [[0, 2, -1], [-1, 0, 2], [2, 0, -1], nothing]]  # fmt: skip


def test_loss_is_the_mean_over_all_symbols_that_were_drawn() -> None:
    task = Dyck1()
    batch = whole(task, task.train_split)
    training = whole(task, task.splits["training"])
    loss = task.loss(batch.y, counted(batch.x)).numpy()
    bits = measured(task, training, counted(training.x))["cross_entropy"]
    assert loss == pytest.approx(bits * np.log(2))
    assert bits == pytest.approx(222.57 / 252, abs=1e-4)


def test_a_step_is_right_while_what_cannot_follow_has_at_most_epsilon() -> None:
    task = Dyck1()
    batch = whole(task, task.splits["test"])
    for probability, accuracy in ((0.0049, 1.0), (0.0051, 0.0)):
        impossible = float(np.log(probability / (1 - probability)))
        assert measured(task, batch, counted(batch.x, impossible))["accuracy"] == accuracy
    # At none of these steps a bracket is open, so that only ] is below epsilon.
    without_close = tf.constant([0.0, 0.0, -100.0]) * tf.ones_like(batch.y)
    opened = tf.cumsum(batch.x[0, ..., 1] - batch.x[0, ..., 2], axis=1)
    counts = tf.reduce_sum(tf.maximum(batch.y[0], 0), -1)
    share = tf.reduce_sum(tf.where(opened == 0, counts, 0)) / tf.reduce_sum(counts)
    assert measured(task, batch, without_close)["accuracy"] == pytest.approx(float(share))


def test_the_next_symbol_alone_counts_each_string_once() -> None:
    task = Dyck1(measure="next")
    batch = whole(task, task.splits["training"])
    assert measured(task, batch, always(1, batch))["accuracy"] == pytest.approx(53 / 120)
    assert measured(task, batch, always(0, batch))["accuracy"] == pytest.approx(14 / 120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strings": 0}, "strings must be a positive integer"),
        ({"examples": 0.5}, "examples must be a positive integer"),
        ({"measure": "all"}, "measure must be possible or next, not 'all'"),
        ({"epsilon": 0}, "epsilon must be a number above 0 and below 1/3, not 0"),
        ({"epsilon": True}, "epsilon must be a number"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dyck1(**arguments)
