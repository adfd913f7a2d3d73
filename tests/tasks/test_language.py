"""Numbers in words: the words, the three parts, and what a batch holds."""

import math
from typing import Any

import numpy as np
import pytest

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.language import LARGEST, Language, number_words

MEMBERS = 2


def draws(examples: int, split: str = "train") -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, split).at(0, examples)


def spoken(task: Language, steps: np.ndarray) -> str:
    """The words of one sequence `[T, words]`; an empty step is left out."""
    return " ".join(task.vocabulary[step.argmax()] for step in steps if step.any())


@pytest.mark.parametrize(
    ("number", "british", "american"),
    [
        (0, "zero", None),
        (1, "one", None),
        (10, "ten", None),
        (11, "eleven", None),
        (20, "twenty", None),
        (21, "twenty one", None),
        (100, "one hundred", None),
        (101, "one hundred and one", "one hundred one"),
        (110, "one hundred and ten", "one hundred ten"),
        (334, "three hundred and thirty four", "three hundred thirty four"),
        (999, "nine hundred and ninety nine", "nine hundred ninety nine"),
        (1000, "one thousand", None),
        (1001, "one thousand and one", "one thousand one"),
        (1100, "one thousand one hundred", None),
        (
            212_345,
            "two hundred and twelve thousand three hundred and forty five",
            "two hundred twelve thousand three hundred forty five",
        ),
        (10**6, "one million", None),
    ],
)
def test_numbers_have_these_words(number: int, british: str, american: str | None) -> None:
    assert " ".join(number_words(number)) == british
    assert " ".join(number_words(number, "american")) == (american or british)


@pytest.mark.parametrize("style", ["british", "american"])
def test_words_say_their_number(style: str) -> None:
    values = {" ".join(number_words(n, style)): n for n in range(100)}
    for number in [*range(2000), *range(2000, LARGEST, 997)]:
        total = group = 0
        for word in number_words(number, style):
            if word == "thousand":
                total, group = 1000 * group, 0
            elif word == "hundred":
                group *= 100
            elif word != "and":
                group += values[word]
        assert total + group == number


def test_the_parts_are_the_papers() -> None:
    task = Language()
    sizes = {name: len(part) for name, part in task.parts.items()}
    assert sizes == {"train": 169, "validation": 200, "test": 631}
    numbers = np.concatenate(list(task.parts.values()))
    assert len(set(numbers)) == 1000 and numbers.min() == 0 and numbers.max() == 1000
    assert set(range(20)) <= set(task.parts["train"])
    trained = {word for n in task.parts["train"] for word in number_words(int(n))}
    assert trained == set(task.vocabulary) and len(trained) == task.input_size == 31
    assert list(task.splits) == ["validation", "test", "train_numbers"]
    assert task.length == 5


def test_the_parts_are_the_same_each_time() -> None:
    one, other = Language(), Language()
    assert all((one.parts[name] == other.parts[name]).all() for name in one.parts)


@pytest.mark.parametrize(("style", "empty"), [("british", "before"), ("american", "after")])
def test_a_measured_part_has_each_number_once_and_its_words(style: str, empty: str) -> None:
    task = Language(style=style, empty=empty)
    split = task.splits["test"]
    batch, _ = task.piece(split, draws(split.examples, "test"), 0, split.length, ())
    assert batch.x.shape == (MEMBERS, 631, split.length, task.input_size)
    for x, y in zip(np.asarray(batch.x), np.asarray(batch.y), strict=True):
        assert sorted(y[:, -1, 0]) == sorted(task.parts["test"])
        for steps, number in zip(x, y[:, :, 0], strict=True):
            assert (number == number[0]).all()
            assert spoken(task, steps) == " ".join(number_words(int(number[0]), style))
            filled = steps.any(axis=1)
            assert (np.sort(filled) == (filled if empty == "before" else filled[::-1])).all()


