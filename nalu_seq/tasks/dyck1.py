"""Dyck-1: strings of brackets that are all closed."""

from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.tasks.next_symbol import CORPUS_SEED, NextSymbol
from nalu_seq.units.weights import positive_integer

NESTING = 0.3
MEASURES = ("possible", "next")


class Dyck1(NextSymbol):
    """Strings such as `[[]][]`, whose brackets are all closed.

    A string opens a bracket with probability 0.3 at each step. Otherwise it closes the last open
    one, and ends where none is open. So at each step two symbols of three can follow, and which
    two depends on how many brackets are open. A string that was drawn several times is one
    row, whose steps count as often: 100 strings of training have 14 rows, 500 have 43.

    Accuracy is measured in one of two ways:

    - `possible`: a step is right if the two symbols that can follow are those with a probability
      above `epsilon`, and it counts as often as its string was drawn.
    - `next`: a step is right if the symbol with the largest probability follows, and each string
      counts once. As two symbols can follow, no network is right at every step.

    Example: `[]` is read as `# [ ]`, and its steps have the targets `[`, `]`, `#`. Before them,
    `#` or `[`, then `[` or `]`, then `#` or `[` could follow.

    Args:
        strings: how many strings are drawn for training.
        examples: how many strings are drawn for the test.
        measure: "possible" or "next".
        epsilon: the largest probability of a symbol that can't follow, for `possible`.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Lan, Geyer, Chemla & Katzir 2022 (arXiv 2111.00600), and their code, whose strings these
    are, those of the test too: drawn by NumPy's generator of 2022 from seed 100. The accuracies of
    their single runs are `next`. Their Table 1 has others, for which their code has `possible`,
    without telling epsilon: 0.005 is that of the authors' later code (github
    taucompling/mdl-reg-approach). Their generator refuses strings of more than 200 symbols, of
    which it meets none.
    """

    def __init__(
        self,
        strings: int = 100,
        examples: int = 50_000,
        measure: str = "possible",
        epsilon: float = 0.005,
    ) -> None:
        if measure not in MEASURES:
            raise ValueError(f"measure must be possible or next, not {measure!r}")
        number = isinstance(epsilon, int | float) and not isinstance(epsilon, bool)
        if not number or not 0 < epsilon < 1 / 3:
            raise ValueError(f"epsilon must be a number above 0 and below 1/3, not {epsilon!r}")
        self.measure, self.epsilon = measure, epsilon
        generator = np.random.RandomState(CORPUS_SEED)
        trained = Counter(_draw(generator) for _ in range(positive_integer("strings", strings)))
        tested = Counter(_draw(generator) for _ in range(positive_integer("examples", examples)))
        super().__init__("[]", list(trained), list(tested))
        for part, drawn in (("train", trained), ("training", trained), ("test", tested)):
            counts = np.array([*drawn.values()])[:, None, None]
            following = self._following(list(drawn))
            impossible = (
                0
                if part == "train"
                else following.any(-1, keepdims=True) & (self._targets[part] == 0)
            )
            self._targets[part] = (counts * following - impossible).astype(np.float32)

    def targets(self, string: str) -> list[str]:
        """The two symbols that can follow at each step."""
        opened = np.cumsum([0, *(1 if symbol == "[" else -1 for symbol in string)])
        return ["[]" if count else "#[" for count in opened]

    def judge_steps(self, y: Any, prediction: Any) -> tuple[Any, Any, Any]:
        """In `y`, what follows has the count of its string, and what can't follow has -1."""
        following = tf.maximum(y, 0)
        counts = tf.reduce_sum(following, axis=-1)  # [M, B, T]
        _, right, bits = super().judge_steps(tf.sign(following), prediction)
        if self.measure == "next":
            return tf.sign(counts), right, bits
        above = tf.nn.softmax(prediction) > self.epsilon
        return counts, tf.cast(tf.reduce_all(above == (y >= 0), axis=-1), tf.float32), bits


def _draw(generator: np.random.RandomState) -> str:
    symbols, opened = [], 0
    while True:
        if generator.random_sample() < NESTING:
            symbols.append("[")
            opened += 1
        elif opened:
            symbols.append("]")
            opened -= 1
        else:
            return "".join(symbols)
