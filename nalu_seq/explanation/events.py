"""What a recurrent model adds at each symbol, measured: `y[0] += 1 when the symbol is 0`."""

import itertools
from dataclasses import dataclass

import numpy as np

from nalu_seq.explanation.rounding import Unreadable

# An event is read where it never differs by more from a whole number, or it rounds to another.
TOLERANCE = 0.25
# How many symbols back an event may depend on, at most, and of how many contexts.
MOST_SYMBOLS, MOST_CONTEXTS = 3, 10_000


def symbols_of(x: np.ndarray) -> np.ndarray | None:
    """The symbols of one-hot steps, `[..., symbols] -> [...]`; None for any other inputs."""
    if x.shape[-1] < 2 or not np.isin(x, (0, 1)).all() or not (x.sum(axis=-1) == 1).all():
        return None
    return x.argmax(axis=-1)


@dataclass(frozen=True)
class Events:
    """How much each output grows at a step, by the last symbols.

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

    def increments(self, symbols: np.ndarray, before: np.ndarray) -> np.ndarray:
        """What each step adds, `[examples, time, outputs]`.

        Args:
            symbols: `[examples, time]`.
            before: the last `memory - 1` symbols before them, `[examples, memory - 1]`.
        """
        return np.asarray(self.table)[_contexts(symbols, before, self.alphabet, self.memory)]

    def lines(self, latex: bool = False) -> list[str]:
        """A line for each event, or one for all where output a counts symbol a."""
        table = np.asarray(self.table)[: self.alphabet]
        if self.memory == 1 and np.array_equal(table, np.eye(self.alphabet)):
            return [_line("a", 1, f"the symbol is a, for a from 0 to {self.alphabet - 1}", latex)]
        lines = [
            _line(str(output), step, _when(context), latex)
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


def _when(context: tuple[int, ...]) -> str:
    *before, symbol = context
    after = f" after {', '.join(map(str, before))}" if before else ""
    return f"the symbol is {symbol}{after}"


def _contexts(symbols: np.ndarray, before: np.ndarray, alphabet: int, memory: int) -> np.ndarray:
    """The number of each step's context, `[examples, time]`."""
    history, time = np.concatenate([before, symbols], axis=1), symbols.shape[1]
    digits = [history[:, i : i + time] for i in range(memory)]
    return sum(d * (alphabet + 1) ** (memory - 1 - i) for i, d in enumerate(digits))


def read_events(symbols: np.ndarray, y: np.ndarray, alphabet: int) -> tuple[Events, float]:
    """The whole numbers that a model adds, by as few of the last symbols as explain them.

    Args:
        symbols: `[examples, time]`.
        y: the model's running totals, `[examples, time, outputs]`, from 0.
        alphabet: how many symbols there are.

    Returns:
        The events, and how far the farthest increment was from its whole number.

    Raises:
        Unreadable: no such whole numbers; says how far they are.
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
        f"what it adds at a step is no whole number that the last symbols explain: off by "
        f"{distance:.2g}"
    )
