"""What each symbol does to a running value: `y <- 100 y when the symbol is hundred`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nalu_seq.explanation.rounding import Unreadable, computing_layers
from nalu_seq.models.carry_cell import CarryCell
from nalu_seq.models.heads import AffineCell
from nalu_seq.units import Linear

LARGEST = 2**24  # above it float32 holds no odd numbers
# The logarithm of a factor 0, and the logit of a share of 1 that is put aside, in float32.
LOG_OF_ZERO, CERTAIN = -100.0, 100.0


@dataclass(frozen=True)
class Operations:
    """A cell's whole numbers: what each symbol adds, multiplies by, and whether it puts aside.

        m = factor * g,    s <- s + carry * m,    g <- (1 - carry) * m + addend,    y = s + g

    Attributes:
        symbols: the names of the symbols.
        addends: whole numbers `[symbols + 1, outputs]`; the last row is that of an empty step.
        factors: whole numbers, of the same shape.
        carries: 0 or 1, of the same shape; None for a cell that puts nothing aside, so that g is y.
    """

    symbols: tuple[str, ...]
    addends: tuple[tuple[int, ...], ...]
    factors: tuple[tuple[int, ...], ...]
    carries: tuple[tuple[int, ...], ...] | None = None

    def start(self, examples: int) -> np.ndarray:
        """The group and the sum before the first step, `[2, examples, outputs]`.

        Args:
            examples: how many sequences there are.
        """
        return np.zeros([2, examples, len(self.addends[0])])

    def run(self, symbols: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The running values of some sequences in float64, and the state after them.

        Args:
            symbols: the index of each step's symbol, `[examples, time]`; of an empty step, the
                number of symbols.
            state: what `start` or the call for the steps before returned.

        Returns:
            The values `[examples, time, outputs]`, and the state.
        """
        addends, factors, carries = self._tables()
        group, aside = state
        y = np.empty([*symbols.shape, group.shape[-1]])
        for t, symbol in enumerate(symbols.T):
            multiplied = factors[symbol] * group
            aside = aside + carries[symbol] * multiplied
            group = (1 - carries[symbol]) * multiplied + addends[symbol]
            y[:, t] = aside + group
        return y, np.stack([group, aside])

    def lines(self, latex: bool = False) -> list[str]:
        """A line for each symbol that changes something, those that multiply or put aside first.

        Args:
            latex: whether the lines are in LaTeX.

        Returns:
            Lines such as `g <- 100 g when the symbol is hundred`, and one with the symbols that
            change nothing.
        """
        addends, factors, carries = self._tables()
        when = [*(f"the symbol is {name}" for name in self.symbols), "the step is empty"]
        operators: list[str] = []
        adders: list[str] = []
        idle: list[str] = []
        outputs = range(addends.shape[1])
        # With one output symbols are sorted by what they add, as number words are read.
        order = np.argsort(addends[:, 0], kind="stable") if len(outputs) == 1 else range(len(when))
        for i in order:
            changes = [change for o in outputs for change in self._changes(i, o, latex)]
            if changes:
                operates = (factors[i] != 1).any() or carries[i].any()
                line = ", ".join(changes) + _text(f" when {when[i]}", latex)
                (operators if operates else adders).append(line)
            elif i < len(self.symbols):
                idle.append(self.symbols[i])
        nothing = f"nothing changes when the symbol is one of: {', '.join(idle)}"
        last = [_text(nothing, latex)] if idle else []
        return [*self._output(latex), *operators, *adders, *last]

    def model(self) -> keras.Model:
        """A built Keras model that computes them, `[B, T, symbols] -> [B, T, outputs]`."""
        addends, factors, carries = self._tables()
        unit = Linear(addends.shape[1], name="unit")
        cell = AffineCell(unit) if self.carries is None else CarryCell(unit, snap=1.0)
        inputs = keras.Input((None, len(self.symbols)), name="x")
        layer = keras.layers.RNN(cell, return_sequences=True, name="cell")
        model = keras.Model(inputs, layer(inputs), name="model")
        w = addends if self.carries is None else np.arcsinh(addends)
        unit.set_weights([w[:-1] - w[-1], w[-1]])
        with np.errstate(divide="ignore"):
            cell.factors.assign(np.maximum(np.log(factors[:-1]), LOG_OF_ZERO))
        if self.carries is not None:
            cell.carries.assign(np.where(carries[:-1] == 1, CERTAIN, -CERTAIN))
        return model

    def __str__(self) -> str:
        """The operations in one line."""
        return "; ".join(self.lines())

    def _tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Addends, factors and carries, each `[symbols + 1, outputs]`."""
        addends, factors = np.asarray(self.addends), np.asarray(self.factors)
        carries = np.zeros_like(addends) if self.carries is None else np.asarray(self.carries)
        return addends, factors, carries

    def _output(self, latex: bool) -> list[str]:
        """A line that says what the output is, where it is not what the other lines change."""
        if self.carries is None:
            return []
        outputs = range(len(self.addends[0]))
        terms = [tuple(self._name(kind, o, latex) for kind in "ysg") for o in outputs]
        return [", ".join(f"{y} = {s} + {g}" for y, s, g in terms)]

    def _changes(self, symbol: int, output: int, latex: bool) -> list[str]:
        """What a symbol does to one output's values, such as `["s <- s + 1000 g", "g <- 0"]`."""
        addend, factor, carry = (table[symbol, output] for table in self._tables())
        kind = "y" if self.carries is None else "g"
        g = self._name(kind, output, latex)
        arrow = r"\leftarrow" if latex else "<-"
        if carry:
            s = self._name("s", output, latex)
            put_aside = [f"{s} {arrow} {_sum([s, _times(factor, g)])}"] if factor else []
            return [*put_aside, f"{g} {arrow} {_sum([_constant(addend)])}"]
        if factor == 1 and addend == 0:
            return []
        return [f"{g} {arrow} {_sum([_times(factor, g), _constant(addend)])}"]

    def _name(self, kind: str, output: int, latex: bool) -> str:
        if len(self.addends[0]) == 1:
            return kind
        return f"{kind}_{{{output}}}" if latex else f"{kind}{output}"


