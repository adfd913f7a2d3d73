"""What is measured while a run trains, and who listens: the two lists of a session."""

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
    """The parts of a run that trains, for those that measure and listen.

    Attributes:
        experiment: what its config asks for.
        directory: where it is recorded.
        population: its members.
        trainer: makes the steps.
        check: called between pieces of a measurement; what it raises ends the measurement.
    """

    experiment: Experiment
    directory: Path
    population: Population
    trainer: Trainer
    check: Callable[[], None] = lambda: None

    @functools.cached_property
    def evaluator(self) -> Evaluator:
        """What measures the splits: for the record, and for TensorBoard in between."""
        of = self.experiment
        return Evaluator(self.population, of.task, of.members, of.stateful_model(), self.check)


def measurers(session: Session) -> list[Measurer]:
    """What gives the measurements of a step, in the order of their rows in metrics.csv.

    The training loss is not one of them: the loop puts it first and reads it last, since reading
    starts its mean anew.
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
    """What takes the measurements of a step, in order.

    The record comes before the checkpoint: what is recorded after a checkpoint is measured again
    when the run is resumed.

    Args:
        session: what trains.
        record: its metrics.csv.
        save: writes the checkpoint of a step.
        console: where the progress is shown.
        config: flat config values, for TensorBoard.
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
    """Tells the trainer the validation error of each member, which penalties may look at."""

    def __init__(self, experiment: Experiment, trainer: Trainer) -> None:
        self._trainer = trainer
        task = experiment.task
        self._judged = next(iter(task.splits)), task.criterion.metric

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Hand on the criterion's metric on the first split."""
        for split, metric, values in measurements:
            if (split, metric) == self._judged:
                self._trainer.judged.assign(values)


class Saver(Listener):
    """Saves a checkpoint of each step that was measured."""

    def __init__(self, save: Callable[[int], None]) -> None:
        self._save = save

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Save the step's."""
        self._save(step)
