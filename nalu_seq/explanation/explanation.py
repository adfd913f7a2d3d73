"""Reads every member of a trained population as a formula, or says why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.explanation.events import Events, read_events, symbols_of
from nalu_seq.explanation.formulas import Formula, compose
from nalu_seq.explanation.operations import Operations, operating_cell, read_operations
from nalu_seq.explanation.rounding import Unreadable, readable_layers, round_model
from nalu_seq.models.heads import Accumulate
from nalu_seq.tasks.base import SequenceTask, metrics_at_the_end

# A formula is checked on so many examples of a split, and so many steps of a sequence.
EXAMPLES, STEPS = 1_000, 1_000
# Events are read from sequences of so many steps, by default.
EVENT_STEPS = 100
# So many steps of a sequence are held in memory at once.
PIECE = 4_096
# At most so many lines of a formula, such as the events of an alphabet, are printed.
MOST_LINES = 24


@dataclass
class Explanation:
    """The formula of one member, or the reason why it has none.

    Attributes:
        case: the member's case.
        seed: the member's seed.
        solved: whether its newest weights solve every split that its task judges; a task that
            selects a step may count the member as solved by earlier weights.
        formula: the formula that the member computes; None if there is none that the data confirm.
        reason: why there is no formula, or "".
        distances: the largest distance of weights, increments or operations from their rounded
            values, by name.
        errors: by split, the criterion's metric with trained and with rounded weights (None where
            they could not be rounded).
    """

    case: str
    seed: int
    solved: bool
    formula: Formula | Events | Operations | None = None
    reason: str = ""
    distances: dict[str, float] = field(default_factory=dict)
    errors: dict[str, tuple[float, float | None]] = field(default_factory=dict)


class Explainer:
    """Reads the members of a population, and checks each formula on the task's splits.

    Args:
        evaluator: the evaluator that measures the members; `explain` leaves those that it could
            round with rounded weights.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.population, self.task = evaluator.population, evaluator.task
        self.members = evaluator.members
        names = self.members.names
        self.explanations = [Explanation(case, seed, solved=False) for case, seed in names]

    def explain(
        self, errors: Mapping[str, np.ndarray] | None = None, steps: int = EVENT_STEPS
    ) -> list[Explanation]:
        """Every member's formula, in the population's order.

        Args:
            errors: the criterion's metric of each member as trained, `[M]`, on each split, if it
                has been measured.
            steps: the length of the sequences that events are read from.
        """
        trained = self._errors() if errors is None else dict(errors)
        solved = self._solves_all(trained)
        self._note(trained, None)
        for explanation, has in zip(self.explanations, solved, strict=True):
            explanation.solved = bool(has)
        try:
            readable_layers(self.population.model)
        except Unreadable as error:
            self._read_symbols(trained, str(error), steps)
        else:
            self._read_units(trained)
        return self.explanations

    def _read_units(self, trained: dict[str, np.ndarray]) -> None:
        """Round each member's units, and compose them into its formula."""
        examples = {
            name: self.evaluator.examples(name, EXAMPLES, min(split.length, STEPS))
            for name, split in self.task.splits.items()
        }
        sample = next(iter(examples.values()))[0]  # [M, B, (T,) in]
        weights = []
        for i, explanation in enumerate(self.explanations):
            model = self.population.member(i)
            before = model.get_weights()
            try:
                rounded = round_model(model, sample[i])
                lengths = [x[i].reshape(-1, x.shape[-1]) for x, _ in examples.values()]
                explanation.formula = compose(rounded, np.concatenate(lengths))
                explanation.distances = {
                    f"{part.layer.name}/{name}": distance
                    for part in rounded
                    for name, distance in part.distances.items()
                }
            except Unreadable as error:
                explanation.reason = str(error)
                model.set_weights(before)
            weights.append(model.get_weights())
        for variable, *values in zip(self.population.variables, *weights, strict=True):
            variable.assign(np.stack(values))
        after = self._errors()
        self._note(trained, after)
        self._check(trained, after)
        if self.task.criterion.metric in metrics_at_the_end(self.task):
            self._check(trained, self._formula_errors(examples))

    def _read_symbols(self, trained: dict[str, np.ndarray], reason: str, steps: int) -> None:
        """Read what each member does at each symbol, if its inputs are symbols."""
        head, first = self.population.model.layers[-1], next(iter(self.task.splits))
        adds = isinstance(head, Accumulate) and head.operation == "sum"
        operates = operating_cell(self.population.model) is not None
        in_steps = isinstance(self.task, SequenceTask) and isinstance(self.task.input_size, int)
        symbols = None
        if (adds or operates) and in_steps:
            length = steps if adds else min(self.task.splits[first].length, STEPS)
            x, _ = self.evaluator.examples(first, EXAMPLES, length)
            symbols = symbols_of(x, empty=operates)
        if symbols is None:
            for explanation in self.explanations:
                explanation.reason = reason
            return
        if operates:
            self._read_operations()
        else:
            self._read_events(symbols, self.evaluator.outputs(first, x.shape[2]), x.shape[-1])
        after = {split: self._errors_at_symbols(split) for split in self.task.splits}
        self._note(trained, after)
        self._check(trained, after)

    def _read_events(self, symbols: np.ndarray, y: np.ndarray, alphabet: int) -> None:
        """Read each member's events from its symbols and running totals, `[M, B, T, outputs]`."""
        for i, explanation in enumerate(self.explanations):
            try:
                events, distance = read_events(symbols[i], y[i], alphabet)
                explanation.formula, explanation.distances = events, {"increment": distance}
            except Unreadable as error:
                explanation.reason = str(error)

    def _read_operations(self) -> None:
        """Read what each member's cell adds, multiplies by and puts aside at each symbol."""
        task = self.task
        assert isinstance(task, SequenceTask) and isinstance(task.input_size, int)
        names = task.vocabulary or [str(i) for i in range(task.input_size)]
        for i, explanation in enumerate(self.explanations):
            cell = operating_cell(self.population.member(i))
            assert cell is not None
            try:
                explanation.formula, explanation.distances = read_operations(cell, names)
            except Unreadable as error:
                explanation.reason = str(error)

    def _errors(self) -> dict[str, np.ndarray]:
        """The criterion's metric of each member, `[M]`, on each split."""
        metric = self.task.criterion.metric
        return {split: self.evaluator.measure(split)[0][metric] for split in self.task.splits}

    def _formula_errors(
        self, examples: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """As `_errors`, but for the formulas instead of the networks, on some examples."""
        errors = {}
        for split, (x, y) in examples.items():
            predictions = [
                e.formula.predict(x[i])
                if isinstance(e.formula, Formula)
                else np.full_like(y[i], np.nan)
                for i, e in enumerate(self.explanations)
            ]
            errors[split] = self._metric(y, np.stack(predictions))
        return errors

    def _errors_at_symbols(self, split: str) -> np.ndarray:
        """As `_errors` on one split, but for the events or operations instead of the networks."""
        task, where = self.task, self.task.splits[split]
        assert isinstance(task, SequenceTask)
        draws = self.members.stream(split).at(0, where.examples)
        state = task.target_state(len(self.population), where.examples)
        tally = task.tally_start(len(self.population), where.examples)
        formulas: list[Any] = [e.formula for e in self.explanations]
        states = [f and f.start(where.examples) for f in formulas]
        for start in range(0, where.length, PIECE):
            count = min(PIECE, where.length - start)
            batch, state = task.piece(where, draws, start, count, state)
            symbols = symbols_of(batch.x.numpy(), empty=True)  # [M, B, T]
            assert symbols is not None
            running = np.full(batch.y.shape, np.nan)  # [M, B, T, units]
            for i, formula in enumerate(formulas):
                if formula is not None:
                    running[i], states[i] = formula.run(symbols[i], states[i])
            tally = task.tally(batch.y, tf.constant(running, tf.float32), tally)
        counts = task.tally_metrics(tally)
        if (metric := task.criterion.metric) in counts:
            return counts[metric].numpy()
        return self._metric(batch.y.numpy()[:, :, -1], running[:, :, -1])

    def _metric(self, y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        # In float64: a metric in float32 would add its own rounding to a formula's.
        metrics = self.task.metrics(tf.constant(y, tf.float64), tf.constant(prediction, tf.float64))
        return metrics[self.task.criterion.metric].numpy()

    def _solves_all(self, errors: dict[str, np.ndarray]) -> np.ndarray:
        """Whether each member has solved every split that is judged."""
        solved = np.ones(len(self.explanations), bool)
        for split, values in errors.items():
            judged = self.task.criterion.solved(values, split, self.members.task_cases)
            solved &= True if judged is None else judged
        return solved

    def _check(self, trained: dict[str, np.ndarray], rounded: dict[str, np.ndarray]) -> None:
        """Remove the formulas that the data contradict, and note the reason."""
        criterion, cases = self.task.criterion, self.members.task_cases
        judged = {s: criterion.solved(v, s, cases) for s, v in rounded.items()}
        judged_split = next((s for s, solved in judged.items() if solved is not None), None)
        for split, solved in judged.items():
            if solved is None:
                # The criterion does not judge this split: the rounded member must be no worse on it
                # than the trained one, or solve it by the criterion of a split that is judged.
                gain = trained[split] - rounded[split]
                solved = (-gain if criterion.above else gain) >= 0
                if judged_split is not None:
                    solved |= criterion.solved(rounded[split], judged_split, cases)
            for explanation, holds in zip(self.explanations, solved, strict=True):
                if explanation.formula is not None and not holds:
                    explanation.reason = f"rounded, it is wrong on {split}"
                    explanation.formula = None

    def _note(self, trained: dict[str, np.ndarray], rounded: dict[str, np.ndarray] | None) -> None:
        """Note each member's errors in its explanation."""
        for i, explanation in enumerate(self.explanations):
            after = None if explanation.formula is None else rounded
            explanation.errors = {
                split: (float(values[i]), None if after is None else float(after[split][i]))
                for split, values in trained.items()
            }


def agreement(explanations: Sequence[Explanation]) -> list[str]:
    """The formulas of a population as text, those that most members share first.

    Args:
        explanations: the explanation of each member.

    Returns:
        A block of lines for each formula: how many members have it, and its lines.
    """
    groups: dict[str, list[Explanation]] = {}
    for explanation in explanations:
        text = "" if explanation.formula is None else "\n".join(explanation.formula.lines())
        groups.setdefault(text, []).append(explanation)
    blocks = []
    for text, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        solved = sum(explanation.solved for explanation in group)
        title = (
            f"{len(group)} of {len(explanations)} members, {solved} of them solved at the last step"
        )
        lines = text.splitlines() or [f"no formula: {group[0].reason}"]
        more = [f"and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
        blocks.append("\n".join([f"{title}:", *lines[:MOST_LINES], *more]))
    return blocks
