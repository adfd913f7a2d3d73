"""The next symbol of strings of a formal language: what such tasks share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch, Split
from nalu_seq.tasks.step_accuracy import StepAccuracy

END = "#"
CORPUS_SEED = 100


class NextSymbol(StepAccuracy):
    """Strings of a language, read symbol by symbol; a step's target is the symbol that follows.

    A string is read from `#` on, and `#` follows its last symbol. Training goes through the strings
    in their order, batch by batch; its loss is the cross-entropy of a softmax over the outputs, at
    every step. Two splits are measured: `training`, the same strings, and `test`, longer ones, each
    at the steps for which `targets` names a symbol. `accuracy` is the share of these steps at which
    the largest output is the symbol that follows; `cross_entropy` is in bits a step. A member has
    solved a split when its accuracy is 1. All members have the same strings.

    Args:
        alphabet: the symbols besides `#`.
        trained: the strings of training.
        tested: the strings of the test.
    """

    def __init__(self, alphabet: str, trained: Sequence[str], tested: Sequence[str]) -> None:
        self.symbols = END + alphabet
        self.input_size = self.output_size = len(self.symbols)
        self.length = 1 + max(map(len, trained))
        parts = {"train": (trained, self._following), "training": (trained, self._encoded),
                 "test": (tested, self._encoded)}  # fmt: skip
        self._inputs, self._targets = {}, {}
        for part, (strings, targets) in parts.items():
            self._inputs[part] = self._table([END + string for string in strings])
            self._targets[part] = targets(strings)
        self.train_split = Split(len(trained), self.length, part="train")
        self.splits = {
            "training": Split(len(trained), self.length, part="training"),
            "test": Split(len(tested), 1 + max(map(len, tested)), part="test"),
        }

    @abstractmethod
    def targets(self, string: str) -> list[str]:
        """The symbols that can follow at each step of a string, as it is measured.

        Args:
            string: the string without `#`.

        Returns:
            A text for each step, of one symbol or of several; empty for a step that is not
            measured.
        """

    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """One-hot symbols `[M, B, T, symbols]`, and the symbols that follow, in the same shape.

        Steps after a string's end are zeros, in the targets too.
        """
        places = tf.cast(draws.examples, tf.int64)
        if split.part == "train":
            places += tf.cast(draws.step, tf.int64) * draws.batch_size
        places %= split.examples
        members = len(draws.cases)
        x = tf.gather(tf.constant(self._inputs[split.part]), places)[:, start : start + count]
        y = tf.gather(tf.constant(self._targets[split.part]), places)[:, start : start + count]
        x = tf.one_hot(tf.cast(x, tf.int32), self.input_size)
        y = tf.cast(y, tf.float32)
        return Batch(*(tf.tile(part[None], [members, 1, 1, 1]) for part in (x, y))), state

    def loss(self, y: Any, prediction: Any) -> Any:
        """The cross-entropy of the symbol that follows, the mean over all steps, in nats."""
        entropy = -tf.reduce_sum(y * tf.nn.log_softmax(prediction), axis=[1, 2, 3])
        return entropy / tf.reduce_sum(y, axis=[1, 2, 3])

    def judge_steps(self, y: Any, prediction: Any) -> tuple[Any, Any, Any]:
        """A step is measured where `y` names a symbol, and right if that has the largest output."""
        measured = tf.reduce_max(y, axis=-1)  # [M, B, T]
        bits = -tf.reduce_sum(y * tf.nn.log_softmax(prediction), axis=-1) / np.log(2)
        right = tf.argmax(prediction, axis=-1) == tf.argmax(y, axis=-1)
        return measured, tf.cast(right, tf.float32), bits

    def _table(self, strings: Sequence[str]) -> np.ndarray:
        """The symbols of strings by their places, int8 `[N, T]`; -1 after a string's end."""
        table = np.full((len(strings), max(map(len, strings))), -1, np.int8)
        places = {symbol: i for i, symbol in enumerate(self.symbols)}
        for row, string in zip(table, strings, strict=True):
            row[: len(string)] = [places[symbol] for symbol in string]
        return table

    def _following(self, strings: Sequence[str]) -> np.ndarray:
        """The symbol that follows at each step of each string, one-hot, int8 `[N, T, symbols]`."""
        places = self._table([string + END for string in strings])
        return (places[..., None] == np.arange(len(self.symbols))).astype(np.int8)

    def _encoded(self, strings: Sequence[str]) -> np.ndarray:
        """What can follow at each step of each string, int8 `[N, T, symbols]`."""
        table = np.zeros((len(strings), 1 + max(map(len, strings)), len(self.symbols)), np.int8)
        for rows, string in zip(table, strings, strict=True):
            for row, following in zip(rows, self.targets(string), strict=False):
                row[[self.symbols.index(symbol) for symbol in following]] = 1
        return table
