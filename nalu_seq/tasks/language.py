"""Numbers in words: "three hundred and thirty four" -> 334."""

from typing import Any

import numpy as np
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

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
STYLES = ("british", "american")
EMPTY = ("before", "after")
ERRORS = ("absolute", "relative", "log")
LARGEST = 10**6
SPLIT_SEED = 0


class Language(SequenceTask):
    """The words of a number, one-hot, one at each step; the target is the number.

        "three hundred and thirty four" -> 334

    A model has to answer at the last step, and only that answer is trained and measured. A number
    of few words has empty steps, all zeros: before its first word, so that the answer follows the
    last word, or after its last, so that every number begins at the model's initial state.

    The numbers from `low` to `high` fall into three parts that share none. The training part holds
    0 to 19, as far as they are in the range, then random numbers that bring a word which the part
    has not yet, then random others. What remains is divided into validation and test at random. The
    parts are the same for all seeds. With `beyond`, a fourth split is measured, `above`: random
    numbers from `high` + 1 to `beyond`. Their new words ("thousand") are taught by `taught` other
    numbers of that range, which join the training part.

    A member has solved a split when its answer rounds to the truth for every number: `exact` is 1.
    The split `train_numbers` is the training part.

    Args:
        low: the smallest number.
        high: the largest.
        train: how many numbers are trained on.
        validation: how many are measured as `validation`.
        test: how many are measured as `test`.
        style: "british" says "and" after the hundreds, "american" does not.
        empty: whether empty steps come "before" the words or "after" them.
        error: what training squares: the "absolute" error; the "relative" one, the error over
            1 + the number, by which an error of 1 matters more in 3 than in 300; or "log", the
            difference of asinh, by which an answer that is a thousand times too large does not
            outweigh all others.
        beyond: the largest number of the split `above`, or null for no such split.
        taught: how many numbers above `high` are trained on.
        above: how many numbers above `high` are measured.

    Raises:
        ValueError: one of these is out of its range, or the training part is too small for all
            words; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.3: numbers from 0 to 1,000, 169 of them
    to train on, 200 for validation and 631 for the test. Which numbers these are is not published,
    and 169, 200 and 631 are one number short of the 1,001 from 0 to 1,000. Here that one is left
    out at random.
    """

    output_size = 1
    counts = True
    criterion = Criterion("exact", 1.0, above=True)

    def __init__(
        self,
        low: int = 0,
        high: int = 1000,
        train: int = 169,
        validation: int = 200,
        test: int = 631,
        style: str = "british",
        empty: str = "before",
        error: str = "absolute",
        beyond: int | None = None,
        taught: int = 10,
        above: int = 1000,
    ) -> None:
        if not _is_integer(low) or not _is_integer(high) or not 0 <= low < high <= LARGEST:
            raise ValueError(
                f"low and high must be integers with 0 <= low < high <= {LARGEST}, "
                f"not {low!r} and {high!r}"
            )
        if style not in STYLES:
            raise ValueError(f"style must be {' or '.join(STYLES)}, not {style!r}")
        if empty not in EMPTY:
            raise ValueError(f"empty must be {' or '.join(EMPTY)}, not {empty!r}")
        self.style, self.empty = style, empty
        if error not in ERRORS:
            raise ValueError(f"error must be one of {', '.join(ERRORS)}, not {error!r}")
        self.error = error
        sizes = {"train": train, "validation": validation, "test": test}
        for name, size in sizes.items():
            positive_integer(name, size)
        if sum(sizes.values()) > high - low + 1:
            raise ValueError(
                f"train, validation and test must have at most {high - low + 1} numbers together, "
                f"as many as there are from {low} to {high}, not {sum(sizes.values())}"
            )
        generator = np.random.default_rng(SPLIT_SEED)
        order = generator.permutation(np.arange(low, high + 1))
        train_part = _with_all_words(order, train, style)
        rest = order[~np.isin(order, train_part)]
        parts = {
            "train": train_part,
            "validation": rest[:validation],
            "test": rest[validation : validation + test],
        }
        if beyond is not None:
            if not _is_integer(beyond) or not high < beyond <= LARGEST:
                raise ValueError(
                    f"beyond must be null or an integer above high, {high}, and at most {LARGEST}, "
                    f"not {beyond!r}"
                )
            most = beyond - high
            if (
                not _is_integer(taught)
                or taught < 0
                or taught + positive_integer("above", above) > most
            ):
                raise ValueError(
                    f"taught and above must have at most {most} numbers together, as many as there "
                    f"are from {high + 1} to {beyond}, not {taught!r} and {above!r}"
                )
            larger = high + 1 + generator.choice(most, taught + above, replace=False)
            parts["train"] = np.concatenate([train_part, larger[:taught]])
            parts["above"] = larger[taught:]
        self.parts = parts
        words_of_part = {
            name: [number_words(int(n), style) for n in part] for name, part in parts.items()
        }
        self.vocabulary = sorted(
            {w for part in words_of_part.values() for words in part for w in words}
        )
        self.input_size = len(self.vocabulary)
        self.length = length = max(len(words) for part in words_of_part.values() for words in part)
        self._words = {name: self._indices(part, length) for name, part in words_of_part.items()}
        split_parts = {"validation": "validation", "test": "test", "train_numbers": "train"}
        if beyond is not None:
            split_parts["above"] = "above"
        self.splits = {
            split: Split(len(parts[name]), self.length, part=name)
            for split, name in split_parts.items()
        }
        self.train_split = Split(len(parts["train"]), self.length)  # drawn, not gone through

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """One-hot words `[M, B, T, words]`, and the number at every step, `[M, B, T, 1]`.

        Training draws numbers at random; of a measured part each number comes once.
        """
        if split.part:
            places = tf.cast(draws.examples, tf.int32)[None]
            places = tf.tile(places, [len(draws.cases), 1])  # [M, B]
        else:
            places = draws.integers(0, split.examples, 1)[..., 0]
        part = split.part or "train"
        words = tf.gather(tf.constant(self._words[part]), places)[..., start : start + count]
        numbers = tf.gather(tf.constant(self.parts[part], tf.float32), places)
        x = tf.one_hot(words, self.input_size)  # zeros where no word is: its index is -1
        y = tf.ones_like(words, tf.float32)[..., None] * numbers[..., None, None]
        return Batch(x, y), state

    def loss(self, y: Any, prediction: Any) -> Any:
        """The squared error at the last step, absolute, relative or of the logarithms."""
        if self.error == "log":
            prediction, y = tf.asinh(prediction), tf.asinh(y)
        error = prediction[:, :, -1] - y[:, :, -1]
        if self.error == "relative":
            error /= 1 + y[:, :, -1]
        return mean_per_member(tf.square(error))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `exact`: the share of the numbers that the answer rounds to."""
        right = tf.cast(tf.round(prediction) == y, tf.float32)
        return {
            "mae": mean_per_member(tf.abs(prediction - y)),
            "exact": mean_per_member(right),
        }

    def _indices(self, words_of_part: list[list[str]], length: int) -> np.ndarray:
        """Each number's words as places in the vocabulary, `[N, T]`; -1 where no word is."""
        table = np.full((len(words_of_part), length), -1, np.int32)
        places = {word: i for i, word in enumerate(self.vocabulary)}
        for row, words in zip(table, words_of_part, strict=True):
            first = length - len(words) if self.empty == "before" else 0
            row[first : first + len(words)] = [places[word] for word in words]
        return table


