"""The check of a GPU against the CPU, tried where there is no GPU."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import gpu_check  # noqa: E402
from gpu_check import Result, compare, read  # noqa: E402


def test_the_hardest_judged_split_counts() -> None:
    rows = [
        {"split": "length_10", "success_rate": 1.0, "n": 10},
        {"split": "length_1000", "success_rate": 0.7, "n": 10},
        {"split": "train", "success_rate": None, "n": 10},
    ]
    assert read({"results": rows, "wall_seconds": 2.0}) == Result(7, 10, "length_1000", 2.0)


def test_rates_whose_difference_is_not_zero_differ() -> None:
    cpu = Result(100, 100, "range_9_99", 10.0)
    row, differs = compare("product", Result(90, 100, "range_9_99", 5.0), cpu)
    assert differs
    assert row.startswith(
        "| product | range_9_99 | 90/100 | 100/100 | [-0.17, -0.04] differs | 5 /"
    )
    assert not compare("product", Result(99, 100, "range_9_99", 5.0), cpu)[1]


def test_a_training_that_failed_fails_the_check() -> None:
    assert compare("count", None, Result(10, 10, "length_1000", 1.0))[1]


def test_without_a_gpu_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_check, "names_of_gpus", list)
    monkeypatch.setattr(sys, "argv", ["gpu_check", f"--output={tmp_path}"])
    assert gpu_check.main() == 2
    assert "no GPU was there" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_quick_form_goes_through_on_the_cpu(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "gpu_check.py", "--quick", f"--output={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "cpu" / "README.md").read_text()
    assert "no GPU was there: the CPU stands in its place" in text
    for job in gpu_check.JOBS:
        assert f"| {job} | " in text
    assert "failed" not in text
