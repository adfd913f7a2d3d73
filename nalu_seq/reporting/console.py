"""What a person sees: a progress bar while a run trains, tables when it is done."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nalu_seq.tasks.base import Criterion
from nalu_seq.training.loop import Measurement

# 80 columns hold every table whole.
COMPACT: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False}


class ProgressBar:
    """Steps, steps a second and the current extrapolation; a line a measurement without a terminal.

    Args:
        console: where to.
        steps: where training ends.
        step: where it begins.
        split: the split that is shown, the hardest.
        criterion: its metric is shown, and how many members have solved the split.
        task_cases: each member's case of the task.
    """

    def __init__(
        self,
        console: Console,
        steps: int,
        step: int,
        split: str,
        criterion: Criterion,
        task_cases: Sequence[str],
    ) -> None:
        self._console, self._task_cases = console, task_cases
        self._split, self._criterion = split, criterion
        self._steps = steps
        self._bar = Progress(
            BarColumn(bar_width=8),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._begin = step
        self._task = self._bar.add_task("tracing", total=steps, completed=step, rate="")

    def __enter__(self) -> "ProgressBar":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it as it is."""
        self._bar.stop()

    def advance(self, step: int) -> None:
        """Show the current step."""
        task = self._bar.tasks[self._task]
        rate = (step - self._begin) / task.elapsed if task.elapsed else 0.0
        self._bar.update(self._task, completed=step, rate=f"{rate:.0f}/s")

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Show the newest measurements; a hook of the loop."""
        by_metric = {m.metric: m.values for m in measurements if m.split == self._split}
        values = by_metric[self._criterion.metric]
        passed = self._criterion.solved(values, self._split, self._task_cases)
        assert passed is not None  # a task's last split is judged
        solved, members = int(np.sum(passed)), len(values)
        error = by_metric.get("relative_error", by_metric.get("mae"))
        shown = "" if error is None else f"error {_number(_median(error))}, "
        text = f"{self._split}: {shown}{solved}/{members} solved"
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(f"step {step}/{self._steps}  {text}", highlight=False)


def results_table(summary: dict[str, Any]) -> Table:
    """The closing table: split x metric, over the members; with several cases, what is judged."""
    title = f"{summary['task']}: {summary['encoder']}, {summary['head']}, {summary['unit']}"
    table = Table(title=title, **COMPACT)
    if len(summary["cases"]) > 1:
        return _cases_table(table, summary["results"])
    for name in ("split", "metric"):
        table.add_column(name)
    for name in ("median", "min", "max", "solved"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary["results"]:
        values = (_number(row[k]) for k in ("median", "min", "max"))
        table.add_row(row["split"], row["metric"], *values, _rate(row))
    return table


def _cases_table(table: Table, results: list[dict[str, Any]]) -> Table:
    """A row for each case and judged split: its error, who solved it, and when."""
    judged = [row for row in results if row["success_rate"] is not None]
    several = len({row["split"] for row in judged}) > 1
    columns = ["case", *(["split"] if several else [])]
    for name in columns:
        table.add_column(name, overflow="fold")
    metric = f"{judged[0]['split']} {judged[0]['metric']}" if not several else judged[0]["metric"]
    for name in (metric, "min", "max", "solved", "solved at"):
        table.add_column(name, justify="right", no_wrap=name != metric)
    at = {
        (row["case"], row["split"]): row["median"]
        for row in results
        if row["metric"] == "solved_at"
    }
    for row in judged:
        where = (row["case"], row["split"])
        values = (_number(row[k]) for k in ("median", "min", "max"))
        table.add_row(*where[: len(columns)], *values, _rate(row), _number(at.get(where)))
    return table


def _rate(row: dict[str, Any]) -> str:
    if row["success_rate"] is None:
        return ""
    low, high = row["success_low"], row["success_high"]
    return f"{row['success_rate']:.0%} [{low:.0%}, {high:.0%}]"


def drift_table(drift: list[dict[str, Any]]) -> Table:
    """How each member's error grows along the longest split."""
    table = Table(title=f"along {drift[0]['split']}", **COMPACT)
    table.add_column("case")
    for name in ("seed", "error a step", "error at the end", "rounding fails at"):
        table.add_column(name, justify="right")
    for row in drift:
        wrong = row["first_wrong"]
        table.add_row(
            row["case"],
            str(row["seed"]),
            _number(row["drift_per_step"]),
            _number(row["mae"]),
            "-" if wrong is None else str(wrong),
        )
    return table


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
