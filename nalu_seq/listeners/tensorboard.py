"""TensorBoard, a view of a run: errors, successes, loss, weights, pictures, HParams, command."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.weights import effective_weights
from nalu_seq.listeners import hparams
from nalu_seq.listeners.budget import Budget
from nalu_seq.listeners.gallery import Gallery
from nalu_seq.listeners.hparams import Subject
from nalu_seq.listeners.summaries import write, write_histogram, write_scalars, write_text
from nalu_seq.records.members import Members
from nalu_seq.records.observers import Listener, Measurement
from nalu_seq.training.trainer import Trainer

BAND = {"lower": 0.25, "median": 0.5, "upper": 0.75}
ERRORS = ("relative_error", "mae", "mse")  # the first of these that a task has is its error
HARDEST = "hardest"  # the last split under a tag that all tasks have, so that runs compare
SMALLEST = 1e-12  # an error of 0 has no logarithm
# The share of the training time that may be spent on optional work before the training ends.
BETWEEN = 0.005
SHORTEST = 5.0  # seconds of a training whose end is drawn: that takes a second or two
GROWTH = 1.5  # each measurement between those of the record is at so many times the last one's step
LOSSES = 150  # how often the loss is written in a training, besides its first steps
# Seconds that each kind of optional work is expected to take the first time.
MEASURING, EVENTS, GATES = 0.25, 0.1, 0.6


class TensorBoard(Listener):
    """Writes one run's event files.

    All tasks have the same tags: `error/<split>` and `loss`, as logarithms to base 10, and
    `solved/<split>`, the share of members. `spread/` has their quartiles over members, which the
    custom scalars' layout draws as bands; `values/` has all other metrics, `weights/` histograms,
    and `pictures/` what was learned, written at the end. Members that diverged (NaN) are left out
    of the quartiles, and count as not solved in the share.

    Between the measurements of the record, errors are measured at steps that grow farther apart, as
    long as this takes little of the training time, and the newest batch's loss is written about
    every 150th part of the training.

    Args:
        directory: the directory of the event files.
        subject: what is shown of the run besides its measurements.
        trainer: the trainer that makes the steps.
        evaluator: measures between the measurements of the record.
        steps: the step at which training ends.
        eval_every: steps between the measurements of the record.
        say: prints a line about a part that is left out.
        alone: whether this is the only process; otherwise the others would have to take part in
            each measurement.
    """

    def __init__(
        self,
        directory: Path,
        subject: Subject,
        trainer: Trainer,
        evaluator: Evaluator,
        *,
        steps: int,
        eval_every: int,
        say: Callable[[str], None],
        alone: bool = True,
    ) -> None:
        self._directory, self._subject = directory, subject
        self._trainer, self._evaluator = trainer, evaluator
        self._steps, self._eval_every = steps, eval_every
        self._alone, self._say = alone, say
        self._task, self._population = evaluator.task, evaluator.population
        self._members: Members = evaluator.members
        self._splits = list(self._task.splits)
        self._error = ""  # the task's error metric, known when it is first measured
        self._course: dict[int, np.ndarray] = {}  # step -> the last split's error, [M]
        self._errors: dict[str, np.ndarray] = {}  # the criterion's metric by split, [M]
        self._first_step = self._step = int(trainer.step.numpy())
        self._budget = Budget(BETWEEN, self._first_step, steps)
        self._gallery = Gallery(evaluator, subject.name, subject.explain, say)
        self._loss_due = self._due = self._first_step + 1
        self._weights = tf.function(lambda: effective_weights(self._population), autograph=False)

    def open(self) -> None:
        """Write the command, the config and the graph before the first step."""
        self._budget.start(self._first_step)
        self._writer = tf.summary.create_file_writer(str(self._directory))
        with self._writer.as_default(step=self._first_step):
            write_text("run/1 command", self._subject.command)
            write_text("run/2 formula", self._subject.explain)
            write_text("run/3 config", self._subject.config)
            tf.summary.graph(_graph(self._population.model))
            _write_layers(self._population.model)
            write(hparams.start(self._subject, time.time()))
        self._writer.flush()

    def advance(self, step: int) -> None:
        """Write the newest batch's loss, and now and then the errors.

        Args:
            step: the newest step.
        """
        self._step = step
        self._budget.note(step)
        if step >= self._loss_due:
            loss = self._trainer.last_loss.numpy()
            with self._writer.as_default(step=step):
                self._quartiles("loss", _logarithm(loss), "log10 of the newest batch's loss")
            self._loss_due = step + max(1, min(step // 4, self._steps // LOSSES))
        on_grid = step % self._eval_every == 0 or step == self._steps
        if step >= self._due and not on_grid and self._in_budget("measuring", MEASURING):
            with self._budget.spending("measuring"):
                for split in dict.fromkeys([self._splits[0], self._splits[-1]]):
                    metrics, _ = self._evaluator.measure(split)
                    self._write_split(step, split, metrics)
            self._due = max(step + 1, int(step * GROWTH))

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Write a step's measurements and weights."""
        self._step = step
        by_split: dict[str, dict[str, np.ndarray]] = {}
        for split, metric, values in measurements:
            by_split.setdefault(split, {})[metric] = values
        first = not self._error
        for split, metrics in by_split.items():
            if split == "train":
                with self._writer.as_default(step=step):
                    for metric, values in metrics.items():
                        if metric != "loss":
                            self._quartiles(f"values/{metric}", _finite(values), metric, band=False)
            else:
                self._write_split(step, split, metrics)
        with self._writer.as_default(step=step):
            if first:
                write(custom_scalar.pb(self._layout()))
                write(hparams.columns(self._subject, self._outcomes()))
            for name, values in self._weights().items():
                write_histogram(f"weights/{name}", values)
            for variable in self._population.trainable_variables:
                write_histogram(f"weights/raw/{variable.name}", variable.value)
            if step < self._steps:
                self._write_distributions()
        self._writer.flush()

    def close(self) -> None:
        """Draw what was learned, if the training is done, and close the event files."""
        if self._step == self._steps:
            with self._writer.as_default(step=self._steps):
                resumed = self._first_step / self._steps  # the share of an earlier process
                # A run that was stopped after its last step measures nothing when it goes on.
                if self._errors and self._budget.stepping() >= SHORTEST * (1 - resumed):
                    try:
                        self._draw()
                    except Exception as error:  # it must not cost a training its summary
                        line = str(error).partition("\n")[0]
                        self._say(f"TensorBoard's pictures failed: {type(error).__name__}: {line}")
                write(hparams.end(time.time()))
        self._writer.close()

    def _draw(self) -> None:
        """Write the formula and all pictures, whatever they take: once, for whoever looks."""
        gallery = self._gallery
        gallery.pictures(self._weights(), self._course, self._error)
        if not self._alone:  # the members of other processes would have to take part
            return
        gallery.formula(self._errors)
        if gallery.adds:
            gallery.events(draw=True)
        if gallery.gated:
            gallery.gates(draw=True)

    def _write_distributions(self) -> None:
        """Write histograms of events and gates, as far as the budget reaches."""
        if self._gallery.adds and self._in_budget("events", EVENTS):
            with self._budget.spending("events"):
                self._gallery.events(draw=False)
        if self._gallery.gated and self._in_budget("gates", GATES):
            with self._budget.spending("gates"):
                self._gallery.gates(draw=False)

    def _in_budget(self, name: str, guess: float) -> bool:
        return self._alone and self._budget.allows(self._step, name, guess)

    def _write_split(self, step: int, split: str, metrics: Mapping[str, np.ndarray]) -> None:
        """Write the error on a split, the share of members that solve it, and the other metrics."""
        criterion = self._task.criterion
        self._errors[split] = metrics[criterion.metric]
        if not self._error:
            self._error = next((m for m in ERRORS if m in metrics), criterion.metric)
        with self._writer.as_default(step=step):
            if self._error in metrics:
                values = metrics[self._error]
                text = f"log10 of {self._error}: median over members"
                self._quartiles(f"error/{split}", _logarithm(values), text)
                if split == self._splits[-1]:
                    self._course[step] = values
                    self._quartiles(f"{HARDEST}/error", _logarithm(values), text, band=False)
            solved = criterion.solved(metrics[criterion.metric], split, self._members.task_cases)
            if solved is not None:
                text = "the share of members that solve it"
                tags = [f"solved/{split}"]
                tags += [f"{HARDEST}/solved"] if split == self._splits[-1] else []
                write_scalars(dict.fromkeys(tags, np.mean(solved)), text)
            for metric, values in metrics.items():
                if metric != self._error:
                    self._quartiles(f"values/{metric}/{split}", _finite(values), metric, band=False)

    def _quartiles(self, tag: str, values: np.ndarray, text: str, band: bool = True) -> None:
        """Write the median of finite values as a scalar, and with `band` their quartiles too."""
        if not values.size:
            return
        scalars = {tag: np.median(values)}
        if band:
            quartiles = np.quantile(values, list(BAND.values()))
            band_values = zip(BAND, quartiles, strict=True)
            scalars |= {f"spread/{tag}/{name}": value for name, value in band_values}
        write_scalars(scalars, text)

    def _layout(self) -> layout_pb2.Layout:
        """The layout of the custom scalars: a band for each split, and shares that solved it."""
        tags = [*(f"error/{split}" for split in reversed(self._splits)), "loss"]
        bands = []
        for tag in tags:
            name = f"spread/{tag}"
            series = layout_pb2.MarginChartContent.Series(
                value=f"{name}/median", lower=f"{name}/lower", upper=f"{name}/upper"
            )
            margin = layout_pb2.MarginChartContent(series=[series])
            bands.append(layout_pb2.Chart(title=f"{tag} (log10), quartiles", margin=margin))
        solved = layout_pb2.MultilineChartContent(tag=["^solved/"])
        rates = layout_pb2.Chart(title="share of members that solved it", multiline=solved)
        return layout_pb2.Layout(
            category=[
                layout_pb2.Category(title="over members", chart=bands),
                layout_pb2.Category(title="solved", chart=[rates]),
            ]
        )

    def _outcomes(self) -> dict[str, str]:
        """The scalars that HParams shows: successes and errors, the hardest split first.

        The hardest split has a tag that is the same for all tasks: TensorBoard takes the columns
        that it finds first for all runs that it shows.
        """
        hardest, *others = reversed(self._splits)
        solved = {f"solved/{split}": f"solved {split}" for split in others if self._judges(split)}
        return {
            **({f"{HARDEST}/solved": "solved, hardest split"} if self._judges(hardest) else {}),
            f"{HARDEST}/error": "log10 error, hardest split",
            **solved,
            **{f"error/{split}": f"log10 {self._error} {split}" for split in others},
            "loss": "log10 loss",
        }

    def _judges(self, split: str) -> bool:
        cases = self._members.task_cases
        return self._task.criterion.solved(np.zeros(len(cases)), split, cases) is not None


def _logarithm(values: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(_finite(values), SMALLEST))


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]


def _write_layers(model: keras.Model) -> None:
    """Write the graph of a model's layers by their names, TensorBoard's conceptual graph."""
    plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
    # A user's layer may have no config: then TensorBoard shows the graph of operations alone.
    with contextlib.suppress(NotImplementedError, TypeError, ValueError):
        text = model.to_json()
        tf.summary.write("keras", text, metadata=SummaryMetadata(plugin_data=plugin))


def _graph(model: keras.Model) -> Any:
    spec = [tf.TensorSpec((1, *(d or 10 for d in x.shape[1:])), x.dtype) for x in model.inputs]
    return tf.function(model, autograph=False).get_concrete_function(*spec).graph