def number_words(number: int, style: str = "british") -> list[str]:
    """The English words of a number from 0 to 1,000,000.

    Args:
        number: the number.
        style: "british" says "and" after the hundreds, "american" does not.

    Example:
        >>> " ".join(number_words(334))
        'three hundred and thirty four'
        >>> " ".join(number_words(12_007, "american"))
        'twelve thousand seven'
    """
    if number < 20:
        return [ONES[number]]
    if number < 100:
        tens, ones = divmod(number, 10)
        return [TENS[tens - 2], *([ONES[ones]] if ones else [])]
    size, name = next(
        (size, name)
        for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred"))
        if number >= size
    )
    count, rest = divmod(number, size)
    words = [*number_words(count, style), name]
    if not rest:
        return words
    and_ = ["and"] if style == "british" and rest < 100 else []
    return [*words, *and_, *number_words(rest, style)]


def _with_all_words(order: np.ndarray, size: int, style: str) -> np.ndarray:
    """Of numbers in random order, 0 to 19, those that bring a new word, and others: `size`."""
    low, high = int(order.min()), int(order.max())
    # A thousand numbers in a row hold every word below a thousand, the last one the largest word.
    some = [*range(low, min(low + 1000, high) + 1), high]
    missing_words = {word for n in some for word in number_words(n, style)}
    chosen_numbers = list(range(low, min(20, high + 1)))
    for n in chosen_numbers:
        missing_words -= {*number_words(n, style)}
    for n in map(int, order):
        if missing_words & (words := {*number_words(n, style)}):
            chosen_numbers.append(n)
            missing_words -= words
        if not missing_words:
            break
    if len(chosen_numbers) > size:
        raise ValueError(
            f"train must be at least {len(chosen_numbers)} to hold every word, not {size}"
        )
    others = order[~np.isin(order, chosen_numbers)]
    return np.concatenate(
        [np.asarray(chosen_numbers, order.dtype), others[: size - len(chosen_numbers)]]
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
