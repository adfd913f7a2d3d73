"""Run directories, read as untrusted data."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nalu_seq.config.options import options, shipped_config
from nalu_seq.config.schema import Config
from nalu_seq.errors import BadInput, first_line, warn
from nalu_seq.records.files import WRONG, Unreadable, leads_outside, read_json, read_yaml

RESUMABLE = (
    "train.steps",
    "train.parts",
    "train.threads",
    "train.compile",
    "profile",
    "task.reference",
    "data.dir",
    "strategy",
    "strategy.devices",
    "strategy.wait",
)  # keys that may change when a run is resumed
# Keys that name a place on the machine where a run was made: their recorded values are not used.
PATHS = ("data.dir", "task.reference", "output")
GROUPS = ("task", "encoder", "head", "unit", "optimizer")
# Keras' own initializers that have arguments: `{class_name: Constant, config: {value: 3}}`.
INITIALIZERS = (
    "Constant", "Identity", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling",
)  # fmt: skip
ADVICE = "if you wrote this run with units of your own, say --trust"


def read_run(
    directory: Path, trust: bool = False, instead: Collection[str] = ()
) -> tuple[DictConfig, dict[str, str]]:
    """A run's recorded config and the options that were chosen.

    Unless `trust`ed, a run may only name what is shipped: each group's option is looked up in the
    installed `conf/`, its `_target_` must be the shipped one, and its arguments must be plain
    numbers, strings, booleans and lists, one of Keras' initializers with such arguments, or those
    of the shipped option. Recorded paths are not used.

    Args:
        directory: the run's directory.
        trust: whether the user trusts the run, so that it may name code of its own.
        instead: keys that the user sets, for which no warning about a recorded path is needed.

    Raises:
        BadInput: the directory is no run, or asks for something that is not shipped.
    """
    try:
        recorded = _load(directory, "config.yaml")
        name = OmegaConf.select(recorded, "strategy")
        if isinstance(name, str):  # a run from before strategies had options
            OmegaConf.update(recorded, "strategy", {"name": name})
        cfg = OmegaConf.merge(OmegaConf.structured(Config), recorded)
        plain = OmegaConf.to_container(cfg, resolve=False)
        hydra: Any = OmegaConf.to_container(_load(directory, "hydra.yaml"), resolve=False)
        choices = hydra["hydra"]["runtime"]["choices"]
        chosen = {group: str(choices[group]) for group in GROUPS}
        if choices.get("experiment") is not None:
            chosen["experiment"] = str(choices["experiment"])
    except (OSError, OmegaConfBaseException, LookupError, *WRONG) as error:
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
        _leave_paths_out(directory, cfg, instead)
    return cfg, chosen


def _leave_paths_out(directory: Path, cfg: DictConfig, instead: Collection[str]) -> None:
    """Remove recorded paths from a config, because they would be opened or written to."""
    for key in PATHS:
        if key != "output" and OmegaConf.select(cfg, key) is not None:
            OmegaConf.update(cfg, key, None)
            if key not in instead:
                warn(
                    f"{directory}: its recorded {key} is ignored: give {key}= yourself, or "
                    "--trust to use it"
                )


def _load(directory: Path, name: str) -> Any:
    if not (directory / ".hydra" / name).is_file():
        raise BadInput(f"{directory} is no run: it has no .hydra/{name}")
    try:
        return read_yaml(directory, f".hydra/{name}")
    except Unreadable as error:
        raise BadInput(f"{directory}: its recorded config can't be read: {name} {error}") from error


def state(directory: Path) -> str:
    """Whether a run is "done", has a checkpoint ("saved"), has none ("begun"), or is "new".

    Args:
        directory: the run's directory, which need not exist.
    """
    try:
        if read_json(directory, "summary.json")["status"] == "done":
            return "done"
    except (OSError, *WRONG, KeyError):
        pass
    parts = any(directory.glob("parts/*/.hydra/config.yaml"))
    if parts or any((directory / "checkpoints").glob("[0-9]*")):
        return "saved"
    return "begun" if (directory / "metrics.csv").exists() else "new"


def check_plain_files(directory: Path) -> None:
    """Check that a run holds only files and folders, so that writing stays inside it.

    Args:
        directory: the directory of a run or a sweep.

    Raises:
        BadInput: the directory holds a symbolic link, or something else that is no file.
    """
    for path in directory.rglob("*"):
        # Submitit leaves links beside its own files, which stay inside the directory.
        own = len(path.relative_to(directory).parts) > 1 and path.is_relative_to(
            directory / ".submitit"
        )
        if path.is_symlink() and not (own and not leads_outside(path, directory)):
            raise BadInput(f"{path} is a link: a run from elsewhere is not written through one")
        if not path.is_file() and not path.is_dir():
            raise BadInput(f"{path} is neither a file nor a folder: no run has such a thing")


def _check_group(directory: Path, group: str, option: str, node: Any) -> None:
    if option not in options(group):
        raise BadInput(f"{directory}: {group}={option} is no shipped option; {ADVICE}")
    ours = OmegaConf.to_container(shipped_config(group, option))
    assert isinstance(ours, dict)
    if not isinstance(node, dict):
        raise BadInput(f"{directory}: {group} is recorded as {node!r}, not as an option")
    if node.get("_target_") != ours["_target_"]:
        raise BadInput(
            f"{directory}: {group}={option} asks for {node.get('_target_')!r}, "
            f"but the shipped one is {ours['_target_']}; {ADVICE}"
        )
    for key, value in node.items():
        if not _is_plain(value) and not _is_initializer(value) and value != ours.get(key):
            raise BadInput(f"{directory}: {group}.{key} is not a plain value; {ADVICE}")


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str)


def _is_initializer(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"class_name", "config"}:
        return False
    arguments = value["config"]
    own = value["class_name"] in INITIALIZERS and isinstance(arguments, dict)
    return own and all(_is_plain(argument) for argument in arguments.values())


def _check_no_interpolation(directory: Path, value: Any) -> None:
    if isinstance(value, str) and "${" in value:
        raise BadInput(f"{directory}: its config holds an interpolation, {value!r}")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for v in value:
            _check_no_interpolation(directory, v)