def _text(text: str, latex: bool) -> str:
    return rf"\text{{{text}}}" if latex else text


def _times(factor: int, name: str) -> str:
    return {0: "", 1: name, -1: f"-{name}"}.get(int(factor), f"{factor} {name}")


def _constant(value: int) -> str:
    return str(value) if value else ""


def _sum(terms: Sequence[str]) -> str:
    """Terms, some of them empty, as a sum."""
    text = " + ".join(term for term in terms if term)
    return text.replace("+ -", "- ") or "0"


def operating_cell(model: keras.Model) -> AffineCell | CarryCell | None:
    """The cell of a model that is nothing else than a loop over it; None for any other model.

    Args:
        model: a model of sequences.
    """
    layers = computing_layers(model)
    if len(layers) != 1 or not isinstance(layers[0], keras.layers.RNN):
        return None
    cell = layers[0].cell
    return cell if isinstance(cell, AffineCell | CarryCell) else None


def read_operations(
    cell: AffineCell | CarryCell, symbols: Sequence[str]
) -> tuple[Operations, dict[str, float]]:
    """Round what a cell does at each symbol to whole numbers.

    Args:
        cell: the built cell, whose inputs are one-hot.
        symbols: the names of its inputs.

    Returns:
        The operations, and the largest distance of a number from its whole number, by name.

    Raises:
        Unreadable: a number is not finite, or larger than whole numbers are in float32.
    """
    steps = keras.ops.eye(len(symbols) + 1, len(symbols))  # the last step is empty
    numbers: dict[str, Any] = {
        name: keras.ops.convert_to_numpy(value).astype(np.float64)
        for name, value in cell.operations(steps).items()
    }
    if not all((np.abs(value) <= LARGEST).all() for value in numbers.values()):
        raise Unreadable("what it adds or multiplies by is too large, or no number")
    rounded = {name: np.round(value) for name, value in numbers.items()}
    distances = {name: float(np.abs(numbers[name] - rounded[name]).max()) for name in numbers}
    tables = {name: tuple(map(tuple, w.astype(int).tolist())) for name, w in rounded.items()}
    return Operations(tuple(symbols), **tables), distances
