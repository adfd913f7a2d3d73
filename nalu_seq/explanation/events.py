"""Measured increments of a recurrent model at each symbol: `y[0] += 1 when the symbol is 0`."""

import itertools
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nalu_seq.explanation.rounding import Unreadable
from nalu_seq.models.heads import Accumulate
from nalu_seq.units import Linear

# Increments are read as a whole number if none of them differs from it by so much or more.
TOLERANCE = 0.25
# An event may depend on at most so many last symbols, with at most so many contexts.
MOST_SYMBOLS, MOST_CONTEXTS = 3, 10_000


def symbols_of(x: np.ndarray, empty: bool = False) -> np.ndarray | None:
    """The symbols of one-hot inputs.

    Args:
        x: inputs `[..., symbols]`.
        empty: whether a step may also be empty, all zeros; its index is the number of symbols.

    Returns:
        `[...]`, the index of each 1; None if the inputs are not one-hot.
    """
    total = x.sum(axis=-1)
    if x.shape[-1] < 2 or not np.isin(x, (0, 1)).all() or not (total <= 1).all():
        return None
    if not empty and not total.all():
        return None
    return np.where(total == 1, x.argmax(axis=-1), x.shape[-1])


@dataclass(frozen=True)
class Events:
    """The increment of each output at a step, as a function of the last symbols.

    Attributes:
        alphabet: how many symbols there are; the number after them stands for no symbol, before
            the sequence begins.
        memory: how many symbols an event depends on, the current one included.
        table: whole numbers `[contexts, outputs]`; a context is the last symbols read as digits,
            the current one last.
    """

    alphabet: int
    memory: int
    table: tuple[tuple[int, ...], ...]

    def start(self, examples: int) -> tuple[np.ndarray, np.ndarray]:
        """The state before the first step: totals of 0, and no symbols.

        Args:
            examples: how many sequences there are.
        """
        before = np.full([examples, self.memory - 1], self.alphabet)
        return np.zeros([examples, 1, len(self.table[0])]), before

    def run(self, symbols: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """The running totals of some sequences, and the state after them.

        Args:
            symbols: the index of each step's symbol, `[examples, time]`.
            state: what `start` or the call for the steps before returned: the totals, and the
                symbols before.

        Returns:
            The totals `[examples, time, outputs]`, and the state.
        """
        totals, before = state
        contexts = _contexts(symbols, before, self.alphabet, self.memory)
        y = totals + np.asarray(self.table)[contexts].cumsum(axis=1)
        history = np.concatenate([before, symbols], axis=1)
        return y, (y[:, -1:], history[:, history.shape[1] - (self.memory - 1) :])

    def model(self) -> keras.Model:
        """A built Keras model that computes them: on one-hot steps, a sum of their increments.

        Raises:
            Unreadable: the events depend on earlier symbols.
        """
        if self.memory > 1:
            raise Unreadable(
                "events that depend on earlier symbols can't be written as a model of single steps"
            )
        table = np.asarray(self.table)[: self.alphabet]
        unit = Linear(table.shape[1], name="unit")
        inputs = keras.Input((None, self.alphabet), name="x")
        model = keras.Model(inputs, Accumulate(unit, name="accumulate")(inputs), name="model")
        unit.set_weights([table, np.zeros(table.shape[1])])
        return model

    def lines(self, latex: bool = False) -> list[str]:
        """A line for each event, or one for all where output a counts symbol a.

        Args:
            latex: whether the lines are in LaTeX.

        Returns:
            Lines such as `y[0] += 1 when the symbol is 0`.
        """
        table = np.asarray(self.table)[: self.alphabet]
        if self.memory == 1 and np.array_equal(table, np.eye(self.alphabet)):
            return [_line("a", 1, f"the symbol is a, for a from 0 to {self.alphabet - 1}", latex)]
        lines = [
            _line(str(output), step, _context_text(context), latex)
            for context, steps in zip(self._all_contexts(), self.table, strict=True)
            for output, step in enumerate(steps)
            if step and self.alphabet not in context
        ]
        return lines or ["nothing is ever added"]

    def __str__(self) -> str:
        """The events in one line."""
        return "; ".join(self.lines())

    def _all_contexts(self) -> itertools.product:
        return itertools.product(range(self.alphabet + 1), repeat=self.memory)


def _line(output: str, step: int, when: str, latex: bool) -> str:
    sign = "-" if step < 0 else "+"
    if latex:
        y = rf"y_{{{output}}}"
        return rf"{y} \leftarrow {y} {sign} {abs(step)} \text{{ when {when}}}"
    return f"y[{output}] {sign}= {abs(step)} when {when}"


def _context_text(context: tuple[int, ...]) -> str:
    *before, symbol = context
    after = f" after {', '.join(map(str, before))}" if before else ""
    return f"the symbol is {symbol}{after}"


def _contexts(symbols: np.ndarray, before: np.ndarray, alphabet: int, memory: int) -> np.ndarray:
    """The index of each step's context in the table, `[examples, time]`."""
    history, time = np.concatenate([before, symbols], axis=1), symbols.shape[1]
    digits = [history[:, i : i + time] for i in range(memory)]
    return sum(d * (alphabet + 1) ** (memory - 1 - i) for i, d in enumerate(digits))


def read_events(symbols: np.ndarray, y: np.ndarray, alphabet: int) -> tuple[Events, float]:
    """Read a model's increments as whole numbers that depend on as few last symbols as possible.

    Args:
        symbols: the symbols of some sequences, `[examples, time]`.
        y: the model's running totals, `[examples, time, outputs]`, from 0.
        alphabet: how many symbols there are.

    Returns:
        The events, and the largest distance of an increment from its whole number.

    Raises:
        Unreadable: the increments are not such whole numbers; the message says by how much.
    """
    increments = np.diff(y, axis=1, prepend=0)
    if not np.isfinite(increments).all():
        raise Unreadable("its outputs are not finite")
    distance = np.inf
    for memory in range(1, MOST_SYMBOLS + 1):
        if (alphabet + 1) ** memory > MOST_CONTEXTS:
            break
        before = np.full((len(symbols), memory - 1), alphabet)
        contexts = _contexts(symbols, before, alphabet, memory)
        table = np.zeros(((alphabet + 1) ** memory, y.shape[-1]), int)
        for context in np.unique(contexts):
            table[context] = np.round(increments[contexts == context].mean(axis=0))
        distance = float(np.abs(increments - table[contexts]).max())
        if distance < TOLERANCE:
            return Events(alphabet, memory, tuple(map(tuple, table.tolist()))), distance
    raise Unreadable(
        "its increment at a step is not a whole number that the last symbols determine: off by "
        f"{distance:.2g}"
    )
