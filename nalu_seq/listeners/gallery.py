"""Pictures, events, gates and a formula of what the members have learned, for TensorBoard."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.errors import BadInput, install
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.explanation.events import symbols_of
from nalu_seq.explanation.explanation import Explainer, agreement
from nalu_seq.explanation.gates import gates, has_gates
from nalu_seq.listeners import drawings
from nalu_seq.listeners.summaries import write_figure, write_histogram, write_text
from nalu_seq.models.heads import Accumulate
from nalu_seq.tasks.base import SequenceTask
from nalu_seq.tasks.digit_sequences import DigitSequences

# How many examples of the first split a gate is measured on, and how many steps of a sequence.
EXAMPLES, STEPS = 64, 10


class Gallery:
    """Writes what members have learned with TensorFlow's current summary writer.

    Args:
        evaluator: the evaluator that measures the members.
        name: the name of the run.
        explain: the command that reads the run as a formula.
        say: prints a line about a part that is left out.
    """

    def __init__(
        self, evaluator: Evaluator, name: str, explain: str, say: Callable[[str], None]
    ) -> None:
        self._evaluator, self._name, self._explain, self._say = evaluator, name, explain, say
        self._task, self._population = evaluator.task, evaluator.population
        members = self._members = evaluator.members
        several = len(members.cases) > 1
        self._names = [f"{c} {seed}" if several else f"seed {seed}" for c, seed in members.names]
        self._first, *_, self._last = [*self._task.splits, *self._task.splits]
        head = self._population.model.layers[-1]
        #: Whether the outputs are running sums, so that a step's increment is their difference.
        self.adds = (
            isinstance(self._task, SequenceTask)
            and isinstance(head, Accumulate)
            and head.operation == "sum"
        )
        self.gated = has_gates(self._population.model)
        self._gates = tf.function(lambda x: gates(self._population, x), autograph=False)
        self._sample: np.ndarray | None = None

    def pictures(
        self, weights: Mapping[str, Any], course: Mapping[int, np.ndarray], error: str
    ) -> None:
        """Draw weights, predictions against targets, the spread of errors, and digits.

        Args:
            weights: the effective weights `[M, ...]`, by name.
            course: the error of the last split, `[M]`, by step.
            error: the name of the error metric.
        """
        if (Figure := self._figure()) is None:
            return
        for name, values in weights.items():
            figure = drawings.matrices_figure(
                Figure, f"{name}, effective", np.asarray(values), self._names
            )
            write_figure(f"pictures/weights {name}", figure)
        if self._last in self._evaluator.ends:
            y, prediction = self._evaluator.ends[self._last]
            figure = drawings.predictions_figure(Figure, self._last, y.numpy(), prediction.numpy())
            write_figure(f"pictures/predictions {self._last}", figure)
        if steps := sorted(course):
            values = np.array([course[step] for step in steps])
            figure = drawings.spread_figure(Figure, f"{error}, {self._last}", steps, values)
            write_figure(f"pictures/spread {self._last}", figure)
        if isinstance(self._task, DigitSequences):
            figure = drawings.digits_figure(
                Figure, self._task, self._members, self._population, self._name
            )
            write_figure("pictures/digits", figure)

    def events(self, draw: bool) -> None:
        """Write the increments of the members' outputs at each step of some sequences.

        Args:
            draw: whether to draw the mean increment at each symbol too, where inputs are symbols.
        """
        steps = min(STEPS, self._task.splits[self._first].length)
        outputs = self._evaluator.outputs(self._first, steps)
        increments = np.diff(outputs, axis=2, prepend=0)  # [M, B, T, units]
        write_histogram("events/increments", increments)
        Figure = self._figure() if draw and isinstance(self._task.input_size, int) else None
        if Figure is None:
            return
        x, _ = self._evaluator.examples(self._first, EXAMPLES, steps)
        if (symbols := symbols_of(x)) is not None:
            means = [
                [np.mean(of_member[symbol == s], axis=0) for s in range(x.shape[-1])]
                for of_member, symbol in zip(increments, symbols, strict=True)
            ]
            figure = drawings.matrices_figure(
                Figure, "mean increment at each symbol", np.asarray(means), self._names, "symbol"
            )
            write_figure("pictures/events", figure)

    def gates(self, draw: bool) -> None:
        """Write the units' gates.

        Args:
            draw: whether to draw the gates, besides writing their histograms.
        """
        if self._sample is None:
            steps = self._task.splits[self._first].length
            self._sample, _ = self._evaluator.examples(self._first, EXAMPLES, min(steps, STEPS))
        for name, values in self._gates(tf.constant(self._sample)).items():
            write_histogram(f"gates/{name}", values)
            if draw and (Figure := self._figure()) is not None:
                figure = drawings.gates_figure(Figure, name, values.numpy(), self._names)
                write_figure(f"pictures/gates {name}", figure)

    def formula(self, errors: Mapping[str, np.ndarray]) -> None:
        """Write the members' formulas as text; the members keep their weights.

        Args:
            errors: the criterion's metric of each member, `[M]`, on each split.
        """
        variables = self._population.variables
        weight_arrays = [variable.numpy() for variable in variables]
        try:
            blocks = agreement(Explainer(self._evaluator).explain(errors, STEPS))
        except BadInput:  # only a formula of units needs SymPy
            self._say(f"TensorBoard's formula is left out: {install('explain')}")
            return
        finally:
            for variable, value in zip(variables, weight_arrays, strict=True):
                variable.assign(value)
        text = "\n\n".join([*blocks, self._explain])
        write_text("run/2 formula", text)

    def _figure(self) -> Any:
        """Matplotlib's class `Figure`, or None (and a line that says so) without matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            self._say(f"TensorBoard's pictures are left out: {install('plots')}")
            return None
        return Figure
