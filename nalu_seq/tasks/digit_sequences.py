"""Sequences of pictures of digits; the target is a running total of the digits that they show."""

from abc import abstractmethod
from typing import Any, NamedTuple

import tensorflow as tf

from nalu_seq.data.images import Data
from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    SequenceTask,
    Split,
    check_supervise,
    mean_per_member,
    squared_error,
)
from nalu_seq.tasks.references import reference_thresholds
from nalu_seq.units.weights import positive_integer

# A split has at most as many pictures as MNIST's test set, in at most so many sequences.
FRAMES, MOST_SEQUENCES = 10_000, 1000


class Part(NamedTuple):
    """A part of the data set on the device: uint8 `[N, height, width, 1]`, int32 `[N]`."""

    pixels: Any
    labels: Any


class Tally(NamedTuple):
    """The statistics of a sequence's frames so far.

    Attributes:
        y: the target at the last frame, `[M, B, output_size]`.
        prediction: the prediction at the last frame, of the same shape.
        rounded: the total of the changes of the prediction at each frame, each rounded first, of
            the same shape.
        right: how many frames were read right, `[M]`.
        frames: how many frames there were, for each member.
    """

    y: Any
    prediction: Any
    rounded: Any
    right: Any
    frames: Any


class DigitSequences(SequenceTask):
    """Pictures of digits; the target is a running total, given at the last step or at every step.

    The model never gets the digit of a single picture. Its reading of a picture is the change of
    its output there: `digit_accuracy` is the share of pictures whose change names the right digit,
    `rounded_mae` the error of the total of these changes, each rounded first.

    Without `replacement`, each member's seed draws one permutation of the pictures, and sequences
    are cut from it, so that an epoch shows each picture once (a rest shorter than a sequence is
    left out); each epoch draws a new order of the sequences. With it, every picture is drawn
    independently. Splits: `validation`, of the training length, and `length_<n>` from the test
    pictures, each of 10,000 pictures in at most 1,000 sequences, as far as there are so many.

    Args:
        data: the pictures.
        digits: which digits occur.
        length: the training length.
        lengths: the lengths that are measured; the training length is put first if it is missing.
        supervise: "every" step, or only the "last".
        replacement: whether a picture may occur again.
        reference: a run of a solved accumulator, whose error at each length sets the threshold of
            success there; by default success is reading as many digits as `accuracy` says.

    Raises:
        ValueError: an argument is out of its range, or a part of the data has too few pictures for
            a length; the message says which, and what would be valid.
    """

    counts = True
    # Each picture of MNIST has 11,520 floats after the first convolution: 180 MiB for 2^12.
    piece_steps = 2**12
    product = False  # whether the total is a product
    accuracy = 0.99

    def __init__(
        self,
        data: Data,
        digits: list[int] | None = None,
        length: int = 10,
        lengths: list[int] | None = None,
        supervise: str = "last",
        replacement: bool = False,
        reference: str | None = None,
    ) -> None:
        self.digits = _check_digits(list(range(10)) if digits is None else digits)
        self.length = positive_integer("length", length)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement must be true or false, not {replacement!r}")
        if not isinstance(lengths, list | None):
            raise ValueError(f"lengths must be a list of positive integers, not {lengths!r}")
        self.supervise, self.replacement = check_supervise(supervise), replacement
        self.mean, self.deviation = data.mean, data.deviation
        self.parts: dict[str, Part] = {}
        for name, images in data.parts.items():
            images_of_digits = images.of(self.digits)
            self.parts[name] = Part(
                tf.constant(images_of_digits.pixels), tf.constant(images_of_digits.labels)
            )
        self.input_size = tuple(self.parts["train"].pixels.shape[1:])
        self.train_split = Split(self._sequences("train", length), length, part="train")
        self.splits = {
            "validation": Split(
                self._sequence_count("validation", length), length, part="validation"
            )
        }
        lengths = lengths or []
        for n in [*([] if length in lengths else [length]), *lengths]:
            examples = self._sequence_count("test", positive_integer("lengths", n))
            self.splits[f"length_{n}"] = Split(examples, n, part="test")
        self.criterion = Criterion("digit_accuracy", self.accuracy, above=True)
        if reference is not None:
            if not isinstance(reference, str):
                raise ValueError(f"reference must name the directory of a run, not {reference!r}")
            thresholds = reference_thresholds(reference, list(self.splits))
            self.criterion = Criterion("mse", thresholds, selected_by="validation")
        self._orders: dict[Any, Any] = {}

    @abstractmethod
    def totals(self, labels: Any, before: Any) -> tuple[Any, Any]:
        """Running totals `[M, B, T, output_size]` of digits `[M, B, T]`, and the state after them.

        Args:
            labels: the digits, `[M, B, T]`.
            before: the state that `target_state` or the call for the piece before returned.
        """

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Normalised pictures `[M, B, T, height, width, 1]`, totals `[M, B, T, output_size]`."""
        if self.replacement:
            pictures = draws.integers(0, len(self.parts[split.part].labels), count, start)
        else:
            # Sequence b has the places b, b + examples, ..., which do not depend on its length.
            places = draws.examples[:, None] + split.examples * (start + tf.range(count))
            pictures = tf.gather(self._order(split.part, draws), places, axis=1)
        return self._batch(split.part, pictures, state)

    def train_batch(self, draws: Draws) -> Batch:
        """Whole sequences of the training length; each epoch draws a new order of them."""
        if self.replacement:
            return super().train_batch(draws)
        sequences, examples = self.train_split.examples, draws.examples.shape[0]
        # Numbers of sequences go on from epoch to epoch: a batch may begin in one and end in the
        # next.
        begin = tf.cast(draws.step, tf.int64) * draws.batch_size
        numbers = begin + tf.cast(draws.examples, tf.int64)
        sequence_numbers = draws.shuffled(
            numbers % sequences, sequences, numbers // sequences
        )  # [M, B]
        places = sequence_numbers[..., None] + sequences * tf.range(self.length)  # [M, B, T]
        pictures = tf.gather(self._order("train", draws), places, axis=1, batch_dims=1)
        return self._batch("train", pictures, self.target_state(len(draws.cases), examples))[0]

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error, over every step or at the last."""
        return squared_error(y, prediction, self.supervise)

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae` and `mse`; `exact`: the share of sequences whose total rounds to the truth."""
        right = tf.reduce_all(tf.round(prediction) == y, axis=2)
        return {
            "mae": mean_per_member(tf.abs(prediction - y)),
            "mse": mean_per_member(tf.square(prediction - y)),
            "exact": mean_per_member(tf.cast(right, tf.float32)),
        }

    def tally_start(self, members: int, examples: int) -> Tally:
        """The tally before the first frame: totals of 0, or of 1 for products.

        Args:
            members: M.
            examples: B.
        """
        nothing = tf.fill([members, examples, self.output_size], float(self.product))
        return Tally(nothing, nothing, nothing, tf.zeros([members]), tf.zeros([]))

    def tally(self, y: Any, prediction: Any, before: Tally) -> Tally:
        """Count the frames whose change names the right digit, and add up the rounded changes.

        Args:
            y: targets of a piece, `[M, B, T, output_size]`.
            prediction: the model's outputs, of the same shape.
            before: the tally so far.
        """
        read_change, true = self.changes(prediction, before.prediction), self.changes(y, before.y)
        together = tf.reduce_prod if self.product else tf.reduce_sum
        change = together(tf.round(read_change), axis=2)
        right = self.digit_of(read_change) == self.digit_of(true)
        return Tally(
            y[:, :, -1],
            prediction[:, :, -1],
            before.rounded * change if self.product else before.rounded + change,
            before.right + tf.reduce_sum(tf.cast(right, tf.float32), [1, 2]),
            before.frames + tf.cast(tf.size(right[0]), tf.float32),
        )

    def tally_metrics(self, tally: Tally) -> dict[str, Any]:
        """The metrics `digit_accuracy` and `rounded_mae`, `[M]`.

        Args:
            tally: the tally after the last piece.
        """
        return {
            "digit_accuracy": tally.right / tally.frames,
            "rounded_mae": mean_per_member(tf.abs(tally.rounded - tally.y)),
        }

    def changes(self, totals: Any, before: Any) -> Any:
        """The change of the total at each step, a difference or a factor, `[M, B, T, output_size]`.

        Args:
            totals: running totals, `[M, B, T, output_size]`.
            before: the total before the first step, `[M, B, output_size]`.
        """
        previous = tf.concat([before[:, :, None], totals[:, :, :-1]], axis=2)
        return tf.math.divide_no_nan(totals, previous) if self.product else totals - previous

    def digit_of(self, changes: Any) -> Any:
        """The digit that each change names: the nearest integer, or the largest of several outputs.

        Args:
            changes: changes of the total, `[M, B, T, output_size]`.

        Returns:
            `[M, B, T]`.
        """
        if self.output_size > 1:
            return tf.argmax(changes, axis=-1)
        return tf.round(changes[..., 0])

    def _batch(self, part: str, pictures: Any, state: Any) -> tuple[Batch, Any]:
        pixels = tf.cast(tf.gather(self.parts[part].pixels, pictures), tf.float32)
        x = (pixels / 255 - self.mean) / self.deviation
        y, state = self.totals(tf.gather(self.parts[part].labels, pictures), state)
        return Batch(x, y), state

    def _order(self, part: str, draws: Draws) -> Any:
        """Each member's permutation of a part, `[M, N]`, drawn once."""
        key = part, draws.stream.seeds, draws.cases
        if key not in self._orders:
            with tf.init_scope():
                words = draws.elsewhere(f"order of {part}").bits(len(self.parts[part].labels))
                self._orders[key] = tf.argsort(tf.cast(words[:, 0], tf.int64))
        return self._orders[key]

    def _sequences(self, part: str, length: int) -> int:
        """How many sequences of a length a part has, in which no picture occurs twice."""
        pictures = len(self.parts[part].labels)
        if self.replacement:
            return max(FRAMES // length, 1)
        if length > pictures:
            raise ValueError(
                f"a sequence of {length} pictures is longer than the {part} part, which has "
                f"{pictures}: take at most {pictures}, or task.replacement=true"
            )
        return pictures // length

    def _sequence_count(self, part: str, length: int) -> int:
        return min(self._sequences(part, length), max(FRAMES // length, 1), MOST_SEQUENCES)


def _check_digits(digits: Any) -> list[int]:
    plain = isinstance(digits, list) and all(type(d) is int and 0 <= d <= 9 for d in digits)
    if not plain or not digits or len(set(digits)) < len(digits):
        raise ValueError(f"digits must be a list of digits from 0 to 9, not {digits!r}")
    return digits
