"""Small summaries, made by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

# Solved at of each seed, None where it never was.
SolvedAt = Sequence[int | None]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run with members into a folder: `write(name, {case: solved at of each seed})`."""

    def make(
        name: str,
        cases: dict[str, SolvedAt],
        task: str = "single_module",
        unit: str = "nau",
        config: dict[str, Any] | None = None,
        splits: Sequence[str] = ("extrapolation",),
        **more: Any,
    ) -> Path:
        members = [
            {
                "case": case, "seed": seed, "selected_step": 9000,
                "mse": {"validation": 1e-9, "extrapolation": 2.0 if at is None else 1e-8},
                "sparsity_error": 0.01 * (seed + 1),
                "solved": dict.fromkeys(splits, at is not None),
                "solved_at": dict.fromkeys(splits, at),
            }
            for case, solved in cases.items()
            for seed, at in enumerate(solved)
        ]  # fmt: skip
        result = {"case": "", "split": "extrapolation", "metric": "mse", "median": 1.0, "min": 1.0,
                  "max": 1.0, "n": 1, "success_rate": None}  # fmt: skip
        summary = {
            "status": "done", "task": task, "encoder": "none", "head": "readout", "unit": unit,
            "seeds": list(range(len(next(iter(cases.values()))))), "steps": 50_000,
            "wall_seconds": 1.0, "experiment": None, "cases": list(cases), "results": [result],
            "config": {"task.operation": "add", **(config or {})}, "members": members, **more,
        }  # fmt: skip
        directory = tmp_path / name
        directory.mkdir(parents=True)
        (directory / "summary.json").write_text(json.dumps(summary))
        return directory

    return make
