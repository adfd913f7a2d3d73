"""summary.json: what a run came to, from its record."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nalu_seq.evaluation.intervals import wilson
from nalu_seq.reporting.record import Row
from nalu_seq.tasks.base import Criterion


def results(rows: Iterable[Row], criterion: Criterion) -> list[dict[str, Any]]:
    """Statistics over members for each case, split and metric, at the last measured step.

    `success_rate` counts members whose criterion holds at that step, those that diverged as
    failures; it is null for a metric without a criterion. The median, mean and ends are over the
    finite values. Where a split has the criterion's metric there is also `solved_at`, the first
    measured step at which a member had solved it, over the `n` members that ever had.
    """
    series: dict[tuple[str, str, str], dict[int, dict[int, float]]] = {}
    for row in rows:
        steps = series.setdefault((row.case, row.split, row.metric), {})
        steps.setdefault(row.step, {})[row.seed] = row.value
    out = []
    for (case, split, metric), steps in series.items():
        last = list(steps[max(steps)].values())
        line = {"case": case, "split": split, "metric": metric, **_statistics(last)}
        if metric != criterion.metric or split == "train":
            out.append({**line, "success_rate": None, "success_low": None, "success_high": None})
            continue
        solved = sum(bool(criterion.solved(value)) for value in last)
        low, high = wilson(solved, len(last))
        rate = {"success_rate": solved / len(last), "success_low": low, "success_high": high}
        out.append({**line, **rate})
        first: dict[int, int] = {}
        for step in sorted(steps):
            for seed, value in steps[step].items():
                if criterion.solved(value):
                    first.setdefault(seed, step)
        line = {"case": case, "split": split, "metric": "solved_at"}
        nothing = {"success_rate": None, "success_low": None, "success_high": None}
        out.append({**line, **_statistics(list(first.values())), **nothing})
    return out


def _statistics(values: Sequence[float]) -> dict[str, float | int | None]:
    finite = np.asarray([v for v in values if np.isfinite(v)], np.float64)
    if not finite.size:
        return {"median": None, "mean": None, "min": None, "max": None, "n": len(values)}
    return {
        "median": float(np.median(finite)),
        "mean": float(np.mean(finite)),
        "min": float(np.min(finite)),
        "max": float(np.max(finite)),
        "n": len(values),
    }
