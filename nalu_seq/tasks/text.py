"""The base of tasks on text that has numbers in it, a character at each step."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    SequenceTask,
    Split,
    mean_per_member,
)
from nalu_seq.units.weights import positive_integer

DIGITS = "0123456789"
NUMBER = "#"  # the symbol of a step that has a whole number
WRITTEN = ("digits", "whole")
PLACES = 10  # so many digits of an answer are compared at most
LARGEST = 2**24  # float32 has every whole number up to here


class Place(NamedTuple):
    """One place of each text, which has a character or is left empty.

    Attributes:
        symbol: the index of the character, int32 `[M, B]`; -1 where the place is empty.
        number: the number in this place, int32 `[M, B]`; 0 where a character is.
    """

    symbol: Any
    number: Any


class TextTask(SequenceTask):
    """Text with numbers in it, one character at each step; the target is a whole number.

        "37+52" -> 89

    A model has to answer at the last step, and only that answer is trained and measured. Before its
    first character a short text has empty steps, all zeros, so that the answer follows the last
    character. The input of a step is a one-hot character. With `written="whole"` a number takes one
    step instead of one for each digit: the symbol that says so, and the number itself as the last
    input, which an encoder may hand on unchanged (`encoder=routed`).

    Training draws numbers of up to `digits` digits. The split `digits_2` is measured on the same
    range, [0, 100); each other one on numbers of exactly so many digits: `digits_3` on [100, 1000).

    Metrics: `relative_error`, the mean absolute error over the mean absolute target; `mae`;
    `exact`, the share of the answers that round to the target; `matching`, the share of a target's
    digits that the rounded answer has in the same places, 0 where the sign is wrong. A member has
    solved a split when it answers every text exactly: `exact` is 1.

    Args:
        characters: the characters of the texts, digits aside.
        digits: how many digits the numbers have at most that training draws.
        test_digits: how many digits the numbers of the other splits have.
        written: "digits", a number has a step for each of its digits; "whole", one for all.
        examples: how many texts each split has.

    Attributes:
        smaller: what to take for smaller answers, in the words of an error.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.
    """

    output_size = 1
    counts = True
    criterion = Criterion("exact", 1.0, above=True)
    smaller = "fewer digits"

    def __init__(
        self,
        characters: str,
        digits: int = 2,
        test_digits: Sequence[int] | None = None,
        written: str = "digits",
        examples: int = 1000,
    ) -> None:
        if written not in WRITTEN:
            raise ValueError(f"written must be {' or '.join(WRITTEN)}, not {written!r}")
        self.whole = written == "whole"
        if not isinstance(test_digits, list | tuple | None):
            raise ValueError(f"test_digits must be a list of positive integers, not {test_digits}")
        others = [positive_integer("test_digits", n) for n in test_digits or []]
        most = max(positive_integer("digits", digits), *others)
        if (reach := self.reach(most)) > LARGEST:
            raise ValueError(
                f"numbers of {most} digits may give an answer of {reach:,}, and float32 has every "
                f"whole number only up to {LARGEST:,}: take {self.smaller}"
            )
        self.symbols = characters + (NUMBER if self.whole else DIGITS)
        self.numbers = int(self.whole)
        self.input_size = len(self.symbols) + self.numbers
        self.length = self.longest(digits)
        positive_integer("examples", examples)
        self.train_split = Split(examples, self.length, 0, 10**digits)
        self.splits = {f"digits_{digits}": self.train_split} | {
            f"digits_{n}": Split(examples, self.longest(n), 10 ** (n - 1), 10**n)
            for n in others
            if n != digits
        }

    @abstractmethod
    def reach(self, digits: int) -> int:
        """The largest answer, whatever its sign, that numbers of so many digits can give.

        Args:
            digits: how many digits each number has at most.
        """

    @abstractmethod
    def longest(self, digits: int) -> int:
        """How many steps the longest text has.

        Args:
            digits: how many digits each number has at most.
        """

    @abstractmethod
    def texts(self, low: int, high: int, draws: Draws) -> tuple[list[Place], Any]:
        """Random texts and their answers.

        Args:
            low: the smallest number in them.
            high: the number above the largest.
            draws: the random draws of the texts.

        Returns:
            The places of the texts, the empty ones included, and the answers, int32 `[M, B]`.
        """

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Steps `[M, B, T, input_size]`, and the answer at each of them, `[M, B, T, 1]`."""
        low, high = int(split.low), int(split.high)
        places, answers = self.texts(low, high, draws)
        x = self.steps(places, self.longest(digits_of(high - 1)))[:, :, start : start + count]
        y = tf.ones_like(x[..., :1]) * tf.cast(answers, tf.float32)[..., None, None]
        return Batch(x, y), state

    def loss(self, y: Any, prediction: Any) -> Any:
        """The squared error at the last step."""
        return mean_per_member(tf.square(prediction[:, :, -1] - y[:, :, -1]))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`relative_error`, `mae`, `exact` and `matching`."""
        mae = mean_per_member(tf.abs(prediction - y))
        return {
            "relative_error": mae / mean_per_member(tf.abs(y)),
            "mae": mae,
            "exact": mean_per_member(tf.cast(tf.round(prediction) == y, tf.float32)),
            "matching": mean_per_member(matching_digits(y, prediction)),
        }

    def write(self, text: str, like: Any, where: Any = True) -> list[Place]:
        """The places of a fixed text.

        Args:
            text: the characters, one for each place.
            like: any tensor `[M, B]`.
            where: which of the texts have these characters; the places are empty in the others.
        """
        indices = (self.symbols.index(character) for character in text)
        zeros = tf.zeros_like(like, tf.int32)
        return [Place(tf.where(where, zeros + index, -1), zeros) for index in indices]

    def write_choice(self, characters: str, choice: Any, where: Any = True) -> Place:
        """The place of one character of several; it is empty where that character is a space.

        Args:
            characters: the characters to choose from.
            choice: the index of the one that is written, int32 `[M, B]`.
            where: which of the texts have such a character.
        """
        indices = [-1 if c == " " else self.symbols.index(c) for c in characters]
        symbol = tf.gather(tf.constant(indices, tf.int32), choice)
        return Place(tf.where(where, symbol, -1), tf.zeros_like(choice))

    def write_number(self, number: Any, digits: int, where: Any = True) -> list[Place]:
        """The places of a number: one for each digit, or a single one where numbers are whole.

        Args:
            number: the number, int32 `[M, B]`.
            digits: how many digits it has at most; the first ones of a shorter number are empty.
            where: which of the texts have this number.
        """
        if self.whole:
            return [Place(place.symbol, number) for place in self.write(NUMBER, number, where)]
        places = []
        for power in (10**k for k in reversed(range(digits))):
            has_digit = where & ((number >= power) | (power == 1))
            places.append(self.write_choice(DIGITS, number // power % 10, has_digit))
        return places

    def steps(self, places: Sequence[Place], length: int) -> Any:
        """The texts without their empty places, as a model's input.

        Args:
            places: the places of the texts.
            length: how many steps; shorter texts begin with empty steps.

        Returns:
            float32 `[M, B, length, input_size]`.
        """
        symbols, numbers = (tf.stack(part, axis=2) for part in zip(*places, strict=True))
        count = len(places)
        # Empty places come first, and the others keep their order.
        order = tf.argsort(tf.range(count) + count * tf.cast(symbols >= 0, tf.int32), axis=2)
        last = order[:, :, count - length :]
        symbols, numbers = (tf.gather(part, last, batch_dims=2) for part in (symbols, numbers))
        x = tf.one_hot(symbols, len(self.symbols))  # zeros where the index is -1
        if not self.whole:
            return x
        numbers = tf.where(symbols >= 0, numbers, 0)
        return tf.concat([x, tf.cast(numbers, tf.float32)[..., None]], axis=3)

    def text(self, steps: Any) -> str:
        """The text that a model reads in the steps of one example.

        Args:
            steps: `[T, input_size]`, such as `batch.x[member, example]`.
        """
        characters = []
        for step in steps:
            symbols, number = step[: len(self.symbols)], step[-1]
            for symbol, is_there in zip(self.symbols, symbols, strict=True):
                if is_there:
                    characters.append(f"{int(number)}" if symbol == NUMBER else symbol)
        return "".join(characters)


def digits_of(number: int) -> int:
    """How many digits a positive number has.

    Args:
        number: the number.
    """
    return len(str(number))


def matching_digits(y: Any, prediction: Any) -> Any:
    """The share of digits that a rounded prediction has in the same places as the target.

    The longer of the two numbers says how many places there are. Numbers of different signs, and
    predictions of more than ten digits or that are not finite, have no digit in common.

        1234 and 1204 -> 3/4,    89 and 189 -> 2/3,    5 and -5 -> 0

    Args:
        y: whole numbers of at most ten digits, of any shape.
        prediction: numbers of the same shape.

    Returns:
        float32 of the same shape.
    """
    y, prediction = (tf.round(tf.cast(x, tf.float64)) for x in (y, prediction))
    comparable = (tf.sign(y) == tf.sign(prediction)) & (tf.abs(prediction) < 10.0**PLACES)
    longer = tf.maximum(tf.abs(y), tf.abs(prediction))
    places = matches = tf.zeros_like(y)
    for power in (10.0**k for k in range(PLACES)):
        is_place = (longer >= power) | (power == 1)
        digits = (tf.math.floormod(tf.abs(x) // power, 10) for x in (y, prediction))
        places += tf.cast(is_place, tf.float64)
        matches += tf.cast(is_place & tf.equal(*digits) & comparable, tf.float64)
    return tf.cast(matches / places, tf.float32)
