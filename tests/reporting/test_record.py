"""metrics.csv: nothing recorded is lost, nothing is there twice."""

from pathlib import Path

import numpy as np
import pytest

from nalu_seq.reporting.record import Record, Row, read_record
from nalu_seq.training.loop import Measurement


def recorded(path: Path, steps: list[int]) -> Record:
    record = Record(path, ["default", "default"], [3, 7])
    for step in steps:
        values = np.array([step + 1 / 3, np.nan], np.float32)
        record(step, [Measurement("train", "loss", values)])
    return record


def test_rows_come_back_exactly(tmp_path: Path) -> None:
    recorded(tmp_path / "metrics.csv", [0, 10])
    text = (tmp_path / "metrics.csv").read_text()
    assert text.startswith(
        "step,case,seed,split,metric,value\n0,default,3,train,loss,0.333333343\n"
    )
    rows = read_record(tmp_path / "metrics.csv")
    assert rows[0] == Row(0, "default", 3, "train", "loss", pytest.approx(1 / 3))
    assert np.float32(rows[2].value) == np.float32(10 + 1 / 3)
    assert np.isnan(rows[3].value)


def test_a_second_record_goes_on_with_the_first(tmp_path: Path) -> None:
    recorded(tmp_path / "metrics.csv", [0])
    recorded(tmp_path / "metrics.csv", [10])
    assert [r.step for r in read_record(tmp_path / "metrics.csv")] == [0, 0, 10, 10]


@pytest.mark.parametrize("torn", ["", "20,defa", "2", "10,default,7,train"])
def test_cutting_drops_later_rows_and_a_torn_one(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "metrics.csv"
    record = recorded(path, [0, 10])
    expected = path.read_text()
    recorded(path, [20])
    with path.open("a") as file:
        file.write(torn)
    record.cut_after(10)
    assert path.read_text() == expected


def test_a_lost_header_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    record = recorded(path, [])
    path.write_text("")
    record.cut_after(10)
    assert path.read_text() == "step,case,seed,split,metric,value\n"
