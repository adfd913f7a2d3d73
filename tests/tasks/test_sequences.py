"""Sequence tasks against targets written down plainly, whole and in pieces."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nalu_seq.models.heads import UnitCell
from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.base import Batch, SequenceTask, Split
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.expression import Expression
from nalu_seq.tasks.ledger import FACTORS, Ledger
from nalu_seq.tasks.running_product import RunningProduct
from nalu_seq.tasks.running_sum import RunningSum
from nalu_seq.units import NMU

MEMBERS, EXAMPLES = 2, 3


def draws(examples: int = EXAMPLES) -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, "train").at(0, examples)


def in_pieces(task: SequenceTask, split: Split, pieces: list[int]) -> Batch:
    state, start, batches = task.target_state(MEMBERS, EXAMPLES), 0, []
    for count in pieces:
        batch, state = task.piece(split, draws(), start, count, state)
        batches.append(batch)
        start += count
    return Batch(*(tf.concat(parts, axis=2) for parts in zip(*batches, strict=True)))


def symbols_of(batch: Batch) -> np.ndarray:
    return np.argmax(batch.x, axis=-1)


def test_count_counts_each_symbol_at_every_step() -> None:
    batch = Count(alphabet=4, length=7).train_batch(draws())
    assert batch.x.shape == (MEMBERS, EXAMPLES, 7, 4)
    symbols = symbols_of(batch)
    for t in range(7):
        for symbol in range(4):
            expected = (symbols[:, :, : t + 1] == symbol).sum(axis=2)
            np.testing.assert_array_equal(batch.y[:, :, t, symbol], expected)


@settings(deadline=None, max_examples=15)
@given(pattern=st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_patterns_are_found_where_they_end_overlaps_included(pattern: list[int]) -> None:
    batch = Count(alphabet=2, length=20, pattern=pattern).train_batch(draws())
    assert batch.y.shape == (MEMBERS, EXAMPLES, 20, 1)
    for symbols, counts in zip(
        symbols_of(batch).reshape(-1, 20), np.reshape(batch.y, [-1, 20]), strict=True
    ):
        for t in range(20):
            seen = symbols[: t + 1].tolist()
            hits = sum(seen[i : i + len(pattern)] == pattern for i in range(len(seen)))
            assert counts[t] == hits


@pytest.mark.parametrize(
    "task",
    [
        Count(alphabet=3, length=12),
        Count(alphabet=2, length=12, pattern=[1, 0, 1]),
        RunningSum(length=12),
        RunningProduct(length=12),
        Ledger(length=12),
        Expression(length=12),
    ],
    ids=["count", "pattern", "running_sum", "running_product", "ledger", "expression"],
)
@pytest.mark.parametrize("pieces", [[1] * 12, [5, 7], [11, 1], [3, 1, 8]], ids=str)
def test_pieces_make_up_the_whole(task: SequenceTask, pieces: list[int]) -> None:
    split = task.splits["length_12"]
    whole, parts = in_pieces(task, split, [12]), in_pieces(task, split, pieces)
    np.testing.assert_array_equal(parts.x, whole.x)
    np.testing.assert_array_equal(parts.y, whole.y)


def test_running_sum_sums_in_its_range() -> None:
    task = RunningSum(length=6, range=[2.0, 3.0], ranges=[[-10.0, 10.0]])
    batch = task.train_batch(draws())
    assert batch.x.shape == batch.y.shape == (MEMBERS, EXAMPLES, 6, 1)
    assert batch.x.numpy().min() >= 2 and batch.x.numpy().max() < 3
    np.testing.assert_allclose(batch.y, np.cumsum(batch.x, axis=2), rtol=1e-6)
    wide, _ = task.piece(
        task.splits["range_-10_10"], draws(), 0, 6, task.target_state(MEMBERS, EXAMPLES)
    )
    assert wide.x.numpy().min() < -5 and wide.x.numpy().max() > 5


def test_running_product_multiplies_in_its_range() -> None:
    task = RunningProduct(negative=0.25, length=8, range=[1.0, 2.0], ranges=[[1.0, 20.0]])
    batch = task.train_batch(draws(100))
    assert batch.x.shape == batch.y.shape == (MEMBERS, 100, 8, 1)
    x = batch.x.numpy().astype(np.float64)
    assert 0.5 < np.abs(x).min() < 0.52 and 1.96 < np.abs(x).max() < 2
    assert 0.2 < (x < 0).mean() < 0.3 and 0.45 < (np.abs(x) < 1).mean() < 0.55
    np.testing.assert_allclose(batch.y, np.cumprod(x, axis=2), rtol=1e-6)
    wide, _ = task.piece(
        task.splits["range_1_20"], draws(), 0, 8, task.target_state(MEMBERS, EXAMPLES)
    )
    magnitudes = np.abs(wide.x)
    assert 0.05 < magnitudes.min() < 0.5 and 2 < magnitudes.max() < 20


def test_a_thousand_factors_stay_within_float32() -> None:
    task = RunningProduct(lengths=[1000])
    batch = in_pieces(task, task.splits["length_1000"], [400, 600])
    exact = np.cumprod(batch.x.numpy().astype(np.float64), axis=2)
    assert np.abs(exact).max() > 1e6 and np.isfinite(batch.y).all()
    np.testing.assert_allclose(batch.y, exact, rtol=1e-6)


def test_an_nmu_of_ones_as_a_cell_multiplies_a_hundred_factors() -> None:
    task = RunningProduct(lengths=[100])
    batch = in_pieces(task, task.splits["length_100"], [100])
    cell = UnitCell(NMU(1, w_initializer="ones"), initial_state=1.0)
    products = keras.layers.RNN(cell)(tf.reshape(batch.x, [-1, 100, 1]))
    last = batch.y[:, :, -1]
    metrics = task.metrics(last, tf.reshape(products, last.shape))
    assert (metrics["relative_error"].numpy() < 1e-5).all()
    assert task.criterion.solved(metrics["relative_error"], "length_100", ["default"] * 2).all()


def test_running_products_errors_are_relative() -> None:
    task = RunningProduct()
    y = tf.constant([[[[1e30]], [[-1e-30]]]])
    metrics = task.metrics(y[:, :, 0], tf.constant([[[1.01e30], [-0.97e-30]]]))
    np.testing.assert_allclose(metrics["relative_error"], [0.02], rtol=1e-4)
    np.testing.assert_allclose(task.loss(y, 1.5 * y), [0.25], rtol=1e-6)
    np.testing.assert_allclose(task.loss(y, -y), [4.0], rtol=1e-6)


def test_an_expressions_value_is_what_python_says() -> None:
    batch = Expression(length=11).train_batch(draws(20))
    for symbols, values in zip(
        symbols_of(batch).reshape(-1, 11), np.reshape(batch.y, [-1, 11]), strict=True
    ):
        text = "".join("0123456789+-"[symbol] for symbol in symbols)
        for t in range(11):
            assert values[t] == eval(text[: t + 1].rstrip("+-"))


def test_an_expression_can_be_supervised_at_its_end_alone() -> None:
    y = tf.zeros([1, 1, 3, 1])
    wrong_early = tf.constant([[[[3.0], [0.0], [0.0]]]])
    assert float(Expression(length=3).loss(y, wrong_early)[0]) == 3.0
    assert float(Expression(length=3, supervise="last").loss(y, wrong_early)[0]) == 0.0


def test_the_ledger_holds_its_last_symbol() -> None:
    task = Ledger(operations=list(FACTORS), length=9, silent=0.6, range=[1.0, 2.0])
    batch = task.train_batch(draws(40))
    assert batch.x.shape == (MEMBERS, 40, 9, len(FACTORS) + 2)
    names = [*FACTORS, "silent"]
    for x, y in zip(np.reshape(batch.x, [-1, 9, 7]), np.reshape(batch.y, [-1, 9]), strict=True):
        factor, balance = 1.0, 0.0
        for t in range(9):
            factor = FACTORS.get(names[x[t, :-1].argmax()], factor)
            balance += factor * x[t, -1]
            assert y[t] == pytest.approx(balance, abs=1e-5)
    silent = symbols_of(Batch(batch.x[..., :-1], batch.y)) == len(FACTORS)
    assert 0.5 < silent.mean() < 0.7


def test_the_ledgers_wider_numbers_are_measured_at_its_longest() -> None:
    task = Ledger(length=4, lengths=[8, 20], ranges=[[-100.0, 100.0]])
    assert task.splits["length_20_range_-100_100"].length == 20
    assert list(task.splits)[:3] == ["length_4", "length_8", "length_20"]


def test_the_training_length_is_measured_first_and_once() -> None:
    assert list(Count(length=10, lengths=[100, 10]).splits) == ["length_10", "length_100"]
    assert list(RunningSum(length=5, ranges=[[0.0, 2.5]]).splits) == ["length_5", "range_0_2.5"]


def test_supervising_the_last_step_ignores_the_others() -> None:
    every, last = Count(length=2), Count(length=2, supervise="last")
    y = tf.zeros([1, 1, 2, 10])
    wrong_early = tf.concat([tf.ones([1, 1, 1, 10]), tf.zeros([1, 1, 1, 10])], axis=2)
    assert float(every.loss(y, wrong_early)[0]) == 0.5
    assert float(last.loss(y, wrong_early)[0]) == 0.0


def test_count_is_solved_when_every_count_rounds_to_the_truth() -> None:
    task = Count(alphabet=2)
    y = tf.constant([[[3.0, 4.0], [1.0, 0.0]]] * 2)
    near = tf.constant([[[3.4, 3.6], [1.49, 0.2]], [[3.6, 4.0], [1.0, 0.0]]])
    metrics = task.metrics(y, near)
    assert metrics["exact"].numpy().tolist() == [1.0, 0.5]
    np.testing.assert_allclose(metrics["mae"], [(0.4 + 0.4 + 0.49 + 0.2) / 4, 0.15], rtol=1e-5)
    assert task.criterion.solved(metrics["exact"], "length_10", ["default"] * 2).tolist() == [
        True,
        False,
    ]


def test_running_sums_error_is_relative() -> None:
    task = RunningSum()
    metrics = task.metrics(tf.constant([[[10.0], [-30.0]]]), tf.constant([[[10.01], [-30.01]]]))
    np.testing.assert_allclose(metrics["relative_error"], [0.01 / 20], rtol=1e-3)
    assert task.criterion.solved(metrics["relative_error"], "length_10", ["default"]).tolist() == [
        True
    ]


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (Count, {"length": -3}, "length must be a positive integer, not -3"),
        (Count, {"length": 2.5}, "length must be a positive integer"),
        (Count, {"alphabet": 0}, "alphabet must be a positive integer"),
        (Count, {"lengths": [10, 0]}, "lengths must be a positive integer, not 0"),
        (Count, {"alphabet": 2, "pattern": [1, 2]}, "symbols from 0 to 1"),
        (Count, {"supervise": "some"}, "every or last"),
        (RunningSum, {"range": [1.0, 1.0]}, "low < high"),
        (Ledger, {"operations": ["add", "divide"]}, "operations must be a list of add, subtract"),
        (Ledger, {"operations": []}, "operations must be a list of add, subtract"),
        (Ledger, {"silent": 1.0}, "silent must be a number from 0 to below 1"),
        (Ledger, {"ranges": 3}, "ranges must be"),
        (RunningProduct, {"range": [0.0, 1.0]}, "range must be .* with 0 < low < high"),
        (RunningProduct, {"negative": 1.5}, "negative must be a number from 0 to 1, not 1.5"),
        (RunningProduct, {"ranges": 3}, "ranges must be a list"),
        (RunningProduct, {"lengths": [10_000]}, "leave float32: take at most 1116 numbers"),
        (RunningProduct, {"ranges": [[1.0, 1e30]]}, "leave float32: take at most 1 numbers"),
        (Expression, {"length": 0}, "length must be a positive integer, not 0"),
        (Expression, {"supervise": "some"}, "every or last"),
        (RunningSum, {"ranges": [[0.0]]}, "ranges must be"),
        (RunningSum, {"range": ["a", 1.0]}, "range must be"),
    ],
)
def test_bad_arguments_are_named(make: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
