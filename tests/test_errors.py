"""Whatever ends a command is told in one printable line, wherever it is printed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nalu_seq.errors import Arguments, BadInput, command, first_line, one_line
from tests.commands import command as shell

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "text",
    ["a\nb\tc", "\x1b]0;title\x07\x1b[31m", "x" * 10**6, "é" * 400, "\udcff\u202e\0", "a " * 500],
)
def test_a_line_is_printable_and_bounded(text: str) -> None:
    line = one_line(text)
    assert line.isprintable() and 0 < len(line) <= 300


def test_the_reason_of_an_error_in_a_layer_is_its_first_line() -> None:
    text = "Exception encountered when calling Dense.call().\n\n\x1b[1mtoo large\x1b[0m\n\nArgs"
    assert first_line(ValueError(text)) == "too large"
    assert first_line(ValueError("a\nb")) == "a" and first_line(ValueError()) == "ValueError()"


def test_of_a_long_line_both_ends_are_left() -> None:
    line = one_line(f"train.steps: {'x' * 5000}: give a larger one")
    assert line.startswith("train.steps: xxx") and line.endswith("xxx: give a larger one")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("units\nwrong"), 2, "nalu_seq: units wrong"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (MemoryError(), 1, "there is not enough memory"),
        (RecursionError(), 2, "nested too deeply"),
        (KeyboardInterrupt(), 128 + signal.SIGINT, "nalu_seq: interrupted"),
    ],
)
def test_each_end_has_its_code(error: BaseException, code: int, said: str, capsys) -> None:
    with pytest.raises(SystemExit) as left, command():
        raise error
    err = capsys.readouterr().err
    assert left.value.code == code and said in err and len(err.splitlines()) == 1


def test_a_current_directory_that_is_gone_is_told(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit) as left, command():
        Path("output").absolute()
    assert left.value.code == 2 and "current directory is gone" in capsys.readouterr().err


def test_a_bug_is_no_bad_input() -> None:
    with pytest.raises(ValueError, match="of ours"), command():
        raise ValueError("of ours")


REPORT = shell("results/count_encoders", module="report")


def test_report_in_ascii_prints_ascii() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(REPORT, env=env, cwd=ROOT, capture_output=True)
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout.isascii() and b"lstm" in done.stdout and b"?" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--format", "x", "results"], ["--nope", "results"]])
def test_wrong_arguments_get_one_line(arguments: list[str]) -> None:
    call = shell(*arguments, module="report")
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_a_path_that_looks_like_an_option_is_named(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "--run").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", "--run"])
    with pytest.raises(SystemExit):
        Arguments("report").parse_args()
    assert capsys.readouterr().err.endswith("; write ./--run for that path\n")


def test_a_closed_output_is_told() -> None:
    script = f"exec {sys.executable} -m nalu_seq.report results/count_encoders >&-"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "the standard output is closed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
