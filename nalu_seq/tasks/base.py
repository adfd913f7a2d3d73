"""The base classes of tasks: shapes, samples, loss, and when a member has solved a task."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.units.weights import positive_integer

EVALUATION_EXAMPLES = 64
LONGEST = 2**31 - 1  # steps of a sequence: the random draws of a step are addressed by 32 bits


class Batch(NamedTuple):
    """Examples for every member: inputs x and targets y, both `[M, B, ...]`."""

    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Criterion:
    """When a member has solved a split: its `metric` reaches a threshold.

    Attributes:
        metric: the metric's name.
        threshold: the value to reach on every split; or a value for each split and each of the
            task's cases on it, in which case other splits are not judged.
        above: at least the threshold if True, strictly below it if False. NaN never reaches.
        selected_by: the split whose lowest `metric` after step 0 selects the step at which a member
            is judged, as in early stopping; None judges the last step.
    """

    metric: str
    threshold: float | Mapping[str, Mapping[str, float]]
    above: bool = False
    selected_by: str | None = None

    def solved(self, values: Any, split: str, cases: Sequence[str]) -> np.ndarray | None:
        """Whether each value reaches the threshold of its case on a split; None if not judged.

        Args:
            values: a value for each of `cases`.
            split: the split that was measured.
            cases: the name of the task's case that each value belongs to.
        """
        limits: Any = self.threshold
        if isinstance(limits, Mapping):
            if split not in limits:
                return None
            limits = np.asarray([limits[split][case] for case in cases])
        values = np.asarray(values, np.float64)
        return values >= limits if self.above else values < limits


@dataclasses.dataclass(frozen=True)
class Split:
    """A set of fixed examples that a task is measured on, or draws its training from.

    Attributes:
        examples: how many fixed examples each member is measured on.
        length: the number of steps in time; 0 for a task without a time axis.
        low: the lower end of the inputs' range, where the task has one.
        high: the upper end of that range.
        part: the name of the part of a data set, where the task has one.
    """

    examples: int
    length: int = 0
    low: float = 0.0
    high: float = 0.0
    part: str = ""


class Weights(Protocol):
    """Draws the members' weights in the place of the model's initializers."""

    def initial(self, seed: int, variables: Sequence[Any]) -> list[np.ndarray]:
        """A member's weights at the start.

        Args:
            seed: the member's seed.
            variables: the trainable variables of one model, each with its name and its shape.
        """
        ...

    def restarted(
        self, seed: int, variables: Sequence[Any], count: int, reach: float
    ) -> list[np.ndarray]:
        """A member's weights after a restart that draws them from U(-reach, reach).

        Args:
            seed: the member's seed.
            variables: as for `initial`.
            count: the number of the member's restart, from 1.
            reach: the largest magnitude.
        """
        ...


class Task(ABC):
    """One learning problem, which does not depend on units, models or the training loop.

    Attributes:
        input_size: size of one input (of one step, for a sequence), or its shape.
        output_size: size of one target.
        sequence: whether examples have a time axis.
        length: the training length of a sequence.
        numbers: how many of a step's inputs, the last ones, are numbers that can bypass an encoder;
            the others are symbols.
        sums: whether the loss is a sum over the examples, not their mean.
        cases: the names of the task's own settings of its parameters, which change no shape;
            `Draws.cases` has the one of each member.
        splits: the splits that it is measured on, by name; the first is the interpolation.
        criterion: the rule by which a member has solved a split.
        weights: draws the members' weights, for a task that trains published runs again; None for
            those of the model's initializers.
    """

    input_size: int | tuple[int, ...]
    output_size: int
    sequence: bool = False
    length: int | None = None
    numbers: int = 0
    sums: bool = False
    cases: Sequence[str] = ("default",)
    splits: dict[str, Split]
    criterion: Criterion
    weights: Weights | None = None

    @abstractmethod
    def loss(self, y: Any, prediction: Any) -> Any:
        """The training loss of each member, `[M]`.

        Args:
            y: targets, `[M, B, output_size]`, or `[M, B, T, output_size]` for sequences.
            prediction: the model's outputs, of the same shape.
        """

    @abstractmethod
    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """The metrics of each member.

        Args:
            y: targets `[M, B, output_size]`, those of a sequence at its last step.
            prediction: the model's outputs, of the same shape.

        Returns:
            `[M]` for each metric, by name.
        """

    @abstractmethod
    def train_batch(self, draws: Draws) -> Batch:
        """The batch of a training step, `[M, B, ...]`.

        Args:
            draws: the random draws of the step.
        """


class ExampleTask(Task):
    """A task whose examples have no time axis."""

    @abstractmethod
    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed examples of a split, `[M, B, ...]`.

        Args:
            split: the name of the split.
            draws: the random draws of the examples.
        """


