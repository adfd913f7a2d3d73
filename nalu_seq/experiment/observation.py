"""The two lists of a training: its measurers and its listeners."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.restart_count import RestartCount
from nalu_seq.evaluation.sparsity import SparsityError
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.view import view
from nalu_seq.listeners.profiler import Profiler
from nalu_seq.listeners.progress import ProgressBar
from nalu_seq.listeners.tensorboard import TensorBoard
from nalu_seq.population.population import Population
from nalu_seq.records.observers import Listener, Measurement, Measurer
from nalu_seq.records.record import Record
from nalu_seq.training.trainer import Trainer


@dataclass(frozen=True)
class Session:
    """The parts of a training that measurers and listeners use.

    Attributes:
        experiment: the experiment that is trained.
        directory: the run's directory.
        population: the members.
        trainer: the trainer that makes the steps.
        check: called between pieces of a measurement; an exception that it raises ends it.
    """

    experiment: Experiment
    directory: Path
    population: Population
    trainer: Trainer
    check: Callable[[], None] = lambda: None

    @functools.cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator of the splits, for the record and for TensorBoard."""
        of = self.experiment
        return Evaluator(self.population, of.task, of.members, of.stateful_model(), self.check)


def measurers(session: Session) -> list[Measurer]:
    """The measurers of a training, in the order of their rows in metrics.csv.

    The training loss is not one of them: the loop puts it first and reads it last, since reading
    resets its mean.

    Args:
        session: the parts of the training.
    """
    return [
        session.evaluator,
        SparsityError(session.population),
        RestartCount(session.trainer.restarts),
    ]


def listeners(
    session: Session,
    record: Record,
    save: Callable[[int], None],
    console: Console,
    config: dict[str, Any],
) -> list[Listener]:
    """The listeners of a training, in the order in which they take a step's measurements.

    The record comes before the checkpoint: rows that were written after the last checkpoint are
    measured again when the run is resumed.

    Args:
        session: the parts of the training.
        record: the run's metrics.csv.
        save: a function that writes the checkpoint of a step.
        console: the console that shows the progress.
        config: the config by dotted keys, for TensorBoard.
    """
    experiment, trainer = session.experiment, session.trainer
    task, members, cfg = experiment.task, experiment.members, experiment.cfg
    events, subject = view(experiment, session.directory, config)
    return [
        *([Profiler(events, cfg.profile, cfg.train.eval_every)] if cfg.profile else []),
        Judge(experiment, trainer),
        record,
        TensorBoard(
            events,
            subject,
            trainer,
            session.evaluator,
            steps=cfg.train.steps,
            eval_every=cfg.train.eval_every,
            say=lambda line: console.print(line, highlight=False),
            alone=cfg.strategy.name != "multi_worker",
        ),
        Saver(save),
        ProgressBar(
            console,
            cfg.train.steps,
            int(trainer.step.numpy()),
            list(task.splits)[-1],
            task.criterion,
            members,
        ),
    ]


class Judge(Listener):
    """Passes each member's validation error to the trainer, as penalties may depend on it."""

    def __init__(self, experiment: Experiment, trainer: Trainer) -> None:
        self._trainer = trainer
        task = experiment.task
        self._judged = next(iter(task.splits)), task.criterion.metric

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Pass the criterion's metric on the first split to the trainer."""
        for split, metric, values in measurements:
            if (split, metric) == self._judged:
                self._trainer.judged.assign(values)


class Saver(Listener):
    """Saves a checkpoint of each step that was measured."""

    def __init__(self, save: Callable[[int], None]) -> None:
        self._save = save

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Save the checkpoint of the step."""
        self._save(step)
