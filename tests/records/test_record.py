"""metrics.csv: nothing recorded is lost, nothing is there twice."""

import os
from pathlib import Path

import numpy as np
import pytest

from nalu_seq.errors import BadInput
from nalu_seq.records.members import Members
from nalu_seq.records.observers import Measurement
from nalu_seq.records.record import Record, Row, read_record


def recorded(path: Path, steps: list[int]) -> Record:
    record = Record(path, Members.of_seeds([3, 7]))
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


@pytest.mark.parametrize("torn", ["", "20,defa", "2", "10,default,7,train", "\n\n", "\0"])
def test_it_is_cut_to_a_mark_whatever_came_after(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "metrics.csv"
    record = recorded(path, [0, 10])
    expected, mark = path.read_text(), record.mark()
    recorded(path, [20])
    with path.open("a") as file:
        file.write(torn)
    record = Record(path, Members.of_seeds([3, 7]))
    assert record.holds(mark)
    record.truncate(mark)
    assert path.read_text() == expected and record.mark() == mark


def test_rows_of_a_step_that_were_torn_are_not_half_kept(tmp_path: Path) -> None:
    # A checkpoint of step 10 before its rows: an interrupted measurement leaves one.
    path = tmp_path / "metrics.csv"
    mark = recorded(path, [0]).mark()
    recorded(path, [10])
    with path.open("r+") as file:
        file.truncate(file.seek(0, 2) - len("10,default,7,train,loss,nan\n"))
    record = Record(path, Members.of_seeds([3, 7]))
    assert record.has(10)
    record.truncate(mark)
    assert not record.has(10)


def test_what_was_lost_or_changed_before_a_mark_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    mark = recorded(path, [0, 10]).mark()
    whole = path.read_bytes()
    for damaged in (
        whole[:-1],
        b"",
        whole.replace(b"0.333333343", b"0.333333344"),
        b"\xff" + whole,
    ):
        path.write_bytes(damaged)
        assert not recorded(path, []).holds(mark)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("mark", [None, 3, {}, {"bytes": -1, "sha256": ""}, {"bytes": "1"}])
def test_a_mark_of_another_kind_is_no_mark(tmp_path: Path, mark: object) -> None:
    assert not recorded(tmp_path / "metrics.csv", [0]).holds(mark)


@pytest.mark.parametrize(
    "row", ["x,default,3,train,loss,1", "1,default,3", "", "\0", "1,a,b,c,d,e"]
)
def test_a_row_of_another_kind_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "metrics.csv"
    recorded(path, [0])
    path.write_text(f"{path.read_text()}{row or 'é'}\n")
    with pytest.raises(BadInput, match=r"metrics.csv: line 4 is no row of step,case,seed"):
        read_record(path)


def test_a_record_that_is_cut_or_removed_while_it_is_written_is_written_anew(
    tmp_path: Path, capsys
) -> None:
    path = tmp_path / "metrics.csv"
    record, whole = recorded(path, [0]), recorded(tmp_path / "whole.csv", [0])
    for step, damage in enumerate(
        [
            lambda: path.unlink(),
            lambda: os.truncate(path, 30),
            lambda: path.write_text(""),
            lambda: path.write_bytes(path.read_bytes()[:-9] + b"999999999"),
        ]
    ):
        damage()
        for each in record, whole:
            each(50 + step, [Measurement("train", "mse", np.arange(2.0))])
            each.repair(every_byte=True)
        assert "it is written anew, whole" in capsys.readouterr().err
        assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    tmp_path.joinpath("other").mkdir()
    moved = tmp_path / "run"
    moved.mkdir()
    record = recorded(moved / "metrics.csv", [0])
    moved.rename(tmp_path / "elsewhere")
    for again in False, True:
        if again:
            tmp_path.joinpath("other").rename(moved)
        with pytest.raises(OSError, match="is no longer the folder that was trained in"):
            record.mark()
