"""Run directories: read as data, whoever wrote them."""

import json
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import AliasToken, YAMLError

from nalu_seq.config.options import options, shipped
from nalu_seq.config.schema import Config
from nalu_seq.errors import BadInput, first_line

RESUMABLE = (
    "train.steps",
    "task.reference",
    "strategy",
    "strategy.devices",
    "strategy.wait",
)  # what may change when a run goes on
LAUNCHER = ("hydra/launcher=", "hydra.launcher.")  # how a sweep's jobs are run
GROUPS = ("task", "encoder", "head", "unit", "optimizer")
ADVICE = "if you wrote this run with units of your own, say --trust"
# What reading a file of another kind may raise.
WRONG = (AttributeError, RecursionError, TypeError, ValueError)


def read_run(directory: Path, trust: bool = False) -> tuple[DictConfig, dict[str, str]]:
    """A run's recorded config and the options that were chosen.

    Unless `trust`ed, a run may only name what is shipped: each group's option is looked up in the
    installed `conf/`, its `_target_` must be the shipped one, and its arguments must be plain
    numbers, strings, booleans and lists, or what the shipped option says.

    Raises:
        BadInput: the directory is no run, or asks for something that is not shipped.
    """
    try:
        recorded = _load(directory, "config.yaml")
        name = OmegaConf.select(recorded, "strategy")
        if isinstance(name, str):  # as runs were before strategies had options
            OmegaConf.update(recorded, "strategy", {"name": name})
        cfg = OmegaConf.merge(OmegaConf.structured(Config), recorded)
        plain = OmegaConf.to_container(cfg, resolve=False)
        hydra: Any = OmegaConf.to_container(_load(directory, "hydra.yaml"), resolve=False)
        choices = hydra["hydra"]["runtime"]["choices"]
        chosen = {group: str(choices[group]) for group in GROUPS}
        if choices.get("experiment") is not None:
            chosen["experiment"] = str(choices["experiment"])
    except (OSError, YAMLError, OmegaConfBaseException, LookupError, *WRONG) as error:
        reason = first_line(error)
        raise BadInput(f"{directory}: its recorded config can't be read: {reason}") from error
    assert isinstance(cfg, DictConfig) and isinstance(plain, dict)
    groups = [*GROUPS, "data"] if plain.get("data") is not None else [*GROUPS]
    chosen |= {group: str(choices.get(group)) for group in groups}
    if not trust:
        for group in groups:
            _check_group(directory, group, chosen[group], plain[group])
        for key, values in plain["cases"].items():
            if not _is_plain(values):
                raise BadInput(f"{directory}: cases: {key} is not a list of plain values; {ADVICE}")
        _check_no_interpolation(directory, [plain, chosen])
    return cfg, chosen


def _load(directory: Path, name: str) -> Any:
    path = directory / ".hydra" / name
    if not path.is_file():
        raise BadInput(f"{directory} is no run: it has no .hydra/{name}")
    text = path.read_text(encoding="utf-8")
    # A few lines of aliases can stand for more than fits into memory; Hydra writes none.
    if any(isinstance(token, AliasToken) for token in yaml.scan(text)):
        raise BadInput(f"{path} holds a YAML alias, which no run has")
    return OmegaConf.create(text)


def read_sweep(directory: Path, trust: bool = False) -> list[str]:
    """The command of a sweep, as it recorded it.

    Unless `trust`ed, it may only say what a sweep goes through and how its jobs are launched.

    Raises:
        BadInput: the directory is no sweep, or asks for more.
    """
    path = directory / "multirun.yaml"
    if not path.is_file():
        raise BadInput(f"{directory} is no sweep: it has no multirun.yaml")
    try:
        overrides = OmegaConf.load(path).hydra.overrides
        hydra, task = ([str(override) for override in overrides[k]] for k in ("hydra", "task"))
    except (OSError, YAMLError, OmegaConfBaseException, LookupError, *WRONG) as error:
        raise BadInput(f"{path} can't be read: {first_line(error)}") from error
    for override in [*hydra, *task]:
        ours = override in task or override.startswith((*LAUNCHER, "hydra.mode", "hydra.sweep"))
        if not trust and (not ours or "_target_" in override or "${" in override):
            raise BadInput(
                f"{path} asks for {override!r}, which says more than what a sweep goes through; "
                "if you wrote it, say --trust"
            )
    return [*hydra, *task]


def state(directory: Path) -> str:
    """Whether a run is "done", has a checkpoint ("saved"), has none ("begun"), or is "new"."""
    try:
        if json.loads((directory / "summary.json").read_text())["status"] == "done":
            return "done"
    except (OSError, *WRONG, KeyError):
        pass
    parts = any(directory.glob("parts/*/.hydra/config.yaml"))
    if parts or any((directory / "checkpoints").glob("[0-9]*")):
        return "saved"
    return "begun" if (directory / "metrics.csv").exists() else "new"


def check_plain_files(directory: Path) -> None:
    """Make sure that what is written into a run stays in it, and that no file keeps us waiting.

    Raises:
        BadInput: there is a symbolic link in it, or something that is no file.
    """
    for path in directory.rglob("*"):
        if path.is_symlink():
            raise BadInput(f"{path} is a link: a run from elsewhere is not written through one")
        if not path.is_file() and not path.is_dir():
            raise BadInput(f"{path} is neither a file nor a folder: no run has such a thing")


def _check_group(directory: Path, group: str, option: str, node: Any) -> None:
    if option not in options(group):
        raise BadInput(f"{directory}: {group}={option} is no shipped option; {ADVICE}")
    ours = OmegaConf.to_container(shipped(group, option))
    assert isinstance(ours, dict)
    if not isinstance(node, dict):
        raise BadInput(f"{directory}: {group} is recorded as {node!r}, not as an option")
    if node.get("_target_") != ours["_target_"]:
        raise BadInput(
            f"{directory}: {group}={option} asks for {node.get('_target_')!r}, "
            f"but the shipped one is {ours['_target_']}; {ADVICE}"
        )
    for key, value in node.items():
        if not _is_plain(value) and value != ours.get(key):
            raise BadInput(f"{directory}: {group}.{key} is not a plain value; {ADVICE}")


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str)


def _check_no_interpolation(directory: Path, value: Any) -> None:
    if isinstance(value, str) and "${" in value:
        raise BadInput(f"{directory}: its config holds an interpolation, {value!r}")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for v in value:
            _check_no_interpolation(directory, v)
