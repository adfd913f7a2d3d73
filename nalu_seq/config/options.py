"""Where `conf/` is, and the options of its groups."""

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).parents[1]


def conf_dir() -> Path:
    """`conf/` inside the package (a wheel), else beside it (a checkout, an editable install)."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a config group, by name."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def shipped(group: str, option: str) -> DictConfig:
    """The config that an option of the installed `conf/` gives to its own group.

    Args:
        group: a config group, such as `task`.
        option: one of its options, such as `count`.

    Returns:
        The node with `_target_` and its arguments; a task's file also sets other groups, which are
        left out.
    """
    loaded = OmegaConf.load(conf_dir() / group / f"{option}.yaml")
    assert isinstance(loaded, DictConfig)
    return loaded if "_target_" in loaded else loaded[group]


def setter(choices: Mapping[str, str], key: str) -> str | None:
    """The choice of another group, such as `protocol=madsen`, whose file sets a dotted key.

    Args:
        choices: the option that was chosen in each group, by the group's name.
        key: the key, such as `encoder.units`.
    """
    for group, option in choices.items():
        path = conf_dir() / group / f"{option}.yaml"
        other = group != key.partition(".")[0] and path.is_file()
        if other and OmegaConf.select(OmegaConf.load(path), key) is not None:
            return f"{group}={option}"
    return None
