"""The results of a run in `summary.json`, computed from its record."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nalu_seq.evaluation.intervals import wilson
from nalu_seq.records.members import Members
from nalu_seq.records.record import Row
from nalu_seq.tasks.base import Criterion

Member = tuple[str, int]  # case and seed
NOT_JUDGED = {"success_rate": None, "success_low": None, "success_high": None}


class Outcome:
    """The outcome of each member of a run: its record, judged by the criterion of its task.

    Each member is judged at its selected step: the last one measured, or, where the criterion
    selects by a split, the one with the lowest finite value there, step 0 left out.

    Args:
        rows: the rows of the record, `metrics.csv`.
        criterion: says when a member has solved a split.
        members: the run's members.

    Attributes:
        selected: each member's selected step.
        solved: for each judged split, whether each member has solved it.
        solved_at: for each judged split, the first measured step at which each member had; None for
            one that never had.
    """

    def __init__(self, rows: Iterable[Row], criterion: Criterion, members: Members) -> None:
        self._criterion = criterion
        self._task_cases = {case.name: case.task_case for case in members.cases}
        # (split, metric) -> member -> step -> value
        self._series: dict[tuple[str, str], dict[Member, dict[int, float]]] = {}
        for row in rows:
            series = self._series.setdefault((row.split, row.metric), {})
            series.setdefault((row.case, row.seed), {})[row.step] = row.value
        self.selected = self._select()
        self.solved: dict[str, dict[Member, bool]] = {}
        self.solved_at: dict[str, dict[Member, int | None]] = {}
        for (split, metric), series in self._series.items():
            if metric == criterion.metric and split != "train":
                self._judge(split, series)

    def results(self) -> list[dict[str, Any]]:
        """Statistics over members for each case, split and metric, at the selected steps.

        `success_rate` is the share of members that solved the split, those that diverged counted
        as failures; it is null for a metric or a split that is not judged. The median, mean,
        smallest and largest value are over the finite values. A judged split also has `solved_at`,
        over the `n` members that had solved it at any step.
        """
        results = []
        for (split, metric), members in self._series.items():
            by_case: dict[str, list[Member]] = {}
            for member in members:
                by_case.setdefault(member[0], []).append(member)
            for case, group in by_case.items():
                values = [self._at_selected_step(members[member], member) for member in group]
                line = {"case": case, "split": split, "metric": metric, **_statistics(values)}
                is_criterion = metric == self._criterion.metric and split in self.solved
                if not is_criterion:
                    results.append({**line, **NOT_JUDGED})
                    continue
                solved = sum(self.solved[split][member] for member in group)
                low, high = wilson(solved, len(group))
                rate = solved / len(group)
                results.append(
                    {**line, "success_rate": rate, "success_low": low, "success_high": high}
                )
                at = [self.solved_at[split][member] for member in group]
                statistics = _statistics([step for step in at if step is not None])
                where = {"case": case, "split": split, "metric": "solved_at"}
                results.append({**where, **statistics, **NOT_JUDGED})
        return results

    def members(self) -> list[dict[str, Any]]:
        """The outcome of each member, from which reports compute their intervals."""
        metric = self._criterion.metric
        sparsity = self._series.get(("train", "sparsity_error"), {})
        restarts = self._series.get(("train", "restarts"), {})
        outcomes = []
        for member, step in self.selected.items():
            values = {
                split: _finite(self._at_selected_step(members[member], member))
                for (split, name), members in self._series.items()
                if name == metric and split != "train"
            }
            line = {"case": member[0], "seed": member[1], "selected_step": step, metric: values}
            # Trask et al. report errors as a share of the error before training.
            line["initial"] = {
                split: _finite(members[member].get(0, float("nan")))
                for (split, name), members in self._series.items()
                if name == metric and split != "train"
            }
            if member in sparsity:
                line["sparsity_error"] = _finite(self._at_selected_step(sparsity[member], member))
            if member in restarts:
                line["restarts"] = int(self._at_selected_step(restarts[member], member))
            line["solved"] = {split: solved[member] for split, solved in self.solved.items()}
            line["solved_at"] = {split: at[member] for split, at in self.solved_at.items()}
            outcomes.append(line)
        return outcomes

    def _select(self) -> dict[Member, int]:
        split, metric = self._criterion.selected_by, self._criterion.metric
        selected: dict[Member, int] = {}
        for (where, name), members in self._series.items():
            for member, steps in members.items():
                selected.setdefault(member, max(steps))
                if name != metric or where != split:
                    continue
                finite = {s: v for s, v in steps.items() if s > 0 and np.isfinite(v)}
                if finite:
                    selected[member] = min(finite, key=lambda s: finite[s])
        return selected

    def _at_selected_step(self, steps: Mapping[int, float], member: Member) -> float:
        # The training loss has no row at step 0.
        return steps.get(self.selected[member], float("nan"))

    def _judge(self, split: str, members: Mapping[Member, Mapping[int, float]]) -> None:
        solved, solved_at = {}, {}
        for member, steps in members.items():
            rows = sorted(steps)
            cases = [self._task_cases[member[0]]] * len(rows)
            passes = self._criterion.solved([steps[s] for s in rows], split, cases)
            if passes is None:
                return
            passing_steps = [s for s, ok in zip(rows, passes, strict=True) if ok]
            solved[member] = self.selected[member] in passing_steps
            solved_at[member] = passing_steps[0] if passing_steps else None
        self.solved[split], self.solved_at[split] = solved, solved_at


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
