"""A run's directory: whether it can be made, and that one process alone works in it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nalu_seq.errors import BadInput
from nalu_seq.records.folder import check_output, discard_rows, locked_directory, release, reserve


def test_checks_that_run_at_once_do_not_meet(tmp_path: Path) -> None:
    refused: list[BadInput] = []

    def check() -> None:
        try:
            for i in range(100):
                check_output(tmp_path / "new" / str(i % 3) / "run")
        except BadInput as error:
            refused.append(error)

    threads = [threading.Thread(target=check) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3 + "y" * 256, "\0"])
def test_names_that_the_file_system_refuses_are_told(name: str, tmp_path: Path) -> None:
    with pytest.raises((BadInput, ValueError)):
        check_output(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def locked_elsewhere(directory: Path) -> bool:
    """Whether another process finds the directory held."""
    script = "import sys, fcntl, os; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX | 4)"
    return bool(
        subprocess.run(
            [sys.executable, "-c", script, str(directory)], capture_output=True
        ).returncode
    )


def test_a_reserved_directory_is_held_until_the_training_ends(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    reserve(directory)
    reserve(directory)
    assert locked_elsewhere(directory)
    with locked_directory(directory):
        assert locked_elsewhere(directory)
        with (
            pytest.raises(BadInput, match="another process is training in it"),
            locked_directory(directory),
        ):
            pass
    assert not locked_elsewhere(directory)
    reserve(directory)
    release(directory)
    assert not locked_elsewhere(directory)


def test_a_training_starts_anew_only_where_nothing_is_saved(tmp_path: Path) -> None:
    record = tmp_path / "metrics.csv"
    record.write_text("rows")
    discard_rows(tmp_path)
    assert not record.exists()
    record.write_text("rows")
    (tmp_path / "checkpoints" / "10").mkdir(parents=True)
    with pytest.raises(BadInput, match="holds a run: go on with it by resume="):
        discard_rows(tmp_path)
    assert os.listdir(tmp_path / "checkpoints") == ["10"] and record.read_text() == "rows"
