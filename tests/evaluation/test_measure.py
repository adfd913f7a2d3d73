"""What the evaluator streams is what a plain pass over the whole sequence gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.cases import cross
from nalu_seq.evaluation import measure
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.sparsity import SparsityError
from nalu_seq.models import build, build_stateful, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Member, Members
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.product import Product
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.units import NALU, NAU, NMU

MEMBERS = Members.of_seeds(range(3))


def lstm(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    return encoders.lstm(6, unroll=unroll, return_state=return_state)


def accumulate(unit: keras.layers.Layer, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    return heads.accumulate(unit, operation="sum", unroll=unroll, return_state=return_state)


def test_streamed_in_pieces_it_measures_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Count(alphabet=2, lengths=[10, 23], pattern=[1, 0])
    parts = {"input_size": task.input_size, "output_size": task.output_size}
    population = Population(lambda: build(lstm, accumulate, NAU, **parts), 3)
    stream = build_stateful(lstm, accumulate, NAU, **parts)
    # Pieces of 4 steps of 3 members x 64 examples, the last one shorter.
    monkeypatch.setattr(task, "piece_steps", 4 * 3 * 64)
    metrics, course = Evaluator(population, task, MEMBERS, stream).measure("length_23")

    draws = MEMBERS.stream("length_23").at(0, 64)
    batch, _ = task.piece(task.splits["length_23"], draws, 0, 23, task.target_state(3, 64))
    for i in range(3):
        prediction = population.member(i)(batch.x[i]).numpy()
        y = batch.y[i].numpy()
        error = np.abs(prediction - y)
        assert course is not None
        np.testing.assert_allclose(course.mae[i], error.mean(axis=(0, 2)), rtol=1e-4)
        np.testing.assert_allclose(metrics["mae"][i], error[:, -1].mean(), rtol=1e-4)
        right = (np.round(prediction) == y).all(axis=2)
        np.testing.assert_allclose(course.exact[i], right.mean(axis=0))
        np.testing.assert_allclose(metrics["exact"][i], right[:, -1].mean())


def test_a_task_without_sequences_is_measured_on_its_fixed_examples() -> None:
    task = Product(extrapolate=[9, 99])
    population = Population(
        lambda: build(
            encoders.none, heads.readout, NALU, input_size=2, output_size=1, sequence=False
        ),
        3,
    )
    evaluator = Evaluator(population, task, MEMBERS)
    metrics, course = evaluator.measure("range_9_99")
    again, _ = evaluator.measure("range_9_99")
    assert course is None
    batch = task.split_batch("range_9_99", MEMBERS.stream("range_9_99").at(0, 1000))
    for i in range(3):
        error = np.abs(population.member(i)(batch.x[i]) - batch.y[i])
        np.testing.assert_allclose(metrics["mae"][i], error.mean(), rtol=1e-4)
    for name in metrics:
        np.testing.assert_array_equal(metrics[name], again[name])


def test_memory_does_not_grow_with_length() -> None:
    task = Count(alphabet=2, lengths=[10, 50_000], pattern=[1, 0])
    shapes = []

    class Watched(Evaluator):
        def _trace_piece(self, split):  # type: ignore[no-untyped-def]
            piece = super()._trace_piece(split)

            def watched(keys, start, count, *states):  # type: ignore[no-untyped-def]
                shapes.append(int(count))
                return piece(keys, start, count, *states)

            return watched

    parts = {"input_size": task.input_size, "output_size": task.output_size}
    population = Population(lambda: build(encoders.none, accumulate, NAU, **parts), 3)
    stream = build_stateful(encoders.none, accumulate, NAU, **parts)
    _, course = Watched(population, task, MEMBERS, stream).measure("length_50000")
    assert course is not None and course.mae.shape == (3, 50_000)
    assert sum(shapes) == 50_000 and max(shapes) * 3 * 64 <= task.piece_steps
    assert tf.reduce_all(tf.math.is_finite(course.mae))


def hidden(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    return encoders.hidden(2, NAU, unroll=unroll, return_state=return_state)


def test_examples_in_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = [[[1, 2], [2, 6]], [[-2, 2], [-6, -2], [2, 6]]]
    task = SingleModule("mul", inputs=3, ranges=ranges)
    population = Population(
        lambda: build(hidden, heads.readout, NMU, input_size=3, output_size=1, sequence=False), 3
    )
    first, second = cross(task.cases, {})
    members = Members((Member(first, 0), Member(second, 1), Member(first, 2)))
    between: list[None] = []

    def measured() -> dict[str, np.ndarray]:
        between.clear()
        evaluator = Evaluator(population, task, members, between=lambda: between.append(None))
        return evaluator.measure("extrapolation")[0]

    whole = measured()
    assert len(between) == 1
    # 10,000 examples of 3 members with 3 inputs in pieces of 3,000, the last one shorter.
    monkeypatch.setattr(measure, "PIECE_INPUTS", 3 * 3 * 3000)
    pieces = measured()
    assert len(between) == 4
    assert list(whole) == list(pieces) == ["mse", "mae"]
    for name in whole:
        np.testing.assert_allclose(pieces[name], whole[name], rtol=1e-5)
    batch = task.split_batch("extrapolation", members.stream("extrapolation").at(0, 10_000))
    for i in range(3):
        error = population.member(i)(batch.x[i]) - batch.y[i]
        np.testing.assert_allclose(whole["mse"][i], np.mean(np.square(error)), rtol=1e-4)


def worst(w: np.ndarray) -> float:
    return float(np.max(np.minimum(np.abs(w), np.abs(1 - np.abs(w)))))


def test_the_sparsity_error_is_the_worst_weights() -> None:
    population = Population(
        lambda: build(
            encoders.none, heads.readout, NAU, input_size=4, output_size=1, sequence=False
        ),
        3,
    )
    (w,) = population.trainable_variables
    values = np.float32([[1, 0, -1, 1], [0.9, -0.3, 0, 1], [-0.6, 0.05, 0.99, -1]])[..., None]
    w.assign(values)
    ((_, _, errors),) = SparsityError(population)()
    np.testing.assert_allclose(errors, [0.0, 0.3, 0.4], atol=1e-6)
    np.testing.assert_allclose(errors, [worst(v) for v in values], atol=1e-6)


def test_the_sparsity_error_is_the_worst_of_all_layers() -> None:
    population = Population(
        lambda: build(hidden, heads.readout, NMU, input_size=5, output_size=1, sequence=False), 6
    )
    sparsity_error = SparsityError(population)
    ((split, metric, errors),) = sparsity_error()
    assert (split, metric, errors.shape) == ("train", "sparsity_error", (6,))
    layers = [v.numpy() for v in population.trainable_variables]
    each = np.array([[worst(w[i]) for w in layers] for i in range(6)])
    np.testing.assert_allclose(errors, each.max(axis=1), rtol=1e-6)
    assert len(set(each.argmax(axis=1))) == 2  # it is not always the same layer
    # It follows the weights.
    for variable in population.trainable_variables:
        variable.assign(tf.ones_like(variable.value))
    ((_, _, again),) = sparsity_error()
    np.testing.assert_array_equal(again, np.zeros(6))


def test_a_model_without_units_has_no_sparsity_error() -> None:
    population = Population(
        lambda: build(encoders.none, heads.dense, NAU, input_size=2, output_size=1, sequence=False),
        3,
    )
    assert SparsityError(population)() == []
