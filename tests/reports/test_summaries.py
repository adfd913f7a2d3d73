"""Summaries that others wrote: read as data, and what is none of ours is left out."""

import copy
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nalu_seq.report
from nalu_seq.reports.summaries import find_runs

ODD = [
    None, "x", "", "\x1b[31m", -1, 0, True, 10**30, 1e308, float("inf"), float("nan"),
    [], [None], {}, {"a": 1},
]  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    yield path
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*path, key))


def with_value(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    node = copy.deepcopy(node)
    inner = node
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return node


@pytest.mark.parametrize(
    "output",
    [[], ["--format", "html"], ["--format", "csv"], ["--pairs"], ["--figure", "figure.svg"]],
    ids=" ".join,
)
def test_whatever_stands_in_a_summary_it_is_reported_or_left_out(
    write: Callable[..., Path], output: list[str], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    file = write("run", {"U[1,2]": [1000, None, 3000]}) / "summary.json"
    summary = json.loads(file.read_text())
    draw = random.Random(0)
    everywhere = [path for path in places(summary) if path]
    monkeypatch.chdir(file.parent)
    for _ in range(20 if "--figure" in output else 150):  # a figure takes a tenth of a second
        file.write_text(json.dumps(with_value(summary, draw.choice(everywhere), draw.choice(ODD))))
        monkeypatch.setattr(sys, "argv", ["nalu_seq.report", str(file.parent), *output])
        code = 0
        try:
            nalu_seq.report.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        out, err = capsys.readouterr()
        assert code == 0 or (code == 2 and len(err.splitlines()) == 1), err
        assert "\x1b" not in out + err


@pytest.mark.parametrize(("low", "high"), [(1e9, -1e9), (1e9, None), (None, -1e9)])
def test_a_median_lies_between_the_extremes(
    write: Callable[..., Path], low: float | None, high: float | None
) -> None:
    run = write("run", {"U[1,2]": [1000]})
    summary = json.loads((run / "summary.json").read_text())
    summary["results"][0] |= {"min": low, "median": 0.5, "max": high}
    (run / "summary.json").write_text(json.dumps(summary))
    (_, (line,)) = find_runs(run)
    assert line.endswith("its summary.json has impossible figures")


def test_a_text_that_would_fill_pages_is_refused(write: Callable[..., Path]) -> None:
    run = write("run", {"U[1,2]": [1000]})
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"unit": "x" * 10_001}))
    (_, (line,)) = find_runs(run)
    assert line.endswith("has a text of more than 10000 characters")


@pytest.mark.parametrize(
    "jobs",
    [
        {"../run": []},
        {"/etc": []},
        {"0/../../run": []},
        {"0": {}},
        {"0": [1]},
        ["0"],
        "[" * 5000,
        {str(job): [] for job in range(10_001)},
    ],
    ids=lambda jobs: str(jobs)[:20],
)
def test_a_sweep_names_only_what_is_in_it(write: Callable[..., Path], jobs: Any) -> None:
    sweep = write("run", {"U[1,2]": [1000]}).parent / "sweep"
    sweep.mkdir()
    (sweep / "sweep.json").write_text(jobs if isinstance(jobs, str) else json.dumps(jobs))
    with pytest.raises(ValueError, match=r"sweep.json (is|has|holds|lists) "):
        find_runs(sweep)


def test_a_pipe_keeps_nobody_waiting(write: Callable[..., Path]) -> None:
    run = write("run", {"U[1,2]": [1000]})
    (run / "summary.json").unlink()
    os.mkfifo(run / "summary.json")
    (run / "metrics.csv").touch()
    assert find_runs(run) == ([], [f"{run}: left out, its summary.json is no regular file"])
