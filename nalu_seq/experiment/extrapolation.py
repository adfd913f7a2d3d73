"""How far a trained population extrapolates: its splits, and its error along the longest one."""

from nalu_seq.evaluation.extrapolation import Extrapolation, member_drift
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.summary import Outcome
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.population.population import Population
from nalu_seq.records.record import Row
from nalu_seq.tasks.base import SequenceTask


def extrapolate(experiment: Experiment, population: Population, step: int) -> Extrapolation:
    """Measure a population on every split of its task."""
    members = experiment.members
    evaluator = Evaluator(population, experiment.task, members, experiment.stateful_model())
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
        # One measurement says nothing of when.
        "results": [r for r in outcome.results() if r["metric"] != "solved_at"],
    }
    longest = max(experiment.task.splits, key=lambda split: experiment.task.splits[split].length)
    course = courses[longest]
    counts = isinstance(experiment.task, SequenceTask) and experiment.task.counts
    drift = [] if course is None else member_drift(members.names, longest, course, counts)
    return Extrapolation(summary, drift, course, experiment.task.length, counts)
