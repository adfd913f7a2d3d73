"""A rounded model's units composed into one formula, in symbols."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nalu_seq.explanation.rounding import RoundedUnit, Unreadable
from nalu_seq.explanation.sympy import symbolic
from nalu_seq.models.heads import Accumulate

# Formulas with more symbols are only factored, because simplifying them takes minutes.
FEW_SYMBOLS = 6


@dataclass(frozen=True)
class Update:
    """The update of a layer's states at each step; all states change at once.

    Attributes:
        states: the symbols of the states.
        values: an expression for each new state, in the old states and the inputs of the step.
        initial: the value of each state before the first step.
    """

    states: tuple[Any, ...]
    values: tuple[Any, ...]
    initial: float


@dataclass(frozen=True)
class Formula:
    """A model as a formula.

    Attributes:
        inputs: a symbol for each input, of a step if there is a time axis.
        updates: the updates of each step, layer by layer; empty without a time axis.
        outputs: an expression for each output, in the inputs and the states after the updates.
    """

    inputs: tuple[Any, ...]
    updates: tuple[Update, ...]
    outputs: tuple[Any, ...]

    def lines(self, latex: bool = False) -> list[str]:
        """The formula, a line for each state and output.

        Args:
            latex: whether the lines are in LaTeX.
        """
        write = symbolic().latex if latex else str
        arrow = r"\leftarrow" if latex else "<-"
        lines = [
            f"{write(state)} {arrow} {write(value)}"
            for update in self.updates
            for state, value in zip(update.states, update.values, strict=True)
        ]
        if self.updates and self.outputs == self.updates[-1].states:
            return lines
        if len(self.outputs) == 1:
            return [*lines, write(self.outputs[0])]
        return [*lines, *(f"y{i} = {write(y)}" for i, y in enumerate(self.outputs))]

    def __str__(self) -> str:
        """The formula in one line."""
        return "; ".join(self.lines())

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Compute the outputs in float64, `[examples, outputs]`; of a sequence at its last step.

        Args:
            x: `[examples, in]`, or `[examples, time, in]` where the formula has updates.
        """
        x = np.asarray(x, np.float64)
        values: dict[Any, np.ndarray] = {}
        if not self.updates:
            values = {symbol: x[..., i] for i, symbol in enumerate(self.inputs)}
            return self._evaluate(self.outputs, values)
        for update in self.updates:
            values |= {s: np.full(len(x), update.initial, np.float64) for s in update.states}
        for t in range(x.shape[1]):
            values |= {symbol: x[:, t, i] for i, symbol in enumerate(self.inputs)}
            for update in self.updates:
                new = self._evaluate(update.values, values)
                values |= {s: new[:, j] for j, s in enumerate(update.states)}
        return self._evaluate(self.outputs, values)

    def _evaluate(self, expressions: tuple[Any, ...], values: dict[Any, np.ndarray]) -> np.ndarray:
        symbols = tuple(values)
        examples = len(next(iter(values.values())))
        with np.errstate(all="ignore"):
            results = _compile(symbols, expressions)(*values.values())
        return np.stack([np.broadcast_to(r, [examples]) for r in results], axis=-1)


@functools.lru_cache(maxsize=512)
def _compile(symbols: tuple[Any, ...], expressions: tuple[Any, ...]) -> Any:
    return symbolic().lambdify(symbols, expressions, "numpy")


def compose(rounded: Sequence[RoundedUnit], x: np.ndarray) -> Formula:
    """Compose the formula of a model whose units are all rounded.

    Args:
        rounded: the units, from input to output.
        x: a sample of the inputs that the formula is used on, `[..., in]`. If none is negative, the
            symbols are declared so, which spares absolute values.

    Raises:
        Unreadable: a unit has no formula.
    """
    inputs = _inputs(x.reshape(-1, x.shape[-1]))
    z: list[Any] = list(inputs)
    updates: list[Update] = []
    for depth, part in enumerate(rounded):
        if isinstance(part.layer, keras.layers.RNN | Accumulate):
            update = _update(part, z, "y" if depth == len(rounded) - 1 else "h")
            updates.append(update)
            z = list(update.states)
        else:
            z = _simplify_all(_formula(part, z))
    return Formula(tuple(inputs), tuple(updates), tuple(z))


def _update(part: RoundedUnit, z: list[Any], name: str) -> Update:
    """The update of a layer's states, from the expressions z of its inputs."""
    sympy = symbolic()
    states = sympy.symbols([f"{name}{i}" for i in range(part.unit.units)], real=True)
    if isinstance(part.layer, keras.layers.RNN):
        values = _formula(part, [*z, *states])
        initial = float(part.layer.cell.initial_state)
        return Update(tuple(states), tuple(_simplify_all(values)), initial)
    events = _simplify_all(_formula(part, z))
    if part.layer.operation == "sum":
        added = tuple(state + event for state, event in zip(states, events, strict=True))
        return Update(tuple(states), added, 0.0)
    products = tuple(state * event for state, event in zip(states, events, strict=True))
    return Update(tuple(states), products, 1.0)


def _formula(part: RoundedUnit, z: list[Any]) -> list[Any]:
    outputs = part.unit.formula(z, part.effective)
    if outputs is None:
        raise Unreadable(f"{type(part.unit).__name__} has no formula")
    return [symbolic().sympify(y) for y in outputs]


def _inputs(x: np.ndarray) -> list[Any]:
    """A symbol for each input; all have the same assumption, so that formulas can be compared."""
    low = x.min()
    sign = "positive" if low > 0 else "nonnegative" if low == 0 else "real"
    return [symbolic().Symbol(f"x{i}", **{sign: True}) for i in range(x.shape[-1])]


def _simplify_all(expressions: list[Any]) -> list[Any]:
    return [_simplify(expression) for expression in expressions]


@functools.lru_cache(maxsize=4096)
def _simplify(expression: Any) -> Any:
    sympy = symbolic()
    if len(expression.free_symbols) > FEW_SYMBOLS:
        return sympy.factor_terms(expression)
    return sympy.factor(sympy.simplify(expression))
