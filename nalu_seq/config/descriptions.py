"""Descriptions of options and units, read as text: importing the files would start Keras."""

import ast

from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.options import PACKAGE, conf_dir, options

INDENT = 24  # width of an option's name in `--help`, in characters


def description(group: str, option: str) -> str:
    """The description of an option, in one line.

    It is the first comment in the option's yaml that is neither a directive of Hydra (`@package`)
    nor a command. A yaml without one is described by the first line of the docstring of the class
    or function that its `_target_` names, which is read without importing it.

    Args:
        group: a config group, such as `unit`.
        option: one of the group's options, such as `nmu`.

    Returns:
        The line; empty where neither file has one.

    Example:
        >>> description("unit", "nmu")
        'Products of its inputs, signs included, with weights clamped to [0, 1].'
    """
    file = conf_dir() / group / f"{option}.yaml"
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        comment = line.lstrip("# ")
        if not comment.startswith(("@package", "python -m")):
            return comment
    node = OmegaConf.load(file)
    assert isinstance(node, DictConfig)
    return _docstring(node["_target_"]) if "_target_" in node else ""


def describe_options(group: str) -> str:
    """All options of a config group, one a line: the name and the description.

    Args:
        group: a config group.
    """
    return "\n".join(f"  {o:{INDENT}}{description(group, o)}".rstrip() for o in options(group))


def penalty_names() -> list[str]:
    """The penalties that shipped units and heads declare, and `norm`, of any model.

    Example:
        >>> "sparsity" in penalty_names()
        True
    """
    names: list[str] = []
    folders = (PACKAGE / "units", PACKAGE / "models")
    for file in (file for folder in folders for file in sorted(folder.glob("*.py"))):
        classes = (n for n in ast.parse(file.read_text()).body if isinstance(n, ast.ClassDef))
        for node in (statement for each in classes for statement in each.body):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id="penalty_names")], value=ast.Tuple() as value)
                    | ast.AnnAssign(target=ast.Name(id="penalty_names"), value=ast.Tuple() as value)
                ):
                    names += ast.literal_eval(value)
    return list(dict.fromkeys([*names, "norm"]))


def _docstring(target: str) -> str:
    """The first line of the docstring of a class or function of this package, by its full name."""
    module, _, name = target.rpartition(".")
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for file in sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""
