"""Checkpoints are whole or absent, and the newest sound one is read."""

from pathlib import Path

import pytest
import tensorflow as tf

from nalu_seq.training.checkpoints import Checkpoints, NoCheckpoint


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
    assert checkpoints.restore() == (30, [])
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
    assert checkpoints.restore() == (10, [20])
    assert variable.numpy().tolist() == [10.0, 10.5]
    variable.assign([20.0, 20.5])
    checkpoints.save(20)
    assert checkpoints.restore() == (20, [])


def test_saving_a_step_again_keeps_what_is_newer(tmp_path: Path) -> None:
    # As after an interrupted measurement: the same step, and a mean loss that starts anew.
    variable, checkpoints = saved(tmp_path, 10)
    variable.assign([7.0, 8.0])
    checkpoints.save(10)
    variable.assign([0.0, 0.0])
    assert checkpoints.restore() == (10, [])
    assert variable.numpy().tolist() == [7.0, 8.0]
    assert [p.name for p in tmp_path.iterdir()] == ["10"]


def test_an_unfinished_one_is_no_checkpoint(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path)
    (tmp_path / ".10.partial").mkdir()
    with pytest.raises(NoCheckpoint, match="holds no checkpoint"):
        checkpoints.restore()
    checkpoints.save(10)
    assert checkpoints.restore() == (10, [])


def test_all_damaged_is_said(tmp_path: Path) -> None:
    _, checkpoints = saved(tmp_path, 10, 20)
    for manifest in tmp_path.glob("*/manifest.json"):
        manifest.write_text("{}")
    with pytest.raises(NoCheckpoint, match="every checkpoint"):
        checkpoints.restore()
