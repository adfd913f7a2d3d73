"""What a task is: the shapes, the samples, the loss, and when a member has solved it."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws

EVALUATION_EXAMPLES = 64
LONGEST = 2**31 - 1  # steps of a sequence: the random draws of a step are addressed by 32 bits


class Batch(NamedTuple):
    """Examples for every member: inputs x and targets y, both with `[M, B]` leading."""

    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Criterion:
    """When a member has solved a split: its `metric` reaches a threshold.

    Attributes:
        metric: the metric's name.
        threshold: the value to reach on every split; or, by split and then by the task's case, the
            value to reach there: other splits are not judged.
        above: at least the threshold if True, strictly below it if False. NaN never reaches.
        selected_by: the split by whose lowest `metric` each member's step is selected, step 0 left
            out, as early stopping would; None judges the last step.
    """

    metric: str
    threshold: float | Mapping[str, Mapping[str, float]]
    above: bool = False
    selected_by: str | None = None

    def solved(self, values: Any, split: str, cases: Sequence[str]) -> np.ndarray | None:
        """Whether each value reaches the threshold of its case on a split; None if not judged.

        Args:
            values: a value for each of `cases`.
            split: where they were measured.
            cases: the task's case of each.
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
    """Where a task is measured.

    Attributes:
        examples: how many fixed examples each member is measured on.
        length: steps in time, or 0 for a task without.
        low: lower end of the inputs' range, where the task has one.
        high: upper end of it.
        part: which part of a data set, where the task has one.
    """

    examples: int
    length: int = 0
    low: float = 0.0
    high: float = 0.0
    part: str = ""


class Task(ABC):
    """One learning problem; knows nothing of units, models or the training loop.

    Attributes:
        input_size: size of one input (of one step, for a sequence), or its shape.
        output_size: size of one target.
        sequence: whether examples have a time axis.
        length: the training length of a sequence.
        numbers: how many of a step's inputs, the last ones, are numbers that may go around an
            encoder; the others are symbols.
        sums: whether the loss is a sum over the examples, not their mean.
        cases: names of the parameter settings, which change no shape, that the task itself has;
            `Draws.cases` says which member has which.
        splits: where it is measured, by name; the first is the interpolation.
        criterion: when a member has solved a split.
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

    @abstractmethod
    def loss(self, y: Any, prediction: Any) -> Any:
        """The training loss of each member, `[M]`."""

    @abstractmethod
    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """Metrics of each member, `[M]`, from `[M, B, output_size]` (a sequence's last step)."""

    @abstractmethod
    def train_batch(self, draws: Draws) -> Batch:
        """The batch of a training step."""


class ExampleTask(Task):
    """A task whose examples have no time axis."""

    @abstractmethod
    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed examples of a split."""


class SequenceTask(Task):
    """A task on sequences, of which any piece can be drawn, so that long ones can be streamed.

    Attributes:
        counts: whether targets are whole numbers, so that a prediction may be rounded.
        train_split: the range and number of examples that training draws.
        combine: makes the targets that go on from a total, of the total and the targets from the
            beginning, such as `tf.add`; None if sequences can begin at the beginning alone.
        initial_totals: the range of totals that training sequences may begin from, if any can.
        piece_steps: steps x examples x members that are measured at once.
        alphabet: how many symbols there are, for a task that counts by one-hot symbols, each
            equally probable at each step, and has `events`; 0 for any other.
        memory: how many of the last symbols say what a step adds to the counts.
    """

    sequence = True
    alphabet: int = 0
    memory: int = 1
    counts: bool = False
    combine: Callable[[Any, Any], Any] | None = None
    initial_totals: tuple[float, float] = (0.0, 0.0)
    # 2^18 of them with 128 floats each are 128 MiB.
    piece_steps: int = 2**18

    @abstractmethod
    def piece(
        self, split: Split, draws: Draws, start: Any, count: Any, state: Any
    ) -> tuple[Batch, Any]:
        """Steps `start` to `start + count` of each sequence, and the target's state after them.

        Args:
            split: where: its range, if the task has one.
            draws: the draws of the sequences.
            start: the first step.
            count: how many steps.
            state: the state that `target_state` or the piece before returned.
        """

    @abstractmethod
    def target_state(self, members: int, examples: int) -> Any:
        """The target's state before the first step."""

    def events(self, symbols: Any, recent: Any) -> tuple[Any, Any]:
        """What each symbol adds to the counts, for a task with an `alphabet`.

        Args:
            symbols: `[M, B, T]`, integers.
            recent: the symbols before them, `[M, B, memory - 1]`, -1 for none.

        Returns:
            Whole numbers `[M, B, T, output_size]`, and the last symbols for the piece after.
        """
        raise NotImplementedError

    train_split: Split

    def tally_start(self, members: int, examples: int) -> Any:
        """The tally before the first step; empty for a task that keeps none."""
        del members, examples
        return ()

    def tally(self, y: Any, prediction: Any, before: Any) -> Any:
        """Update what a task keeps of all steps of a sequence, which is measured in pieces.

        Args:
            y: targets of a piece, `[M, B, T, output_size]`.
            prediction: the model's outputs, of the same shape.
            before: the tally that `tally_start` or the piece before returned.
        """
        del y, prediction
        return before

    def tallied(self, tally: Any) -> dict[str, Any]:
        """Metrics of each member, `[M]`, from the tally after the last piece."""
        del tally
        return {}

    def train_batch(self, draws: Draws) -> Batch:
        """Whole sequences of the training length."""
        examples = draws.examples.shape[0]
        state = self.target_state(len(draws.cases), examples)
        batch, _ = self.piece(self.train_split, draws, 0, self.length, state)
        return batch


def mean_per_member(x: Any) -> Any:
    """The mean over everything but the members: `[M, ...] -> [M]`."""
    return tf.reduce_mean(x, axis=list(range(1, len(x.shape))))


def length_splits(trained: int, lengths: list[int] | None, **split: Any) -> dict[str, Split]:
    """`length_<n>` for the trained length and then for each of `lengths`.

    Args:
        trained: the length of the training's sequences.
        lengths: further lengths to measure at; None for no others.
        **split: what all splits share, as arguments of `Split`.

    Raises:
        ValueError: `lengths` is no list of positive integers, or one is above `LONGEST`.
    """
    if not isinstance(lengths, list | None):
        raise ValueError(f"lengths must be a list of positive integers, not {lengths!r}")
    for length in lengths or []:
        if check_positive("lengths", length) > LONGEST:
            raise ValueError(f"lengths must be at most {LONGEST}, not {length}")
    return {
        f"length_{check_positive('lengths', n)}": Split(EVALUATION_EXAMPLES, n, **split)
        for n in [trained, *(lengths or [])]
    }


def check_positive(name: str, value: Any) -> int:
    """The value, if it is a positive integer.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")
    return value
