"""Replayed runs beside the published ones, row by row."""

import csv
import json
import sys
from pathlib import Path

import pytest

from scripts import compare_rows

HEAD = "nalu,dist,param,seed,op,loss,reinits\n"
CASE = "normal (-3, 3)"


def written(folder: Path, replay: bool = True) -> list[str]:
    """Three members, of which one has another verdict, one another error, one other restarts."""
    members = [
        {"case": CASE, "seed": seed, "restarts": restarts,
         "mse": {"validation": error, "extrapolation": 1e-9}}
        for seed, restarts, error in ((100, 0, 2e-5), (101, 2, 5.01), (102, 9, 70.0))
    ]  # fmt: skip
    config = {"task.replay": replay, "task.operation": "sub"}
    run = {"unit": "inalu", "config": config, "members": members}
    (folder / "0").mkdir()
    (folder / "0" / "summary.json").write_text(json.dumps(run))
    rows = {
        "int": [("100", "9E-6", "0"), ("101", "5.00000E+00", "2"), ("102", "70.01", "8")],
        "ext": [("100", "0", "0"), ("101", "1E-8", "2"), ("102", "3E-9", "8")],
    }
    for name, lines in rows.items():
        published = "".join(
            f'nalui2,normal,"(-3, 3)",{seed},sub,{loss},{restarts}\n'
            for seed, loss, restarts in lines
        )
        other = "nalu__paperv,exponential,0.2,100,sub,1,0\n"
        (folder / f"{name}.csv").write_text(HEAD + published + other)
    return ["compare_rows", str(folder), str(folder / "int.csv"), str(folder / "ext.csv")]


def test_rows_stand_side_by_side_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", written(tmp_path))
    compare_rows.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "- number of restarts: 2 of 3 runs as published",
        "- solved or not: 5 of 6 as published",
        "- errors of 1e-05 and more: 1 of 2 within 0.1%",
    ]
    first, *_ = csv.DictReader((tmp_path / "rows.csv").open())
    assert first == {
        "unit": "inalu", "operation": "sub", "case": CASE, "seed": "100",
        "validation_ours": "2e-05", "validation_theirs": "9e-06", "extrapolation_ours": "1e-09",
        "extrapolation_theirs": "0.0", "restarts_ours": "0", "restarts_theirs": "0",
    }  # fmt: skip


def test_runs_with_draws_of_their_own_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", written(tmp_path, replay=False))
    with pytest.raises(SystemExit, match=r"holds no run with task\.replay=true"):
        compare_rows.main()
