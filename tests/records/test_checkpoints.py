"""Checkpoints are whole or absent, and the newest sound one is read."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from nalu_seq.records.checkpoints import Checkpoints, NoCheckpoint


def saved(directory: Path, *steps: int) -> tuple[tf.Variable, Checkpoints]:
    variable = tf.Variable([0.0, 0.0])
    checkpoints = Checkpoints(directory, {"variables": [variable]})
    for step in steps:
        variable.assign([step, step + 0.5])
        checkpoints.save(step)
    return variable, checkpoints


def test_the_newest_is_restored_and_two_are_kept(tmp_path: Path) -> None:
    variable, checkpoints = saved(tmp_path, 10, 20, 30)
    variable.assign([0.0, 0.0])
    assert checkpoints.restore() == (30, {})
    assert variable.numpy().tolist() == [30.0, 30.5]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["20", "30"]


@pytest.mark.parametrize("file", ["state.index", "state.data-00000-of-00001", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, file: str, damage: str) -> None:
    variable, checkpoints = saved(tmp_path, 10, 20)
    path = tmp_path / "20" / file
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        path.unlink()
    assert checkpoints.restore() == (10, {20: "is damaged"})
    assert variable.numpy().tolist() == [10.0, 10.5]
    variable.assign([20.0, 20.5])
    checkpoints.save(20)
    assert checkpoints.restore() == (20, {})


def test_saving_a_step_again_keeps_what_is_newer(tmp_path: Path) -> None:
    # As after an interrupted measurement: the same step, and a mean loss that starts anew.
    variable, checkpoints = saved(tmp_path, 10)
    variable.assign([7.0, 8.0])
    checkpoints.save(10)
    variable.assign([0.0, 0.0])
    assert checkpoints.restore() == (10, {})
    assert variable.numpy().tolist() == [7.0, 8.0]
    assert [p.name for p in tmp_path.iterdir()] == ["10"]


def test_an_unfinished_one_is_no_checkpoint(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path)
    (tmp_path / ".10.partial").mkdir()
    with pytest.raises(NoCheckpoint, match="holds no checkpoint"):
        checkpoints.restore()
    checkpoints.save(10)
    assert checkpoints.restore() == (10, {})


def test_all_damaged_is_said(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path, 10, 20)
    for manifest in tmp_path.glob("*/manifest.json"):
        manifest.write_text("{}")
    with pytest.raises(NoCheckpoint, match="checkpoint 10 is damaged, checkpoint 20 is damaged"):
        checkpoints.restore()


@pytest.mark.parametrize("file", ["state.index", "state.data-00000-of-00001", "notes.json"])
def test_cut_at_any_of_twenty_places_it_is_passed_over(tmp_path: Path, file: str) -> None:
    variable, checkpoints = saved(tmp_path, 10, 20)
    path = tmp_path / "20" / file
    content = path.read_bytes()
    for place in {len(content) * i // 20 for i in range(20)}:
        path.write_bytes(content[:place])
        assert checkpoints.restore() == (10, {20: "is damaged"})
        assert variable.numpy().tolist() == [10.0, 10.5]
    path.write_bytes(content)
    assert checkpoints.restore() == (20, {})


def test_notes_are_read_before_a_checkpoint_is_taken(tmp_path: Path) -> None:
    variable, checkpoints = saved(tmp_path)
    for step in 10, 20:
        variable.assign([step, 0])
        checkpoints.save(step, {"made": step})
    assert checkpoints.notes(20) == {"made": 20}
    taken = checkpoints.restore(lambda notes: "is too new" if notes["made"] > 10 else None)
    assert taken == (10, {20: "is too new"})


class Crash(BaseException):
    """Stands for a kill."""


CALLS = [(os, "fsync"), (Path, "rename"), (Path, "write_text"), (shutil, "rmtree")]


@pytest.mark.parametrize("again", [False, True], ids=["another step", "the same step"])
def test_a_crash_at_any_moment_of_saving_leaves_a_whole_one(
    tmp_path: Path, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in range(100):
        directory = tmp_path / str(moment)
        variable, checkpoints = saved(directory, 20)
        variable.assign([21.0, 21.5])
        left = iter(range(moment))
        with monkeypatch.context() as patch, contextlib.suppress(Crash):
            for owner, name in CALLS:
                patch.setattr(owner, name, crashing(getattr(owner, name), left))
            checkpoints.save(20 if again else 30)
            assert moment > 5
            return  # it was saved before the moment came
        step, passed = checkpoints.restore()
        assert passed == {} and variable.numpy().tolist() in ([20.0, 20.5], [21.0, 21.5])
        variable.assign([7.0, 7.0])
        checkpoints.save(step)
        assert checkpoints.restore() == (step, {}) and variable.numpy().tolist() == [7.0, 7.0]
        assert {p.name for p in directory.iterdir()} <= {"20", "30"}
    pytest.fail("it was never saved")


def crashing(call: Any, left: Iterator[int]) -> Any:
    def instead(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is None:
            raise Crash
        return call(*arguments, **options)

    return instead


def test_what_is_no_plain_file_is_damage(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path, 10, 20, 30)
    os.mkfifo(tmp_path / "30" / "pipe")  # would keep a reader waiting
    (tmp_path / "20" / "folder").mkdir()
    with pytest.raises(NoCheckpoint, match="checkpoint 20 is damaged, checkpoint 30 is damaged"):
        checkpoints.restore()


@pytest.mark.parametrize("name", ["a[1]", "a*?", "a\\b", "{a,b}", "a b", "é", "${x}"])
def test_it_is_read_from_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    variable, checkpoints = saved(tmp_path / name / "checkpoints", 10)
    variable.assign([0.0, 0.0])
    assert checkpoints.restore() == (10, {})
    assert variable.numpy().tolist() == [10.0, 10.5]


def test_one_of_more_or_of_other_variables_does_not_fit(tmp_path: Path) -> None:
    saved(tmp_path / "checkpoints", 10)
    one, two, other = tf.Variable([0.0, 0.0]), tf.Variable(0.0), tf.Variable([0, 0])
    for variables in ([], [one, two], [other], [tf.Variable([[0.0, 0.0]])], [two]):
        with pytest.raises(NoCheckpoint, match="does not fit the run's config"):
            Checkpoints(tmp_path / "checkpoints", {"variables": variables}).restore()


def test_larger_files_than_what_is_trained_are_not_read(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path / "checkpoints", 10, 20)
    with (tmp_path / "checkpoints" / "20" / "state.data-00000-of-00001").open("r+b") as file:
        file.truncate(200 * 2**30)
    assert checkpoints.restore() == (10, {20: "is damaged"})
