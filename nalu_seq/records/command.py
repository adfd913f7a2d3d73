"""The command that made a run, as Hydra recorded it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException
from yaml import YAMLError

WRONG = (AttributeError, RecursionError, TypeError, ValueError)
LONGEST = 120  # characters of a folder's name
ELSEWHERE = ("output=", "data.dir=")  # folders of the machine that it ran on


def recorded_command(directory: Path) -> str | None:
    """The command that repeats a run; None where it left no record of it, or none of ours."""
    overrides = recorded_overrides(directory)
    return None if overrides is None else train_command(overrides)


def recorded_overrides(directory: Path) -> list[str] | None:
    """What the command of a run said; None where there is no record of it, or none of ours."""
    path = directory / ".hydra" / "overrides.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, YAMLError, *WRONG):
        return None
    if not isinstance(read, list) or not all(isinstance(o, str) for o in read):
        return None
    return read if "".join(read).isprintable() else None


def train_command(overrides: Sequence[str]) -> str:
    """`python -m nalu_seq.train` with these overrides, quoted for a shell."""
    kept = [override for override in overrides if not override.startswith(ELSEWHERE)]
    return shlex.join(["python", "-m", "nalu_seq.train", *kept])


def varied(sweep: Path) -> dict[str, list[str]]:
    """The settings in which the jobs of a sweep differ, each with all its values.

    Empty for a folder that is no sweep, whose record is none of ours, or that goes through options
    by a pattern (`unit=glob(n*)`), which says nothing of what they are.
    """
    try:
        read = yaml.safe_load((sweep / "multirun.yaml").read_text(encoding="utf-8"))["hydra"]
        params = [f"{key}={value}" for key, value in (read["sweeper"].get("params") or {}).items()]
        parse = OverridesParser.create().parse_overrides
        overrides = parse([*params, *map(str, read["overrides"]["task"])])
    except (OSError, YAMLError, HydraException, LookupError, *WRONG):
        return {}
    swept = [override for override in overrides if override.is_sweep_override()]
    if any(isinstance(override.value(), Glob) for override in swept):
        return {}
    return {o.key_or_group: [str(value) for value in o.sweep_string_iterator()] for o in swept}


def job_name(overrides: Sequence[str], differing: Sequence[str]) -> str:
    """What tells a job from the others of its sweep: `lstm, nau`, `nau, learning_rate 0.01`."""
    values = dict(override.partition("=")[::2] for override in overrides)
    parts = []
    for key in differing:
        value = values.get(key, "")
        named = re.fullmatch(r"[A-Za-z_]\w*", value) and value not in ("null", "true", "false")
        parts.append(value if named else f"{key.rpartition('.')[2]} {value}")
    return re.sub(r"[^\w .,+=\[\]-]", "_", ", ".join(parts))[:LONGEST]
