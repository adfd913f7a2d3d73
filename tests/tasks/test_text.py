"""What tasks on text share: how numbers are written, the splits, the metrics, bad arguments."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.addition import Addition
from nalu_seq.tasks.base import Split
from nalu_seq.tasks.program import Program
from nalu_seq.tasks.text import TextTask, matching_digits

MEMBERS = 2
TASKS = [Addition(), Addition(written="whole"), Program(), Program(written="whole")]
NAMES = ["addition", "addition-whole", "program", "program-whole"]
each_task = pytest.mark.parametrize("task", TASKS, ids=NAMES)


def draws(examples: int, split: str = "train") -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, split).at(0, examples)


def texts(task: TextTask, split: Split, some: Draws) -> list[tuple[str, float]]:
    """Every member's texts as they are read, and their answers."""
    batch, _ = task.piece(split, some, 0, split.length, ())
    assert batch.x.shape == (MEMBERS, len(some.examples), split.length, task.input_size)
    return [
        (task.text(steps), float(answers[-1, 0]))
        for member in zip(np.asarray(batch.x), np.asarray(batch.y), strict=True)
        for steps, answers in zip(*member, strict=True)
    ]


def value(source: str) -> int:
    """What Python gives for the last line, after it has run the lines above."""
    *body, last = source.split("\n")
    names: dict[str, Any] = {}
    exec("\n".join(body), names)
    return eval(last, names)


@each_task
def test_answers_are_what_python_computes(task: TextTask) -> None:
    for name, split in task.splits.items():
        for source, answer in texts(task, split, draws(300, name)):
            assert answer == value(source), source


@each_task
def test_texts_are_the_same_for_the_same_seed_and_others_for_another(task: TextTask) -> None:
    first, again = task.train_batch(draws(50)), task.train_batch(draws(50))
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    alone = task.train_batch(Stream([1], ["default"], "train").at(0, 50))
    np.testing.assert_array_equal(first.x[1], alone.x[0])
    assert not np.array_equal(first.x[0], first.x[1])


@each_task
def test_texts_end_at_the_last_step_and_are_empty_before_the_first_character(task) -> None:
    for split in task.splits.values():
        batch, _ = task.piece(split, draws(300), 0, split.length, ())
        filled = np.asarray(batch.x).any(axis=-1)
        assert filled[:, :, -1].all()
        np.testing.assert_array_equal(filled, np.sort(filled, axis=-1))
        symbols = np.asarray(batch.x)[..., : len(task.symbols)]
        np.testing.assert_array_equal(symbols.sum(axis=-1), filled)


@each_task
@pytest.mark.parametrize("size", [1, 4])
def test_pieces_make_up_the_whole(task: TextTask, size: int) -> None:
    split, some = task.splits["digits_3"], draws(20)
    whole, _ = task.piece(split, some, 0, split.length, ())
    for start in range(0, split.length, size):
        part, _ = task.piece(split, some, start, size, ())
        np.testing.assert_array_equal(part.x, whole.x[:, :, start : start + size])
        np.testing.assert_array_equal(part.y, whole.y[:, :, start : start + size])


def test_a_split_is_measured_on_numbers_of_its_digits() -> None:
    task = Addition(digits=3, test_digits=[1, 3, 5])
    assert list(task.splits) == ["digits_3", "digits_1", "digits_5"]
    ranges = {"digits_3": (0, 999), "digits_1": (1, 9), "digits_5": (10_000, 99_999)}
    for name, (low, high) in ranges.items():
        found = texts(task, task.splits[name], draws(1000, name))
        numbers = [int(n) for source, _ in found for n in source.split("+")]
        assert low <= min(numbers) and max(numbers) <= high
        assert min(numbers) < low + (high - low) / 100 + 1
        assert max(numbers) > high - (high - low) / 100 - 1


def test_a_number_is_written_by_its_digits_or_whole() -> None:
    number = tf.constant([[0, 7, 40, 305]])
    digits = Addition()
    steps = digits.steps(digits.write_number(number, 3), 3)
    assert [digits.text(x) for x in np.asarray(steps)[0]] == ["0", "7", "40", "305"]
    whole = Addition(written="whole")
    steps = np.asarray(whole.steps(whole.write_number(number, 3), 1))
    np.testing.assert_array_equal(steps[0, :, 0, -1], [0, 7, 40, 305])
    np.testing.assert_array_equal(steps[0, :, 0, whole.symbols.index("#")], 1)


def test_only_the_answer_at_the_last_step_counts() -> None:
    task = Addition()
    y = np.full([1, 2, 5, 1], 10.0, np.float32)
    prediction = y.copy()
    prediction[:, :, :-1] = 900.0
    prediction[0, 0, -1] = 10.4
    prediction[0, 1, -1] = 11.0
    assert float(task.loss(y, prediction)[0]) == pytest.approx((0.16 + 1) / 2, rel=1e-5)
    metrics = {k: float(v[0]) for k, v in task.metrics(y[:, :, -1], prediction[:, :, -1]).items()}
    assert metrics == pytest.approx(
        {"relative_error": 0.07, "mae": 0.7, "exact": 0.5, "matching": 0.75}, rel=1e-5
    )


@pytest.mark.parametrize(
    ("y", "prediction", "share"),
    [
        (1234, 1234, 1),
        (1234, 1233.6, 1),
        (1234, 1204, 3 / 4),
        (89, 189, 2 / 3),
        (189, 89, 2 / 3),
        (-17, -15, 1 / 2),
        (5, -5, 0),
        (0, 0, 1),
        (0, -0.2, 1),
        (0, 10, 0),
        (7, np.nan, 0),
        (7, np.inf, 0),
        (-7, -np.inf, 0),
        (7, 3e20, 0),
    ],
)
def test_matching_digits_stand_in_the_same_places(y: float, prediction: float, share: float):
    both = (np.array([[value]], np.float32) for value in (y, prediction))
    np.testing.assert_allclose(matching_digits(*both), [[share]], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"written": "roman"}, "written must be digits or whole, not 'roman'"),
        ({"digits": 0}, "digits must be a positive integer, not 0"),
        ({"digits": 8}, "numbers of 8 digits may give an answer of 199,999,998, and float32 has"),
        ({"test_digits": 3}, "test_digits must be a list of positive integers, not 3"),
        ({"test_digits": [3, 2.5]}, "test_digits must be a positive integer, not 2.5"),
        ({"test_digits": [9]}, "numbers of 9 digits may give .* take fewer digits"),
        ({"examples": 0}, "examples must be a positive integer, not 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Addition(**arguments)
