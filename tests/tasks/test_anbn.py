"""Counting languages: the strings of the paper, what follows, and what is measured."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.anbn import Anbn
from nalu_seq.tasks.base import Split

MEMBERS = 2


def draws(step: int, examples: int) -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, "train").at(step, examples)


def spoken(task: Anbn, split: Split, step: int = 0, examples: int = 1) -> list[tuple[str, str]]:
    """The symbols and what follows, `.` where nothing is measured, of each string of a batch."""
    where = draws(step, examples)
    batch, _ = task.piece(split, where, 0, split.length, task.target_state(MEMBERS, examples))
    texts = []
    for part in (batch.x, batch.y):
        rows = np.asarray(part[0])
        texts.append(
            ["".join(task.symbols[s.argmax()] if s.any() else "." for s in row) for row in rows]
        )
    return list(zip(*texts, strict=True))


@pytest.mark.parametrize(
    ("multiples", "strings", "symbols", "largest"),
    # The numbers of symbols and the largest n are those of the published corpora.
    [([1, 1], 100, 734, 14), ([1, 1], 500, 3892, 20), ([1, 1, 1], 100, 1051, 14),
     ([1, 2], 500, 5588, 20), ([1, 1, 1, 1], 100, 1368, 14)],
)  # fmt: skip
def test_strings_of_training_are_the_published_ones(
    multiples: list[int], strings: int, symbols: int, largest: int
) -> None:
    task = Anbn(multiples, strings)
    split = task.train_split
    batch, _ = task.piece(split, draws(0, strings), 0, split.length, ())
    assert int(tf.reduce_sum(batch.y[0])) == symbols
    assert task.length == 1 + largest * sum(multiples)
    # Both ends of the test: 1 above the largest n of training, and 1,000 above it.
    assert task.splits["test"].length == 1 + (largest + 1000) * sum(multiples)


def test_training_counts_every_step_and_a_test_those_without_a_choice() -> None:
    task = Anbn([1, 2], examples=1)
    n = len(spoken(task, task.splits["training"])[0][0].split("b")[0]) - 1
    a, b = "a" * n, "b" * (2 * n)
    rest = task.length - 1 - 3 * n
    assert spoken(task, task.train_split)[0] == (f"#{a}{b}" + "." * rest, f"{a}{b}#" + "." * rest)
    determined = "a" + "." * n + "b" * (2 * n - 1) + "#" + "." * rest
    assert spoken(task, task.splits["training"])[0] == (f"#{a}{b}" + "." * rest, determined)


def test_training_goes_through_the_strings_in_order() -> None:
    task = Anbn(strings=6)
    every = spoken(task, task.train_split, examples=6)
    assert spoken(task, task.train_split, step=1, examples=4) == [*every[4:], *every[:2]]


def test_a_running_sum_of_weighted_symbols_solves_it_for_any_n() -> None:
    task = Anbn(examples=3)
    batch, _ = task.piece(task.splits["test"], draws(0, 3), 0, task.splits["test"].length, ())
    start, a, b = tf.unstack(tf.cumsum(batch.x, axis=2), axis=-1)
    prediction = tf.stack([0.5 * start, a + start - 3 * b, a - b], axis=-1)  # of #, a and b
    tally = task.tally(batch.y, prediction, task.tally_start(MEMBERS, 3))
    assert task.tally_metrics(tally)["accuracy"].numpy().tolist() == [1.0] * MEMBERS


def test_always_b_has_the_published_accuracy_of_the_best_networks() -> None:
    task = Anbn()
    batch, _ = task.piece(task.splits["test"], draws(0, 50), 0, task.splits["test"].length, ())
    start = tf.cumsum(batch.x[..., 0], axis=2)
    a, b = batch.x[..., 0], start - batch.x[..., 0]  # a after #, b after anything else
    prediction = tf.stack([tf.zeros_like(a), a, b], axis=-1)
    tally = task.tally(batch.y, prediction, task.tally_start(MEMBERS, 50))
    assert task.tally_metrics(tally)["accuracy"].numpy() == pytest.approx(0.99806, abs=2e-5)


def test_loss_and_cross_entropy_are_means_over_the_steps_that_count() -> None:
    task = Anbn(examples=2)
    split = task.train_split
    batch, _ = task.piece(split, draws(0, 10), 0, split.length, ())
    zeros = tf.zeros_like(batch.y)
    assert task.loss(batch.y, zeros).numpy() == pytest.approx(np.log(3))
    tally = task.tally(batch.y, zeros, task.tally_start(MEMBERS, 10))
    assert task.tally_metrics(tally)["cross_entropy"].numpy() == pytest.approx(np.log2(3))
    lost = task.tally(batch.y, zeros / 0, task.tally_start(MEMBERS, 10))
    assert np.isnan(task.tally_metrics(lost)["accuracy"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"multiples": [2, 1]}, "multiples must be 2 to 8 positive integers, the first 1"),
        ({"multiples": [1]}, "multiples must be"),
        ({"multiples": [1, 0]}, "multiples must be"),
        ({"multiples": 3}, "multiples must be"),
        ({"stop": 0}, "stop must be a number above 0 and at most 1, not 0"),
        ({"strings": 0}, "strings must be a positive integer"),
        ({"examples": 1001}, "examples must be at most 1000"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Anbn(**arguments)
