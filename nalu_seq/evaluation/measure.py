"""Measures a population on a task's splits; long sequences are streamed in pieces."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nalu_seq.models import StatefulModel
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.records.observers import Measurement, Measurer
from nalu_seq.tasks.base import ExampleTask, SequenceTask, Split, Task

# Tasks without sequences: inputs x examples x members that are held at once, at most.
PIECE_INPUTS = 2**24


class Course(NamedTuple):
    """The error of each member at each step of a sequence.

    Attributes:
        mae: `[M, T]`, mean absolute error over the examples at each step.
        exact: `[M, T]`, share of the examples of which every output rounds to the target.
    """

    mae: np.ndarray
    exact: np.ndarray


class Evaluator(Measurer):
    """Measures a population on fixed examples of a task's splits, each member on its own.

    Args:
        population: the members.
        task: what they learn.
        members: the seed and the case of each member.
        stream: for a sequence task, the population's model with its states passed on.
        between: called between two pieces; an exception that it raises ends the measurement.

    Attributes:
        ends: targets and predictions `[M, B, units]` of the latest measurement of each split, a
            sequence's at its last step.
    """

    def __init__(
        self,
        population: Population,
        task: Task,
        members: Members,
        stream: StatefulModel | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.between = between
        self.population = population
        self.task = task
        self.members = members
        self.stream = stream
        self.ends: dict[str, tuple[Any, Any]] = {}
        self._traced: dict[Any, Any] = {}

    def __call__(self) -> list[Measurement]:
        """The task's metrics on every split."""
        return [
            Measurement(split, metric, values)
            for split in self.task.splits
            for metric, values in self.measure(split)[0].items()
        ]

    def measure(self, split: str) -> tuple[dict[str, np.ndarray], Course | None]:
        """The task's metrics on a split, and for a sequence the errors at each step.

        Args:
            split: the split's name.

        Returns:
            The metrics by name, `[M]` each, and the course; None for a task without sequences.
        """
        if isinstance(self.task, SequenceTask):
            courses = []
            for *ends, part in self._pieces(split):
                self.between()
                y, prediction, tally = ends
                courses.append(part)
            parts = zip(*courses, strict=True)
            course = Course(*(np.concatenate(part, axis=1) for part in parts))
            metrics = self.task.metrics(y, prediction) | self.task.tally_metrics(tally)
        else:
            course = None
            y, prediction = self._examples(split)
            metrics = self.task.metrics(y, prediction)
        self.ends[split] = y, prediction
        return {name: value.numpy() for name, value in metrics.items()}, course

    def examples(self, split: str, most: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """The inputs and targets of the first examples of a split.

        Args:
            split: the split's name.
            most: how many examples at most, for a task without sequences.
            steps: how many steps of each sequence; may be more than the split has.

        Returns:
            Inputs, `[M, B, in]` or `[M, B, T, in]`, and targets, `[M, B, units]`, at a sequence's
            last step.
        """
        task, where = self.task, self.task.splits[split]
        draws = self.members.stream(split).at(0, where.examples)
        if isinstance(task, ExampleTask):
            count = min(where.examples, most)
            batch = task.split_batch(split, draws.at(0, tf.range(count)))
            return batch.x.numpy(), batch.y.numpy()
        assert isinstance(task, SequenceTask)
        state = task.target_state(len(self.population), where.examples)
        batch, _ = task.piece(where, draws, 0, steps, state)
        return batch.x.numpy(), batch.y.numpy()[:, :, -1]

    def outputs(self, split: str, steps: int) -> np.ndarray:
        """The members' outputs at the first steps of a split's sequences.

        Each step is one call of the function that a measurement has traced, so none is traced anew.

        Args:
            split: the split's name.
            steps: how many steps, T.

        Returns:
            `[M, B, T, units]`.
        """
        pieces = self._pieces(split, length=steps, size=1)
        return np.stack([prediction.numpy() for _, prediction, *_ in pieces], axis=2)

    def _examples(self, name: str) -> tuple[Any, Any]:
        """Targets and predictions `[M, B, units]` of a task without sequences."""
        task = self.task
        assert isinstance(task, ExampleTask)
        if name not in self._traced:
            stream = self.members.stream(name)

            @tf.function(autograph=False)
            def some(start: Any, count: Any) -> tuple[Any, Any]:
                draws = stream.at(0, task.splits[name].examples)
                batch = task.split_batch(name, draws.at(0, tf.range(start, start + count)))
                return batch.y, self.population(batch.x)

            self._traced[name] = some
        examples = task.splits[name].examples
        inputs = int(np.prod(task.input_size))  # of one example
        size = max(1, PIECE_INPUTS // (len(self.population) * inputs))
        pieces = []
        for start in range(0, examples, size):
            self.between()
            count = min(size, examples - start)
            pieces.append(self._traced[name](tf.constant(start), tf.constant(count)))
        y, prediction = (tf.concat(part, axis=1) for part in zip(*pieces, strict=True))
        return y, prediction

    def _pieces(
        self, name: str, length: int | None = None, size: int | None = None
    ) -> Iterator[tuple[Any, Any, Any, Course]]:
        """Piece by piece: the last step's targets and predictions, the task's tally, the course."""
        assert isinstance(self.task, SequenceTask) and self.stream is not None
        split, members = self.task.splits[name], len(self.population)
        stream = self.members.stream(name)
        # A traced function depends on neither name nor length: all lengths of one range share it.
        key = dataclasses.replace(split, length=0)
        if key not in self._traced:
            self._traced[key] = self._trace_piece(key)
        states = [
            tf.tile(tf.constant(s)[None], [members, split.examples, 1])  # [M, B, size]
            for s in self.stream.initial_states
        ]
        target_state = self.task.target_state(members, split.examples)
        tally = self.task.tally_start(members, split.examples)
        size = size or max(1, self.task.piece_steps // (members * split.examples))
        length = length or split.length
        for start in range(0, length, size):
            count = min(size, length - start)
            y, prediction, states, target_state, tally, course = self._traced[key](
                stream.keys, tf.constant(start), tf.constant(count), states, target_state, tally
            )
            yield y, prediction, tally, Course(*(c.numpy() for c in course))

    def _trace_piece(self, split: Split) -> Any:
        task, stream = self.task, self.stream
        assert isinstance(task, SequenceTask) and stream is not None
        streams = self.members.stream("")

        @tf.function(autograph=False)
        def piece(
            keys: Any, start: Any, count: Any, states: Any, target_state: Any, tally: Any
        ) -> Any:
            draws = streams.with_keys(keys).at(0, split.examples)
            batch, target_state = task.piece(split, draws, start, count, target_state)
            outputs = self.population([batch.x, *states], model=stream.model)
            prediction, *states = outputs if isinstance(outputs, list) else [outputs]
            error = tf.abs(prediction - batch.y)  # [M, B, T, units]
            right = tf.reduce_all(tf.round(prediction) == batch.y, axis=3)
            course = tf.reduce_mean(error, [1, 3]), tf.reduce_mean(tf.cast(right, tf.float32), 1)
            tally = task.tally(batch.y, prediction, tally)
            return batch.y[:, :, -1], prediction[:, :, -1], states, target_state, tally, course

        return piece
