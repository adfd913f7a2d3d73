"""The commands as a user calls them: in processes of their own, or in this one."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TINY = ["task.lengths=[10,20]", "encoder.units=4", "seeds=2", "train.batch_size=4"]


def command(*arguments: str, module: str = "train") -> list[str]:
    return [sys.executable, "-m", f"nalu_seq.{module}", *arguments]


def train(directory: Path, *arguments: str) -> Path:
    """Train in a subprocess; the run's directory is what the last line says."""
    done = subprocess.run(
        command(f"output={directory}", *arguments), capture_output=True, text=True, check=True
    )
    return Path(done.stdout.splitlines()[-1].removeprefix("run: "))


def wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def saved(output: Path, pattern: str, step: int = 0) -> bool:
    """Whether a run there has made the checkpoint of `step`, which later ones may have replaced."""
    return any(int(p.name) >= step for p in output.glob(f"{pattern}/checkpoints/[0-9]*"))


def resume(directory: Path, *arguments: str) -> Path:
    done = subprocess.run(
        command(f"resume={directory}", *arguments), capture_output=True, text=True, check=True
    )
    return Path(done.stdout.splitlines()[-1].removeprefix("run: "))


def copy(run: Path, target: Path) -> Path:
    subprocess.run(["cp", "-r", str(run), str(target / "copy")], check=True)
    return target / "copy"


def edited(run: Path, target: Path, find: str, replacement: str, file: str = "config.yaml") -> Path:
    """A copy of a run whose recorded config says something else."""
    directory = copy(run, target)
    path = directory / ".hydra" / file
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, replacement, 1))
    return directory


def in_process(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[int, str, str]:
    """A command in this process: its exit code, its stdout, its stderr."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *arguments])
    code = 0
    try:
        module.main()
    except SystemExit as leave:
        code = int(leave.code or 0)
    return code, *capfd.readouterr()
