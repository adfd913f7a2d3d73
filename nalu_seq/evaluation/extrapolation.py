"""How far a trained population extrapolates: its splits, and its error along the longest one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nalu_seq.evaluation.measure import Course, Evaluator
from nalu_seq.evaluation.summary import Outcome
from nalu_seq.recipe import Recipe
from nalu_seq.reporting.record import Row
from nalu_seq.tasks.base import SequenceTask
from nalu_seq.training.population import Population


@dataclass
class Extrapolation:
    """What was found.

    Attributes:
        summary: what summary.json says of the same: the run's parts, steps and `results`.
        drift: for each member along the longest split: `drift_per_step`, the slope of the mean
            absolute error over the steps; `first_wrong`, the first step at which any of its
            sequences no longer rounds to the truth, or None; `mae`, at the last step.
        course: the error of each member along the longest split; None without sequences.
        trained_length: the length that was trained on; None without sequences.
        counts: whether targets are whole numbers, so that predictions may be rounded.
    """

    summary: dict[str, Any]
    drift: list[dict[str, Any]]
    course: Course | None
    trained_length: int | None
    counts: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON and tables."""
        return {**self.summary, "drift": self.drift}


def extrapolate(recipe: Recipe, population: Population, step: int) -> Extrapolation:
    """Measure a population on every split of its task."""
    evaluator = Evaluator(population, recipe.task, recipe.task_cases, recipe.stream())
    members = [(case.name, seed) for case, seed in recipe.members]
    rows, courses = [], {}
    for split in recipe.task.splits:
        metrics, courses[split] = evaluator.measure(split)
        for metric, values in metrics.items():
            rows += [
                Row(step, case, seed, split, metric, float(value))
                for (case, seed), value in zip(members, values, strict=True)
            ]
    task_cases = {case.name: case.task_case for case in recipe.cases}
    outcome = Outcome(rows, recipe.task.criterion, task_cases)
    groups = ("task", "encoder", "head", "unit")
    summary = {
        "schema": 1,
        "status": "done",
        **{group: recipe.choices[group] for group in groups},
        "seeds": recipe.seeds,
        "cases": [case.name for case in recipe.cases],
        "steps": step,
        "wall_seconds": None,
        # One measurement says nothing of when.
        "results": [r for r in outcome.results() if r["metric"] != "solved_at"],
    }
    longest = max(recipe.task.splits, key=lambda split: recipe.task.splits[split].length)
    course = courses[longest]
    counts = isinstance(recipe.task, SequenceTask) and recipe.task.counts
    drift = [] if course is None else _drift(members, longest, course, counts)
    return Extrapolation(summary, drift, course, recipe.task.length, counts)


def _drift(
    members: list[tuple[str, int]], split: str, course: Course, counts: bool
) -> list[dict[str, Any]]:
    steps = np.arange(1, course.mae.shape[1] + 1)
    drift = []
    for (case, seed), mae, exact in zip(members, course.mae, course.exact, strict=True):
        wrong = np.flatnonzero(exact < 1) if counts else np.array([])
        slope = float(np.polyfit(steps, mae, 1)[0]) if len(steps) > 1 else 0.0
        drift.append(
            {
                "case": case,
                "seed": seed,
                "split": split,
                "drift_per_step": slope if np.isfinite(slope) else None,
                "first_wrong": int(steps[wrong[0]]) if len(wrong) else None,
                "mae": float(mae[-1]) if np.isfinite(mae[-1]) else None,
            }
        )
    return drift
