"""The place of `conf/`, and the options of its groups."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).parents[1]


def conf_dir() -> Path:
    """`conf/` inside the package (a wheel), else beside it (a checkout, an editable install)."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a config group, by name.

    Args:
        group: the group's folder in `conf/`, such as `unit`.
    """
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def shipped_config(group: str, option: str) -> DictConfig:
    """The config that an option of the installed `conf/` gives to its own group.

    Args:
        group: a config group, such as `task`.
        option: one of its options, such as `count`.

    Returns:
        The node with `_target_` and its arguments; a task's file also sets other groups, which are
        left out.
    """
    node = OmegaConf.load(conf_dir() / group / f"{option}.yaml")
    assert isinstance(node, DictConfig)
    return node if "_target_" in node else node[group]


def setter(choices: Mapping[str, str], key: str) -> tuple[str, list[str]] | None:
    """The choice of another group whose file sets a key, and the options that the file suits.

    Args:
        choices: the option that was chosen in each group, by the group's name.
        key: the key, such as `encoder.unit`.

    Returns:
        The choice as a user types it, such as `protocol=madsen with unit=nmu`, and those options of
        the key's group that have all the keys which its file sets there; None where no file does.
    """
    group = key.partition(".")[0]
    for other, option in choices.items():
        path = conf_dir() / other / f"{option}.yaml"
        if other == group or not path.is_file():
            continue
        content: Any = OmegaConf.load(path)
        if OmegaConf.select(content, key) is None:
            continue
        pair = re.fullmatch(r"([a-z]+)_([a-z]+)s", other)  # such as protocol_units, madsen/nmu
        first, _, second = option.partition("/")
        typed = f"{pair[1]}={first} with {pair[2]}={second}" if pair else f"{other}={option}"
        keys = {*content[group]}
        return typed, [name for name in options(group) if keys <= {*shipped_config(group, name)}]
    return None
