"""The command that made a run, as Hydra recorded it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml
from yaml import YAMLError

ELSEWHERE = ("output=", "data.dir=")  # name folders of the machine that the run was made on


def recorded_command(directory: Path) -> str | None:
    """The command that repeats a run; None where the run has no usable record of it."""
    path = directory / ".hydra" / "overrides.yaml"
    try:
        overrides = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(overrides, list) or not all(isinstance(o, str) for o in overrides):
        return None
    command = train_command(overrides)
    return command if command.isprintable() else None


def train_command(overrides: Sequence[str]) -> str:
    """`python -m nalu_seq.train` with these overrides, quoted for a shell."""
    kept = [override for override in overrides if not override.startswith(ELSEWHERE)]
    return shlex.join(["python", "-m", "nalu_seq.train", *kept])
