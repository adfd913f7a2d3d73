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

LONGEST = 120  # the longest name of a job, in characters
ELSEWHERE = ("output=", "data.dir=")  # overrides that name folders of the machine of the run


def recorded_command(directory: Path) -> str | None:
    """The command that repeats a run.

    Args:
        directory: the run's directory.

    Returns:
        The command; None if its record is missing or is not as this package writes it.
    """
    overrides = recorded_overrides(directory)
    return None if overrides is None else train_command(overrides)


def recorded_overrides(directory: Path) -> list[str] | None:
    """The overrides in the command of a run.

    Args:
        directory: the run's directory.

    Returns:
        The overrides; None if their record is missing or is not as this package writes it.
    """
    try:
        overrides = OmegaConf.to_container(
            read_yaml(directory, ".hydra/overrides.yaml"), resolve=False
        )
    except (OSError, Unreadable):
        return None
    if not isinstance(overrides, list) or not all(isinstance(o, str) for o in overrides):
        return None
    # A user may copy the command, which must not contain another person's flags or classes.
    return overrides if all(o.isprintable() and is_setting(o) for o in overrides) else None


def train_command(overrides: Sequence[str]) -> str:
    """The command `python -m nalu_seq.train` with overrides, quoted for a shell.

    Args:
        overrides: overrides such as `task=count`; those that name folders are left out.
    """
    portable = [
        override for override in overrides if not override.lstrip("+").startswith(ELSEWHERE)
    ]
    return shlex.join(["python", "-m", "nalu_seq.train", *portable])


def varying_settings(sweep: Path) -> dict[str, list[str]]:
    """The settings in which the jobs of a sweep differ, each with all its values.

    Args:
        sweep: the sweep's folder.

    Returns:
        The values of each key or group. Empty if the folder is no sweep, if its record is not as
        this package writes it, or if options are chosen by a pattern (`unit=glob(n*)`), whose
        matches are not recorded.
    """
    try:
        whole: Any = OmegaConf.to_container(read_yaml(sweep, "multirun.yaml"), resolve=False)
        hydra = whole["hydra"]
        params = [f"{key}={value}" for key, value in (hydra["sweeper"].get("params") or {}).items()]
        parse = OverridesParser.create().parse_overrides
        overrides = parse([*params, *map(str, hydra["overrides"]["task"])])
    except (OSError, HydraException, LookupError, *WRONG):
        return {}
    swept_overrides = [override for override in overrides if override.is_sweep_override()]
    if any(isinstance(override.value(), Glob) for override in swept_overrides):
        return {}
    return {
        o.key_or_group: [str(value) for value in o.sweep_string_iterator()] for o in swept_overrides
    }


def job_name(overrides: Sequence[str], differing: Sequence[str]) -> str:
    """The name of a job among the others of its sweep: `lstm, nau`, or `nau, learning_rate 0.01`.

    Args:
        overrides: the overrides of the job.
        differing: the keys in which the jobs of the sweep differ.
    """
    values = dict(override.partition("=")[::2] for override in overrides)
    parts = []
    for key in differing:
        value = values.get(key, "")
        is_word = re.fullmatch(r"[A-Za-z_]\w*", value) and value not in ("null", "true", "false")
        parts.append(value if is_word else f"{key.rpartition('.')[2]} {value}")
    return re.sub(r"[^\w .,+=\[\]-]", "_", ", ".join(parts))[:LONGEST]
