"""Counting: how many of each symbol so far, or how often a pattern occurred."""

from typing import Any

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    EVALUATION_EXAMPLES,
    Batch,
    Criterion,
    SequenceTask,
    Split,
    check_supervise,
    length_splits,
    mean_per_member,
    squared_error,
)
from nalu_seq.units.weights import positive_integer


class Count(SequenceTask):
    """Uniform random symbols, one-hot; the target is a count at every step.

    Without a pattern, the targets are the counts of all symbols so far, `alphabet` numbers. With a
    pattern, the target is how often the pattern has occurred so far (occurrences may overlap), one
    number, and the model has to remember earlier symbols.
    A member has solved a split when on its 64 fixed test sequences every count at the last step is
    right after rounding: `exact` is 1.

    Example: with an alphabet of 4, the symbols `3 1 3` have the targets `[0 0 0 1]`, `[0 1 0 1]`,
    `[0 1 0 2]`; with the pattern `[1, 3]` they have `0`, `0`, `1`.

    Args:
        alphabet: how many symbols there are.
        length: the training length.
        lengths: the lengths that are measured; the training length is put first if it is missing.
        pattern: the symbols whose occurrences are counted, or empty to count each symbol.
        supervise: "every" step, or only the "last".

    Raises:
        ValueError: an argument is out of its range; the message says which, and what would be
            valid.
    """

    counts = True
    combine = staticmethod(tf.add)
    criterion = Criterion("exact", 1.0, above=True)

    def __init__(
        self,
        alphabet: int = 10,
        length: int = 10,
        lengths: list[int] | None = None,
        pattern: list[int] | None = None,
        supervise: str = "every",
    ) -> None:
        self.alphabet = self.input_size = positive_integer("alphabet", alphabet)
        self.length = positive_integer("length", length)
        if not isinstance(pattern, list | None):
            raise ValueError(f"pattern must be a list of symbols, not {pattern!r}")
        self.pattern = list(pattern or [])
        if any(type(s) is not int or not 0 <= s < alphabet for s in self.pattern):
            raise ValueError(
                f"pattern must hold symbols from 0 to {alphabet - 1}, not {self.pattern}; "
                "a larger alphabet allows more"
            )
        self.supervise = check_supervise(supervise)
        self.memory = max(len(self.pattern), 1)
        self.output_size = 1 if self.pattern else alphabet
        self.splits = length_splits(length, lengths)
        self.train_split = Split(EVALUATION_EXAMPLES, length)
        self.initial_totals = 0.0, float(length)

    def target_state(self, members: int, examples: int) -> Any:
        """Counts so far `[M, B, output_size]`, and the last symbols `[M, B, len(pattern) - 1]`."""
        counts = tf.zeros([members, examples, self.output_size], tf.int32)
        # -1 is no symbol: a pattern cannot begin before the sequence does.
        recent = tf.fill([members, examples, self.memory - 1], -1)
        return counts, recent

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """One-hot symbols `[M, B, T, alphabet]` and counts `[M, B, T, output_size]`."""
        counts, recent = state
        symbols = draws.integers(0, self.alphabet, count, start)  # [M, B, T]
        events, recent = self.events(symbols, recent)
        # Counted in integers: a float32 loses single counts beyond 2^24.
        totals = counts[:, :, None] + tf.cumsum(events, axis=2)  # [M, B, T, output_size]
        batch = Batch(tf.one_hot(symbols, self.alphabet), tf.cast(totals, tf.float32))
        return batch, (totals[:, :, -1], recent)

    def events(self, symbols: Any, recent: Any) -> tuple[Any, Any]:
        """The increments of the counts at each symbol, and the symbols that the next piece needs.

        Args:
            symbols: integers `[M, B, T]`.
            recent: the symbols before them, `[M, B, memory - 1]`; -1 before the sequence begins.

        Returns:
            Increments `[M, B, T, output_size]`, and the last symbols `[M, B, memory - 1]`.
        """
        if not self.pattern:
            return tf.one_hot(symbols, self.alphabet, dtype=tf.int32), recent
        history = tf.concat([recent, symbols], axis=2)  # [M, B, len(pattern) - 1 + T]
        hits = [
            history[:, :, i : i + tf.shape(symbols)[2]] == symbol
            for i, symbol in enumerate(self.pattern)
        ]
        event = tf.cast(tf.reduce_all(hits, axis=0), tf.int32)[..., None]  # [M, B, T, 1]
        return event, history[:, :, tf.shape(history)[2] - (len(self.pattern) - 1) :]

    def loss(self, y: Any, prediction: Any) -> Any:
        """Mean squared error, over every step or at the last."""
        return squared_error(y, prediction, self.supervise)

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mae`, and `exact`: the share of sequences of which every count rounds to the truth."""
        error = tf.abs(prediction - y)  # [M, B, output_size]
        right = tf.reduce_all(tf.round(prediction) == y, axis=2)
        return {
            "mae": mean_per_member(error),
            "exact": mean_per_member(tf.cast(right, tf.float32)),
        }