class SequenceTask(Task):
    """A task on sequences, of which any piece can be drawn, so that long ones can be streamed.

    Attributes:
        counts: whether targets are whole numbers, so that a prediction may be rounded.
        train_split: the range and number of examples that training draws.
        combine: a function of a total and of targets that count from the beginning, such as
            `tf.add`, which returns the targets that go on from the total; None if there is none.
        initial_totals: the range of totals that training sequences may begin from, if any can.
        piece_steps: the product of steps, examples and members that are measured at once, at most.
        alphabet: how many symbols there are, for a task that counts by one-hot symbols, each
            equally probable at each step, and has `events`; 0 for any other.
        memory: how many of the last symbols determine a step's increments of the counts.
        vocabulary: the name of each input, for a task whose steps are one-hot words; empty where
            they have no names.
    """

    sequence = True
    vocabulary: Sequence[str] = ()
    alphabet: int = 0
    memory: int = 1
    counts: bool = False
    combine: Callable[[Any, Any], Any] | None = None
    initial_totals: tuple[float, float] = (0.0, 0.0)
    # For a network with 128 floats at each step, 2^18 steps take 128 MiB.
    piece_steps: int = 2**18

    @abstractmethod
    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Steps `start` to `start + count` of each sequence, and the target's state after them.

        Args:
            split: the split, whose range counts if the task has one.
            draws: the draws of the sequences.
            start: the first step.
            count: the number of steps, T.
            state: the state that `target_state` or the call for the piece before returned.
        """

    def target_state(self, members: int, examples: int) -> Any:
        """The state of the targets before the first step, such as a count of 0.

        Args:
            members: M.
            examples: B.

        Returns:
            Tensors `[M, B, ...]`; none for a task whose targets do not depend on earlier steps.
        """
        del members, examples
        return ()

    def events(self, symbols: Any, recent: Any) -> tuple[Any, Any]:
        """The increments of the counts at each symbol, for a task with an `alphabet`.

        Args:
            symbols: integers `[M, B, T]`.
            recent: the symbols before them, `[M, B, memory - 1]`; -1 before the sequence begins.

        Returns:
            Whole numbers `[M, B, T, output_size]`, and the last symbols for the piece after.
        """
        raise NotImplementedError

    train_split: Split

    def tally_start(self, members: int, examples: int) -> Any:
        """The tally before the first step; empty for a task that keeps none.

        Args:
            members: M.
            examples: B.
        """
        del members, examples
        return ()

    def tally(self, y: Any, prediction: Any, before: Any) -> Any:
        """Update the statistics that a task keeps over all pieces of a sequence.

        Args:
            y: targets of a piece, `[M, B, T, output_size]`.
            prediction: the model's outputs, of the same shape.
            before: the tally that `tally_start` or the call for the piece before returned.
        """
        del y, prediction
        return before

    def tally_metrics(self, tally: Any) -> dict[str, Any]:
        """The metrics of each member that are computed from the tally.

        Args:
            tally: the tally after the last piece.

        Returns:
            `[M]` for each metric, by name.
        """
        del tally
        return {}

    def train_batch(self, draws: Draws) -> Batch:
        """Sequences of the training length, x `[M, B, T, ...]` and y `[M, B, T, output_size]`.

        Args:
            draws: the random draws of the step.
        """
        examples = draws.examples.shape[0]
        state = self.target_state(len(draws.cases), examples)
        batch, _ = self.piece(self.train_split, draws, 0, self.length, state)
        return batch


def mean_per_member(x: Any) -> Any:
    """The mean over all axes but the first: `[M, ...] -> [M]`.

    Args:
        x: a tensor `[M, ...]`.
    """
    return tf.reduce_mean(x, axis=list(range(1, len(x.shape))))


def metrics_at_the_end(task: Task) -> list[str]:
    """The names of the metrics that a task measures at the last step, or of examples.

    Args:
        task: the task.
    """
    nothing = tf.zeros([1, 2, task.output_size])
    return list(task.metrics(nothing, nothing))


def check_supervise(supervise: Any) -> str:
    """Which steps of a sequence are trained, as an option of a task.

    Args:
        supervise: the option's value.

    Raises:
        ValueError: it is neither "every" nor "last".
    """
    if supervise not in ("every", "last"):
        raise ValueError(f"supervise must be every or last, not {supervise!r}")
    return supervise


def squared_error(y: Any, prediction: Any, supervise: str) -> Any:
    """The mean squared error of each member, `[M]`, over every step or at the last.

    Args:
        y: targets, `[M, B, T, output_size]`.
        prediction: the model's outputs, of the same shape.
        supervise: "every" step, or only the "last".
    """
    if supervise == "last":
        y, prediction = y[:, :, -1:], prediction[:, :, -1:]
    return mean_per_member(tf.square(prediction - y))


def length_splits(train_length: int, lengths: list[int] | None, **split: Any) -> dict[str, Split]:
    """`length_<n>` for the trained length and then for each of `lengths`.

    Args:
        train_length: the length of the training's sequences.
        lengths: further lengths that are measured; None for no others.
        **split: arguments of `Split` that all splits share.

    Raises:
        ValueError: `lengths` is no list of positive integers, or one is above `LONGEST`.
    """
    if not isinstance(lengths, list | None):
        raise ValueError(f"lengths must be a list of positive integers, not {lengths!r}")
    for length in lengths or []:
        if positive_integer("lengths", length) > LONGEST:
            raise ValueError(f"lengths must be at most {LONGEST}, not {length}")
    return {
        f"length_{positive_integer('lengths', n)}": Split(EVALUATION_EXAMPLES, n, **split)
        for n in [train_length, *(lengths or [])]
    }