def test_training_draws_from_its_own_part() -> None:
    task = Language()
    batch = task.train_batch(draws(500))
    drawn = {int(n) for n in np.ravel(batch.y)}
    assert drawn <= set(task.parts["train"]) and len(drawn) > 150
    assert not np.array_equal(batch.y[0], batch.y[1])  # each member draws its own


@pytest.mark.parametrize("pieces", [[1] * 5, [2, 3]], ids=str)
def test_pieces_make_up_the_whole(pieces: list[int]) -> None:
    task = Language()
    split, start = task.splits["validation"], 0
    some = draws(split.examples, "validation")
    whole, state = task.piece(split, some, 0, 5, ())
    for count in pieces:
        part, state = task.piece(split, some, start, count, state)
        np.testing.assert_array_equal(part.x, whole.x[:, :, start : start + count])
        np.testing.assert_array_equal(part.y, whole.y[:, :, start : start + count])
        start += count


def test_numbers_beyond_are_taught_by_a_few() -> None:
    task = Language(beyond=LARGEST, taught=10, above=50)
    beyond = task.parts["train"][169:]
    assert len(beyond) == 10 and len(task.parts["above"]) == 50
    assert min(beyond) > 1000 and min(task.parts["above"]) > 1000
    assert not set(beyond) & set(task.parts["above"])
    assert list(task.splits) == ["validation", "test", "train_numbers", "above"]
    assert (task.parts["test"] == Language().parts["test"]).all()


def test_a_range_up_to_a_million_holds_every_word() -> None:
    task = Language(high=LARGEST)
    assert {"thousand", "million", "zero", "and", "ninety"} <= set(task.vocabulary)
    assert 10**6 in task.parts["train"]


def test_only_the_answer_at_the_last_step_counts() -> None:
    task = Language()
    y = np.full([1, 2, 5, 1], 7.0, np.float32)
    prediction = y.copy()
    prediction[:, :, :-1] = 900.0
    prediction[0, 0, -1] = 7.4
    prediction[0, 1, -1] = 8.0
    assert float(task.loss(y, prediction)[0]) == pytest.approx((0.16 + 1) / 2, rel=1e-5)
    relative = Language(error="relative").loss(y, prediction)
    assert float(relative[0]) == pytest.approx((0.16 + 1) / 2 / 8**2, rel=1e-5)
    logarithmic = Language(error="log").loss(y, prediction)
    differences = [math.asinh(7.4) - math.asinh(7), math.asinh(8) - math.asinh(7)]
    expected = sum(d * d for d in differences) / 2
    assert float(logarithmic[0]) == pytest.approx(expected, rel=1e-4)
    metrics = task.metrics(y[:, :, -1], prediction[:, :, -1])
    assert float(metrics["mae"][0]) == pytest.approx(0.7, rel=1e-5)
    assert float(metrics["exact"][0]) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": -1}, "low and high must be integers with 0 <= low < high <= 1000000, not -1"),
        ({"high": 10**7}, "not 0 and 10000000"),
        ({"low": 5, "high": 5}, "not 5 and 5"),
        ({"high": 99.5}, "not 0 and 99.5"),
        ({"style": "scottish"}, "style must be british or american, not 'scottish'"),
        ({"empty": "between"}, "empty must be before or after, not 'between'"),
        ({"error": "square"}, "error must be one of absolute, relative, log, not 'square'"),
        ({"train": 0}, "train must be a positive integer, not 0"),
        ({"test": 633}, "at most 1001 numbers together, .* from 0 to 1000, not 1002"),
        ({"train": 25}, "train must be at least 29 to hold every word, not 25"),
        ({"beyond": 900}, "beyond must be null or an integer above high, 1000, .* not 900"),
        ({"beyond": 1020, "above": 15}, "at most 20 numbers together, .* not 10 and 15"),
        ({"beyond": 2000, "taught": -1}, "taught and above must have"),
        ({"beyond": 2000, "above": 0}, "above must be a positive integer, not 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Language(**arguments)
