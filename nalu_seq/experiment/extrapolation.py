"""Measures how far a trained population extrapolates: all splits, and errors along the longest."""

import datetime
import math
import time
from collections.abc import Callable

from nalu_seq.errors import warn
from nalu_seq.evaluation.extrapolation import Extrapolation, member_drift
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.summary import Outcome
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check_lengths
from nalu_seq.population.population import Population
from nalu_seq.records.record import Row
from nalu_seq.tasks.base import SequenceTask

PATIENCE, EVERY = 60.0, 30.0  # seconds: a longer measurement prints its progress, so often


def extrapolate(experiment: Experiment, population: Population, step: int) -> Extrapolation:
    """Measure a population on every split of its task.

    Args:
        experiment: the experiment that trained the population, with the splits to measure.
        population: the trained members.
        step: how many steps they were trained for.

    Raises:
        BadInput: a split is too long for the machine's memory.
    """
    check_lengths(experiment)
    members = experiment.members
    evaluator = Evaluator(
        population, experiment.task, members, experiment.stateful_model(), _Pace(experiment)
    )
    rows, courses = [], {}
    for split in experiment.task.splits:
        metrics, courses[split] = evaluator.measure(split)
        for metric, values in metrics.items():
            rows += [
                Row(step, case, seed, split, metric, float(value))
                for (case, seed), value in zip(members.names, values, strict=True)
            ]
    outcome = Outcome(rows, experiment.task.criterion, members)
    groups = ("task", "encoder", "head", "unit")
    summary = {
        "schema": 1,
        "status": "done",
        **{group: experiment.choices[group] for group in groups},
        "seeds": experiment.seeds,
        "cases": [case.name for case in experiment.cases],
        "steps": step,
        "wall_seconds": None,
        # `solved_at` is left out: one measurement does not say when a split was solved.
        "results": [r for r in outcome.results() if r["metric"] != "solved_at"],
    }
    longest = max(experiment.task.splits, key=lambda split: experiment.task.splits[split].length)
    course = courses[longest]
    counts = isinstance(experiment.task, SequenceTask) and experiment.task.counts
    drift = [] if course is None else member_drift(members.names, longest, course, counts)
    return Extrapolation(summary, drift, course, experiment.task.length, counts)


class _Pace:
    """Prints the progress of a long measurement between its pieces.

    The evaluator calls it after each piece. It prints nothing in a measurement that takes less than
    `PATIENCE` seconds.

    Args:
        experiment: the experiment that is measured.
        now: the clock, in seconds.
    """

    def __init__(self, experiment: Experiment, now: Callable[[], float] = time.monotonic) -> None:
        task, members = experiment.task, len(experiment.members)
        self.now, self.pieces, self.done, self.last_message = now, 0, -1, -math.inf
        if isinstance(task, SequenceTask):
            for split in task.splits.values():
                size = max(1, task.piece_steps // (members * split.examples))
                self.pieces += -(-split.length // size)
        self.start = self.now()

    def __call__(self) -> None:
        self.done += 1
        if self.done < 1:  # the first piece traces, so that its pace does not count
            self.start = self.now()
            return
        seconds = self.now() - self.start
        remaining = seconds / self.done * (self.pieces - self.done)
        if seconds + remaining > PATIENCE and self.now() - self.last_message > EVERY:
            self.last_message = self.now()
            share = f"{100 * self.done / self.pieces:.2g} %"
            warn(f"measured {share}, about {_duration(remaining)} more; Ctrl-C ends it")


def _duration(seconds: float) -> str:
    """A time as `0:02:05`, or in days from two days on."""
    days = seconds / 86_400
    return f"{days:,.0f} days" if days >= 2 else str(datetime.timedelta(seconds=round(seconds)))
