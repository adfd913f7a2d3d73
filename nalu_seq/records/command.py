"""The command that made a run, as Hydra recorded it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException
from omegaconf import OmegaConf

from nalu_seq.records.files import WRONG, Unreadable, read_yaml
from nalu_seq.records.sweeps import is_setting

LONGEST = 120  # characters of a folder's name
ELSEWHERE = ("output=", "data.dir=")  # folders of the machine that it ran on


def recorded_command(directory: Path) -> str | None:
    """The command that repeats a run; None where it left no record of it, or none of ours."""
    overrides = recorded_overrides(directory)
    return None if overrides is None else train_command(overrides)


def recorded_overrides(directory: Path) -> list[str] | None:
    """What the command of a run said; None where there is no record of it, or none of ours."""
    try:
        read = OmegaConf.to_container(read_yaml(directory, ".hydra/overrides.yaml"), resolve=False)
    except (OSError, Unreadable):
        return None
    if not isinstance(read, list) or not all(isinstance(o, str) for o in read):
        return None
    # A user may copy the command: it shall not bring in somebody else's flags or classes.
    return read if all(o.isprintable() and is_setting(o) for o in read) else None


def train_command(overrides: Sequence[str]) -> str:
    """`python -m nalu_seq.train` with these overrides, quoted for a shell."""
    kept = [override for override in overrides if not override.lstrip("+").startswith(ELSEWHERE)]
    return shlex.join(["python", "-m", "nalu_seq.train", *kept])


def varied(sweep: Path) -> dict[str, list[str]]:
    """The settings in which the jobs of a sweep differ, each with all its values.

    Empty for a folder that is no sweep, whose record is none of ours, or that goes through options
    by a pattern (`unit=glob(n*)`), which says nothing of what they are.
    """
    try:
        whole: Any = OmegaConf.to_container(read_yaml(sweep, "multirun.yaml"), resolve=False)
        read = whole["hydra"]
        params = [f"{key}={value}" for key, value in (read["sweeper"].get("params") or {}).items()]
        parse = OverridesParser.create().parse_overrides
        overrides = parse([*params, *map(str, read["overrides"]["task"])])
    except (OSError, HydraException, LookupError, *WRONG):
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
