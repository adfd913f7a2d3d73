"""How far a trained population extrapolates: its error along the longest split."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nalu_seq.evaluation.measure import Course


@dataclass
class Extrapolation:
    """The results of a population on the splits of its task.

    Attributes:
        summary: as in `summary.json`: the run's parts, steps and `results`.
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
        """The summary and the drift in one dictionary, for JSON and tables."""
        return {**self.summary, "drift": self.drift}


def member_drift(
    members: list[tuple[str, int]], split: str, course: Course, counts: bool
) -> list[dict[str, Any]]:
    """The growth of each member's error along a split, and the step at which it first rounds wrong.

    Args:
        members: the case and the seed of each member.
        split: the name of the split.
        course: the error of each member at each step of the split, `[M, T]`.
        counts: whether targets are whole numbers, so that predictions may be rounded.

    Returns:
        A row for each member, as `Extrapolation.drift` holds them.
    """
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
