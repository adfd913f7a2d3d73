"""Makes the object that a config group's node describes."""

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hydra.utils
import keras
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nalu_seq import units
from nalu_seq.config.options import options, setter
from nalu_seq.errors import BadInput, first_line

# An error says what can't be found or made; Hydra would log the same once more.
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)
NO_CHOICES: Mapping[str, str] = MappingProxyType({})
# Arguments that the code sets when it builds an object, and that no config may set.
SET_BY_CODE = {
    "task": ("data",),
    "encoder": ("numbers", "unroll", "return_state"),
    "head": ("unit", "unroll", "return_state"),
    # Penalties have ramps here; the units' own argument is for Keras' `fit`.
    "unit": ("units", "name", "dtype", "trainable", "sparsity"),
    "optimizer": ("steps",),
}


def instantiate(group: str, node: DictConfig, choices: Mapping[str, str] = NO_CHOICES) -> Any:
    """The object that a group's node describes.

    Args:
        group: the config group.
        node: its option, composed.
        choices: the option that was chosen in each group, as another group's file may have set a
            wrong key.

    Raises:
        BadInput: the node is no option, has keys that the object does not take, or values that the
            object refuses.
    """
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str):
        raise BadInput(f"{group}={node!r} is no option; valid: {', '.join(options(group))}")
    if group == "unit":
        _check_imported(target)
    try:
        factory = hydra.utils.get_object(target)
        set_by_code, arguments = SET_BY_CODE.get(group, ()), _arguments(factory)
        valid_keys = [k for k in arguments if k not in set_by_code]
        for key in map(str, node):
            if key in ("_target_", "_partial_", *valid_keys):
                continue
            if key in set_by_code or not _checks_itself(factory):
                if source := setter(choices, f"{group}.{key}"):
                    override_text, options_with_key = source
                    valid = " or ".join(f"{group}={option}" for option in options_with_key)
                    raise BadInput(
                        f"{override_text} is a setting for {valid}, "
                        f"not for {group}={choices[group]}"
                    )
                valid = ", ".join(valid_keys) or "none"
                raise BadInput(f"{group}.{key}: no such key; valid: {valid}")
        partial = "data" in arguments if group == "task" else group != "data"
        if node.get("_partial_") not in ((True,) if partial else (None, False)):
            raise BadInput(f"{group}._partial_ can't change")
        return hydra.utils.instantiate(node, _convert_="all")
    except BadInput:
        raise
    except (HydraException, OmegaConfBaseException, ImportError, TypeError, ValueError) as error:
        cause = error.__cause__ if isinstance(error, HydraException) else None
        message = first_line(cause or error)
        raise BadInput(message if message.startswith(group) else f"{group}: {message}") from error


def accepts_argument(node: DictConfig, argument: str) -> bool:
    """Whether what a node names takes an argument of that name.

    Args:
        node: a group's option, composed, with its `_target_`.
        argument: the argument's name.
    """
    try:
        return argument in _arguments(hydra.utils.get_object(node["_target_"]))
    except (OmegaConfBaseException, ImportError, TypeError, ValueError):
        return False  # `instantiate` refuses such a node


def _check_imported(target: str) -> None:
    """Refuse a unit of this package that is written but not imported, and say what to add."""
    package, _, name = target.rpartition(".")
    if package != units.__name__ or hasattr(units, name):
        return
    folder = package.replace(".", "/")
    for file in Path(units.__path__[0]).glob("*.py"):
        if f"class {name}(" in file.read_text(encoding="utf-8"):
            line = f"from {package}.{file.stem} import {name} as {name}"
            raise BadInput(f"unit: {target} is not imported: add to {folder}/__init__.py: {line}")


def _arguments(target: Any) -> list[str]:
    """The arguments that a function or class takes, those that `**kwargs` pass on included."""
    names: dict[str, None] = {}
    for owner in inspect.getmro(target) if inspect.isclass(target) else [target]:
        constructor = vars(owner).get("__init__") if inspect.isclass(owner) else owner
        if constructor is None:
            continue
        parameters = inspect.signature(constructor).parameters.values()
        names |= {p.name: None for p in parameters if p.kind is not p.VAR_KEYWORD}
        if owner is keras.layers.Layer or all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return [name for name in names if name != "self"]


def _checks_itself(target: Any) -> bool:
    """Whether a target is a function that takes any argument by name, and checks them itself."""
    if not inspect.isfunction(target):
        return False
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(target).parameters.values())
