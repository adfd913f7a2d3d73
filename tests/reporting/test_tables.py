"""Runs side by side, from their summaries alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from nalu_seq.reporting.tables import compare, find_runs, markdown


def summary(unit: str, status: str = "done", median: float | None = 0.1234) -> dict[str, Any]:
    line = {"case": "default", "split": "length_100", "n": 10, "min": 0.05, "max": 2.0}
    rate = {"success_rate": 0.9, "success_low": 0.6, "success_high": 0.98}
    nothing = dict.fromkeys(rate)
    return {
        "status": status, "task": "count", "encoder": "lstm", "head": "accumulate", "unit": unit,
        "seeds": [3, 4, 5], "steps": 4000, "wall_seconds": 41.3,
        "results": [
            {**line, "metric": "mae", "median": median, **nothing},
            {**line, "metric": "exact", "median": 1.0, **rate},
            {**line, "metric": "solved_at", "median": 500.0, **nothing},
            {**line, "metric": "loss", "split": "train", "median": 1.0, **nothing},
        ],
    }  # fmt: skip


def write(directory: Path, content: dict[str, Any]) -> Path:
    directory.mkdir(parents=True)
    (directory / "summary.json").write_text(json.dumps(content))
    return directory


def test_a_sweep_is_read_whole_and_the_unfinished_are_named(tmp_path: Path) -> None:
    write(tmp_path / "0", summary("nalu"))
    write(tmp_path / "1", summary("nau"))
    write(tmp_path / "2", summary("nac", status="interrupted"))
    jobs = {str(i): [f"unit={u}", f"train.clip_norm={i}"] for i, u in enumerate(["nalu", "nau"])}
    jobs |= {"2": ["unit=nac"], "3": ["unit=nmu"]}
    (tmp_path / "sweep.json").write_text(json.dumps(jobs))
    runs, unfinished = find_runs(tmp_path)
    assert [line.partition(": ")[2] for line in unfinished] == [
        "left out, it is interrupted",
        "left out, it has no summary",
    ]
    assert compare(runs) == [
        ["unit", "train.clip_norm", "length_100", "steps", "seconds"],
        ["nalu", "0", "0.12 [0.05, 2], 9/10 solved", "4000", "41"],
        ["nau", "1", "0.12 [0.05, 2], 9/10 solved", "4000", "41"],
    ]


def test_a_single_run_shows_all_its_parts(tmp_path: Path) -> None:
    runs, _ = find_runs(write(tmp_path / "run", summary("nalu", median=None)))
    text = markdown(compare(runs))
    assert text.splitlines()[0] == (
        "| task | encoder | head | unit | seeds | length_100 | steps | seconds |"
    )
    assert "| count | lstm | accumulate | nalu | 3 to 5 | 9/10 solved | 4000 | 41 |" in text


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a run nor a sweep"):
        find_runs(tmp_path)
