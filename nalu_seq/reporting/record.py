"""metrics.csv, the record of a run: one row a measurement of a member."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nalu_seq.files import replace
from nalu_seq.training.loop import Measurement

COLUMNS = ("step", "case", "seed", "split", "metric", "value")


class Row(NamedTuple):
    """One row of metrics.csv."""

    step: int
    case: str
    seed: int
    split: str
    metric: str
    value: float


class Record:
    """Appends measurements to metrics.csv; a hook of the loop.

    Each step's rows are written in one piece and synced before the checkpoint of that step.

    Args:
        path: the file; made with its header if missing.
        cases: each member's case, by name.
        seeds: each member's seed.
    """

    def __init__(self, path: Path, cases: Sequence[str], seeds: Sequence[int]) -> None:
        self.path = path
        self._members = list(zip(cases, seeds, strict=True))
        if not path.exists():
            replace(path, ",".join(COLUMNS) + "\n")

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Append the rows of a step."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for split, metric, values in measurements:
            for (case, seed), value in zip(self._members, values, strict=True):
                # Nine digits give a float32 back exactly.
                writer.writerow((step, case, seed, split, metric, f"{value:.9g}"))
        with self.path.open("a") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())

    def has(self, step: int) -> bool:
        """Whether there are rows of a step."""
        return any(row.step == step for row in read_record(self.path))

    def cut_after(self, step: int) -> None:
        """Drop the rows after `step`, which a resumed training makes again, and a torn last one."""
        lines = self.path.read_text().splitlines(keepends=True)
        kept = [lines[0]] if lines else [",".join(COLUMNS) + "\n"]
        for line in lines[1:]:
            number = line.partition(",")[0]
            if line.endswith("\n") and number.isdecimal() and int(number) <= step:
                kept.append(line)
        replace(self.path, "".join(kept))


def read_record(path: Path) -> list[Row]:
    """The rows of a metrics.csv."""
    with path.open() as file:
        return [
            Row(
                int(r["step"]), r["case"], int(r["seed"]), r["split"], r["metric"],
                float(r["value"]),
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip
