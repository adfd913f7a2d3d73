"""TensorBoard, a view of a run: quartiles over members, success rates, weights, graph, HParams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.records.observers import Listener, Measurement
from nalu_seq.tasks.base import Task

QUANTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


class TensorBoard(Listener):
    """Writes event files.

    The median and the quartiles over members are runs of their own, so that TensorBoard lays them
    over each other. Members that diverged (NaN) stand outside the quartiles and inside the success
    rate.

    Args:
        directory: where the event files go.
        population: its weights are shown as histograms.
        task: says when a member has solved a split.
        members: the run's members.
        config: flat config values, for HParams.
    """

    def __init__(
        self,
        directory: Path,
        population: Population,
        task: Task,
        members: Members,
        config: dict[str, Any],
    ) -> None:
        self._population = population
        self._criterion, self._members = task.criterion, members
        self._main = tf.summary.create_file_writer(str(directory))
        self._quantiles = {
            name: tf.summary.create_file_writer(str(directory / name)) for name in QUANTILES
        }
        with self._main.as_default():
            hparams.hparams(config)
            tf.summary.graph(_graph(population.model))

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Write a step's scalars and histograms."""
        for split, metric, values in measurements:
            finite = values[np.isfinite(values)]
            for name, writer in self._quantiles.items():
                if finite.size:
                    with writer.as_default(step):
                        tf.summary.scalar(f"{metric}/{split}", np.quantile(finite, QUANTILES[name]))
            if metric != self._criterion.metric:
                continue
            solved = self._criterion.solved(values, split, self._members.task_cases)
            if solved is not None:
                with self._main.as_default(step):
                    tf.summary.scalar(f"success_rate/{split}", np.mean(solved))
        with self._main.as_default(step):
            for variable in self._population.trainable_variables:
                tf.summary.histogram(f"weights/{variable.name}", variable.value)
        for writer in (self._main, *self._quantiles.values()):
            writer.flush()

    def close(self) -> None:
        """Close the event files."""
        for writer in (self._main, *self._quantiles.values()):
            writer.close()


def _graph(model: keras.Model) -> Any:
    spec = [tf.TensorSpec((1, *(d or 10 for d in x.shape[1:])), x.dtype) for x in model.inputs]
    return tf.function(model).get_concrete_function(*spec).graph
