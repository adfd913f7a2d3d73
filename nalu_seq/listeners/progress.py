"""The progress of a run that trains: a bar, or plain lines where there is no terminal."""

import time
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nalu_seq.records.members import Members
from nalu_seq.records.observers import Listener, Measurement
from nalu_seq.tasks.base import Criterion


class ProgressBar(Listener):
    """A progress bar with the newest extrapolation; without a terminal a line at each measurement.

    Args:
        console: the console that is written to.
        steps: the step at which training ends.
        step: the step at which it begins; above 0 in a resumed run.
        split: the split that is shown, the hardest one.
        criterion: its metric is shown, and how many members have solved the split.
        members: the run's members.
    """

    def __init__(
        self,
        console: Console,
        steps: int,
        step: int,
        split: str,
        criterion: Criterion,
        members: Members,
    ) -> None:
        self._console, self._members = console, members
        self._split, self._criterion = split, criterion
        self._steps = steps
        self._bar = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
            expand=True,
        )
        self._begin, self._start_time = step, time.perf_counter()
        self._task = self._bar.add_task("tracing", total=steps, completed=step, rate="")

    def open(self) -> None:
        """Show the bar."""
        self._start_time = time.perf_counter()
        self._bar.start()

    def close(self) -> None:
        """Stop the bar, which stays on the screen as it is."""
        self._bar.stop()

    def advance(self, step: int) -> None:
        """Show the current step.

        Args:
            step: the newest step.
        """
        self._bar.update(self._task, completed=step, rate=f"{self._rate(step):,.0f}/s")

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Show the newest measurements."""
        by_metric = {m.metric: m.values for m in measurements if m.split == self._split}
        values = by_metric[self._criterion.metric]
        passes = self._criterion.solved(values, self._split, self._members.task_cases)
        assert passes is not None  # a task's last split is judged
        solved, members = int(np.sum(passes)), len(values)
        error = by_metric.get("relative_error", by_metric.get("mae"))
        error_text = "" if error is None else f"error {short_number(finite_median(error))}, "
        text = f"{self._split}: {error_text}{solved}/{members} solved"
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            rate = self._rate(step)
            pace = f", {rate:,.0f}/s, {(self._steps - step) / rate:.0f} s left" if rate else ""
            self._console.print(
                f"step {step}/{self._steps}{pace}  {text}", highlight=False, soft_wrap=True
            )

    def _rate(self, step: int) -> float:
        """Training steps a second since the bar was opened."""
        return (step - self._begin) / max(time.perf_counter() - self._start_time, 1e-9)


def finite_median(values: np.ndarray) -> float:
    """The median of the finite values; NaN where there is none.

    Args:
        values: numbers of any shape.
    """
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def short_number(value: float) -> str:
    """A number in three digits, such as `0.0123`.

    Args:
        value: any number.
    """
    return f"{value:.3g}"
