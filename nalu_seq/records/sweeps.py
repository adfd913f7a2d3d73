"""The command that a sweep recorded in its folder, read as data."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir, options
from nalu_seq.config.schema import Config
from nalu_seq.errors import BadInput, warn
from nalu_seq.records.files import Unreadable, leads_outside, read_json, read_yaml
from nalu_seq.records.runs import PATHS

LAUNCHER = ("hydra/launcher=", "hydra.launcher.")  # overrides that say how jobs are launched
# Launchers and sweepers that Hydra and its plugins ship, besides those in conf/.
PLUGINS = {
    "hydra/launcher": ("basic", "joblib", "submitit_local", "submitit_slurm"),
    "hydra/sweeper": ("basic", "optuna"),
}
NUMBERS = ("hydra.launcher.", "hydra.sweeper.")  # below these only numbers are taken
SUBDIRS = ("job.num", "job.id", "job.override_dirname")
MOST_JOBS = 10_000  # jobs of a sweep that are read
LONGEST = 20_000  # the longest override that is read, in characters
_NAME = re.compile(r"[\w*?-]+(/[\w*?-]+)*")
_SUBDIR = re.compile(rf"hydra\.sweep\.subdir='?\$\{{hydra[.:]({'|'.join(SUBDIRS)})\}}'?")


def read_sweep(directory: Path, trust: bool = False, instead: Sequence[str] = ()) -> list[str]:
    """The overrides of the command that made a sweep, without the one that names its folder.

    Unless `trust`ed, they may only set keys and groups of the config, and choose a known launcher
    with numbers for its settings. Recorded paths are not used: they belong to the machine on which
    the sweep was run.

    Args:
        directory: the sweep's folder.
        trust: whether the user trusts the sweep, so that it may set anything.
        instead: overrides of the user; recorded ones of the same keys are left out.

    Returns:
        The overrides, Hydra's first.

    Raises:
        BadInput: the directory is no sweep, or one of its overrides is not allowed.
    """
    path = directory / "multirun.yaml"
    hydra, task = _recorded_overrides(directory)
    replaced_keys = {override.partition("=")[0] for override in instead}
    hydra = [o for o in hydra if not o.startswith("hydra.sweep.dir=")]
    all_overrides = [o for o in (*hydra, *task) if o.partition("=")[0] not in replaced_keys]
    return all_overrides if trust else [o for o in all_overrides if _is_used(path, o, o in hydra)]


def check_same_sweep(directory: Path, overrides: Sequence[str]) -> None:
    """Make sure that a folder holds no jobs of another sweep: Hydra would write over their configs.

    Args:
        directory: the folder of a sweep that is about to start.
        overrides: the overrides of its command, in order, without Hydra's own.

    Raises:
        BadInput: the folder holds jobs of a command with other overrides.
    """
    if not (directory / "multirun.yaml").is_file() and not (directory / "sweep.json").is_file():
        return
    _, recorded = _recorded_overrides(directory)
    ours, theirs = ([o for o in each if o.partition("=")[0] not in PATHS]
                    for each in (overrides, recorded))  # fmt: skip
    if ours != theirs:
        raise BadInput(
            f"{directory} holds another sweep, of {' '.join(theirs)[:99]}: give this one another "
            f"folder, or go on with that one by sweep.resume={directory}"
        )


def _recorded_overrides(directory: Path) -> tuple[list[str], list[str]]:
    """Hydra's overrides and the others of the command that made a sweep.

    Raises:
        BadInput: the directory is no sweep that can be gone on with.
    """
    path = directory / "multirun.yaml"
    if not path.is_file() and (directory / "sweep.json").is_file():
        raise BadInput(
            f"{directory} is a sweep that searched, as by Optuna: its settings depend on earlier "
            "results, so that it can't be resumed: begin a new search in another folder"
        )
    if not path.is_file():
        raise BadInput(f"{directory} is no sweep: it has no multirun.yaml")
    try:
        whole: Any = OmegaConf.to_container(read_yaml(directory, "multirun.yaml"), resolve=False)
        recorded = whole["hydra"]["overrides"]
        hydra, task = ([str(override) for override in recorded[key]] for key in ("hydra", "task"))
    except (Unreadable, OSError, LookupError, TypeError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    return hydra, task


def read_jobs(directory: Path) -> dict[str, list[str]]:
    """A sweep's jobs and the overrides of each, from its sweep.json or from the jobs' folders.

    Args:
        directory: the sweep's folder.

    Raises:
        Unreadable: sweep.json can't be read and there are no jobs, there are too many, or one is
            outside the folder.
    """
    try:
        jobs = read_json(directory, "sweep.json")
        if not isinstance(jobs, dict) or not all(map(_are_texts, jobs.values())):
            raise Unreadable("holds no list of jobs as nalu_seq writes it")
    except FileNotFoundError:
        jobs = {}
    except (OSError, Unreadable) as error:
        jobs = {
            str(path.parents[1].relative_to(directory)): _overrides(path.parents[1])
            for path in sorted(directory.glob("*/.hydra/overrides.yaml"))
        }
        if not jobs:
            reason = f"can't be read: {error.strerror}" if isinstance(error, OSError) else error
            raise Unreadable(str(reason)) from error
    if len(jobs) > MOST_JOBS:
        raise Unreadable(f"lists {len(jobs)} jobs, more than {MOST_JOBS}")
    if outside := [job for job in jobs if leads_outside(directory / job, directory)]:
        raise Unreadable(f"has a job outside its folder, {outside[0]}")
    return jobs


def _overrides(job: Path) -> list[str]:
    try:
        recorded: Any = OmegaConf.to_container(
            read_yaml(job, ".hydra/overrides.yaml"), resolve=False
        )
    except (OSError, Unreadable):
        return []
    return recorded if _are_texts(recorded) and all(map(str.isprintable, recorded)) else []


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def quote(text: str) -> str:
    """A text quoted for Hydra, so that none of its characters has a meaning.

    Args:
        text: any text, such as a path.
    """
    literal = re.sub(r"(\\*)\$\{", lambda m: 2 * m[1] + r"\${", text)
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and r"\'"), literal)
    return f"'{escaped}'"


def _is_used(path: Path, override: str, of_hydra: bool) -> bool:
    """Whether a recorded override is used; for a path the answer is no, with a warning.

    Raises:
        BadInput: the override is not allowed in a sweep that is not trusted.
    """
    if of_hydra and _SUBDIR.fullmatch(override):
        return True
    key = override.partition("=")[0]
    advice = f"give {key}= yourself, or " if override.startswith(LAUNCHER) else ""
    refusal = BadInput(
        f"{path} asks for {override[:99]!r}, which is more than a plain setting: "
        f"{advice}give --trust if you wrote it yourself"
    )
    if override.startswith("-") or "${" in override or len(override) > LONGEST:
        raise refusal
    try:
        parsed_override = OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError, ValueError) as error:
        raise refusal from error
    key = parsed_override.key_or_group  # without the + that adds it
    if key in PATHS and not parsed_override.is_sweep_override():  # else there would be other jobs
        if key != "output":
            warn(f"{path}: {key} is ignored: give {key}= yourself, or --trust to use it")
        return False
    if (
        key in PATHS
        or parsed_override.package is not None
        or not (_is_hydra_override if of_hydra else _is_config_override)(parsed_override)
    ):
        raise refusal
    return True


def is_setting(override: str) -> bool:
    """Whether an override sets a key of the config to plain values, or a group to an option.

    Args:
        override: an override of Hydra's grammar, such as `train.steps=10`.
    """
    if override.startswith("-") or "${" in override or len(override) > LONGEST:
        return False
    try:
        parsed_override = OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError, ValueError):
        return False
    return parsed_override.package is None and _is_config_override(parsed_override)


def _is_hydra_override(override: Override) -> bool:
    """Whether an override of Hydra's names a known launcher or sweeper, or sets mode or numbers."""
    key, value = override.key_or_group, override.value()
    if key in PLUGINS:
        return value in (*PLUGINS[key], *options(key))
    if key == "hydra.mode":
        return value in ("RUN", "MULTIRUN")
    hidden = any(part.startswith("_") for part in key.split("."))
    return key.startswith(NUMBERS) and not hidden and isinstance(value, bool | int | float | None)


def _is_config_override(override: Override) -> bool:
    """Whether an override sets a key of the config to plain values, or a group to its options."""
    key, value = override.key_or_group, override.value()
    texts = list(_texts(value))
    hidden = any(text.startswith("_") for text in (*key.split("."), *texts))
    if key in GROUPS:
        return not hidden and not isinstance(value, dict) and all(map(_NAME.fullmatch, texts))
    # A job's folder may be named by its overrides, and must not lead out of the sweep's folder.
    return key.partition(".")[0] in KEYS and not hidden and not any(".." in t for t in texts)


def _texts(value: Any) -> Iterator[str]:
    """All texts in the value of an override, and in the keys of its dicts."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    elif isinstance(value, Glob):
        value = [*value.include, *value.exclude]
    elif isinstance(value, dict):
        value = [*value, *value.values()]
    for part in value if isinstance(value, list) else []:
        yield from _texts(part)
    if isinstance(value, str | QuotedString):
        yield value.text if isinstance(value, QuotedString) else value


# Groups' folders in conf/; Hydra's own is left out.
GROUPS = {p.name for p in conf_dir().iterdir() if p.is_dir() and p.name != "hydra"}
KEYS = {field.name for field in dataclasses.fields(Config)} - {"resume"}
