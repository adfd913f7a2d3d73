"""Train many seeds: `python -m nalu_seq.train task=count`, or `resume=RUN` to go on with a run."""

import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationValidationError, ValidationError

from nalu_seq.config.environment import check_environment
from nalu_seq.config.options import conf_dir, options
from nalu_seq.config.schema import Config, Strategy, Train, as_dataclass, register
from nalu_seq.errors import BadInput, command, install, refuse
from nalu_seq.records.files import read_json
from nalu_seq.records.folder import check_output
from nalu_seq.records.runs import (
    GROUPS,
    PATHS,
    RESUMABLE,
    check_plain_files,
    read_run,
    state,
)
from nalu_seq.records.sweeps import LAUNCHER, quote, read_sweep

if TYPE_CHECKING:
    from nalu_seq.experiment.experiment import Experiment

# The environment variable that --quiet sets, so that a launcher's processes see it too: a run then
# prints its folder alone.
QUIET = "NALU_SEQ_QUIET"
# Optional groups whose option follows from the options of other groups. Hydra would take a wrong
# name in them for no option at all.
FOLLOW = tuple(
    f"{chooses}_{group}s"
    for chooses in ("task", "protocol")
    for group in ("encoder", "optimizer", "unit")
)
# The extra of this package that installs each launcher's plugin.
EXTRAS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit"}
# The type in OmegaConf's message about a value of a wrong type, and its name for a user.
_WRONG_KIND = re.compile(
    r"Value '(?P<value>.*?)' of type '[^']*' could not be converted to (?P<kind>\w+)"
    r"|Incompatible value 'None' for field of type '\w+'|(?P<null>is not Optional)",
    re.DOTALL,
)
_KINDS = {
    "Integer": "an integer", "int": "an integer", "Float": "a number", "float": "a number",
    "Boolean": "true or false", "bool": "true or false", "String": "a text", "str": "a text",
}  # fmt: skip


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _train_job(cfg: DictConfig) -> float | None:
    """One job: Hydra has composed the config and made its directory.

    Returns:
        The value that a searching sweeper minimises.
    """
    from nalu_seq.distribution.startup import start_tensorflow

    # In a launcher's process TensorFlow has not been started yet.
    start_tensorflow(as_dataclass(Strategy, cfg.strategy), as_dataclass(Train, cfg.train))
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.feasibility import check

    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    if state(directory) == "done":  # in a sweep that goes on
        return _objective(directory)
    try:
        experiment = Experiment(cfg, dict(hydra_config.runtime.choices))
        if hydra_config.mode == RunMode.MULTIRUN:  # the callback has checked a single run
            check(experiment)
    except BadInput:  # of a job of a sweep, which has its folder by now
        if [path.name for path in directory.iterdir()] == [".hydra"]:
            shutil.rmtree(directory)
        raise
    _train(experiment, directory, resume=state(directory) == "saved")
    return _objective(directory)


def _objective(directory: Path) -> float | None:
    """The value that a searching sweeper such as Optuna's minimises: the hardest split's error.

    It is the median over the seeds of the metric that decides, and the mean of that over the cases;
    infinite if the median member diverged, None if nothing is judged.
    """
    results = read_json(directory, "summary.json")["results"]
    judged_rows = [r for r in results if r["success_rate"] is not None]
    last = [r["median"] for r in judged_rows if r["split"] == judged_rows[-1]["split"]]
    return fmean(math.inf if median is None else median for median in last) if last else None


def _resume(arguments: list[str]) -> None:
    """Resume a run with its own config in its own directory; few keys may change."""
    trust = "--trust" in arguments
    # Taken as they stand, not by Hydra's grammar: a path may hold commas and brackets.
    changes = dict(a.partition("=")[::2] for a in arguments if a != "--trust")
    directory = Path(changes.pop("resume"))
    for key in changes:
        if key not in RESUMABLE:
            raise BadInput(
                f"resume keeps the run's own config: {key} can't change, "
                f"only {', '.join(RESUMABLE)} can"
            )
    cfg, choices = read_run(directory, trust, instead=changes)
    if "strategy" in changes:
        cfg.strategy = _strategy(changes.pop("strategy"))
    for key, value in changes.items():
        OmegaConf.update(cfg, key, value)
    if not trust:
        check_plain_files(directory)
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow(as_dataclass(Strategy, cfg.strategy), as_dataclass(Train, cfg.train))
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.feasibility import check

    check_output(directory)
    experiment = Experiment(cfg, choices)
    check(experiment)
    _train(experiment, directory, resume=True)


def _resume_sweep(arguments: list[str]) -> None:
    """Resume a sweep with its own command in its own folder, without jobs that are done."""
    trust = "--trust" in arguments
    flags, rest = _config_dir([a for a in arguments if a != "--trust"])
    resume_arguments = [a for a in rest if a.startswith("sweep.resume=")]
    more = [a for a in rest if a not in resume_arguments]
    directory = Path(resume_arguments[-1].partition("=")[2])
    for argument in more:
        if not argument.startswith(LAUNCHER) and argument.partition("=")[0] not in PATHS:
            raise BadInput(f"sweep.resume keeps the sweep's own command: {argument} can't change")
    if "${" in str(directory.absolute()):
        raise BadInput(f"{directory}: Hydra can't work in a folder with ${{ in its name: rename it")
    overrides = read_sweep(directory, trust, more)
    if not trust:
        check_plain_files(directory)
    # --multirun, since Hydra looks for a recorded hydra.mode in the composed config, and takes a
    # sweep for a single run where composing fails.
    own_folder = f"hydra.sweep.dir={quote(str(directory))}"
    sys.argv[1:] = ["--multirun", *flags, *overrides, *more, own_folder]
    try:
        _train_job()
    except MissingConfigException as error:
        advice = "an option of your own needs its --config-dir again"
        raise BadInput(f"{_explain(error)}; {advice}") from error


def _config_dir(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments of Hydra's `--config-dir`, a folder of a user's own options, and the others."""
    flags: list[str] = []
    rest = iter(arguments)
    others = []
    for argument in rest:
        if argument in ("--config-dir", "-cd"):
            flags += [argument, next(rest, "")]
        elif argument.startswith("--config-dir="):
            flags.append(argument)
        else:
            others.append(argument)
    return flags, others


def _train(experiment: "Experiment", directory: Path, resume: bool = False) -> None:
    """Train in this process, or in several that have a part of the members each."""
    from nalu_seq.experiment.processes import train_members
    from nalu_seq.experiment.session import train

    if experiment.cfg.strategy.name == "members":
        train_members(experiment, directory, resume)
    else:
        train(experiment, directory, resume)


def _strategy(option: str) -> DictConfig:
    """The strategy of that name, as shipped."""
    if option not in options("strategy"):
        raise BadInput(
            f"strategy={option}: no such option; valid: {', '.join(options('strategy'))}"
        )
    node = OmegaConf.load(conf_dir() / "strategy" / f"{option}.yaml")
    return OmegaConf.merge(OmegaConf.structured(Strategy), node)  # type: ignore[return-value]


def _check_flags(arguments: list[str]) -> None:
    """Refuse flags for which Hydra would print its usage, end with a traceback, or unpickle."""
    parser = get_args_parser()
    parser.error = lambda message: refuse(f"{message}; --help says what is valid")  # type: ignore
    if "--version" in arguments:  # Hydra prints it
        return
    flags = parser.parse_args(arguments)
    for override in flags.overrides:
        if not override.partition("=")[0].strip("+~ "):
            raise BadInput(_explain_override(override))
    if flags.experimental_rerun:
        raise BadInput("--experimental-rerun unpickles a file: resume=RUN goes on with a run")
    if flags.resolve and not (flags.cfg or flags.help):
        raise BadInput("--resolve goes with --cfg: --cfg job --resolve shows a config's values")


def _refuse_odd_groups(arguments: list[str]) -> None:
    """Refuse groups and options for which Hydra itself would end with a traceback."""
    groups = {path.name for path in conf_dir().iterdir() if path.is_dir()}
    # Other groups' options are looked up by the choices in these.
    required_groups = (*GROUPS, "strategy", "protocol")
    for argument in arguments:
        group = argument.removeprefix("~").partition("=")[0]
        if argument.startswith("~") and group in required_groups:
            valid = ", ".join(options(group))
            raise BadInput(f"{argument}: {group} can't be removed, only chosen; valid: {valid}")
    group_overrides = [
        a for a in arguments if "=" in a and a.lstrip("+").partition("=")[0] in groups
    ]
    for override in OverridesParser.create().parse_overrides(group_overrides):
        option, group = override.value(), override.key_or_group
        if group in FOLLOW:
            raise BadInput(
                f"{override.input_line}: {group} is set by other options; ~{group} leaves it out"
            )
        if isinstance(option, Glob) and not option.filter(options(group)):
            valid = ", ".join(options(group))
            raise BadInput(f"{override.input_line}: matches no option; valid: {valid}")
        names = option if isinstance(option, list) else [option]
        odd = (bool, int, float, dict, list, type(None))
        if not names or any(isinstance(name, odd) or name == "" for name in names):
            none = "" if group in required_groups else f"; ~{group} for none"
            valid = f"{', '.join(options(group))}{none}"
            raise BadInput(f"{override.input_line}: no such option; valid: {valid}")


def _explain(error: Exception) -> str:
    """A message of one line for an error of Hydra's or OmegaConf's that has several."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and option in EXTRAS:
            return f"this launcher needs a plugin: {install(EXTRAS[option])}"
        valid = ", ".join(error.options or options(group)) or "none"
        return f"{group}={option}: no such option; valid: {valid}"
    for cause in _causes(error):
        key = getattr(cause, "full_key", None) or getattr(cause, "key", None)
        parent = getattr(cause, "parent_node", None)
        if parent is not None and "not in" in str(cause):
            valid = ", ".join(str(k) for k in parent if k != "hydra")
            advice = f"valid here: {valid}" if valid else f"a + before it adds it: +{key}=..."
            group = str(key).partition(".")[0]
            if any(a.startswith(f"{group}=") and "," in a for a in sys.argv[1:]):
                # Hydra composes a sweep once without what is swept.
                advice = f"where {group} is swept, ++{key}=... sets it in every job"
            if str(key).startswith("cases."):
                advice = "cases are added, +cases={" + str(key).removeprefix("cases.") + ": [...]}"
            return f"{key}: no such key; {advice}"
        if str(key).startswith("hydra.") and isinstance(cause, InterpolationValidationError):
            return f"{key} is not known before a job begins: --cfg job --resolve shows the rest"
        wrong = _WRONG_KIND.search(str(cause)) if isinstance(cause, ValidationError) else None
        if wrong and key and not str(key).startswith("hydra."):
            kind = _KINDS.get(wrong["kind"] or _kind_of(str(key)), "of another kind")
            value = wrong["value"] or "null"
            return f"{key} must be {kind}, not {value}{_as_integer(kind, value)}"
    if isinstance(error, OverrideParseException):
        return _explain_override(error.override)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message_lines = (
        line for line in lines if not line.startswith(("object_type", "See https://hydra"))
    )
    return "; ".join(message_lines)


def _explain_override(override: str) -> str:
    """A message for an override that Hydra's grammar can't read."""
    key, equals, value = override.partition("=")
    if not re.fullmatch(r"[+~]*[\w./@-]+", key):
        return f"{override!r} is no override: write key=value, such as train.steps=10"
    if not equals:
        return f"{override}: write {override}=VALUE"
    advice = f"a text with such characters must be quoted, \"{key}='{value}'\""
    return f"{override}: this value can't be read: {advice}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _kind_of(key: str) -> str:
    """The name of the type that a key of the config's value nodes has."""
    kind: Any = Config
    for name in key.split("."):
        field = getattr(kind, "__dataclass_fields__", {}).get(name)
        kind = field.type if field else None
    return getattr(kind, "__name__", "")


def _as_integer(kind: str, value: str) -> str:
    """Advice to write a whole number such as `1e3` as an integer; empty for other values."""
    try:
        whole = kind == _KINDS["int"] and float(value).is_integer()
    except ValueError:
        return ""
    return f": write {int(float(value))}" if whole and abs(float(value)) < 1e15 else ""


def _expand_home(argument: str) -> str:
    """A path with `~` expanded, which a shell does not do in quotes."""
    key, _, value = argument.partition("=")
    path = value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value
    at_home = key in (*PATHS, "hydra.run.dir", "hydra.sweep.dir") and path.startswith("~")
    return f"{key}={quote(os.path.expanduser(path))}" if at_home else argument


def main() -> None:
    """The command.

    Exit codes: 0 done, 1 what the machine refused, such as a full disk, 2 bad input, 128 + signal
    when interrupted after saving.
    """
    # Hydra would print several lines and exit with 1 by itself.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register()
    # Hydra's parser takes -m before or after all overrides, but not among them.
    arguments = sorted(map(_expand_home, sys.argv[1:]), key=lambda a: a not in ("-m", "--multirun"))
    os.environ[QUIET] = "1" if "--quiet" in arguments else ""
    arguments = [argument for argument in arguments if argument != "--quiet"]
    sys.argv[1:] = arguments
    with command(_explain):
        check_environment()
        if any(a.startswith("resume=") and a != "resume=null" for a in arguments):
            _resume(arguments)
        elif any(a.startswith("sweep.resume=") for a in arguments):
            _resume_sweep(arguments)
        else:
            _check_flags(arguments)
            _refuse_odd_groups(arguments)
            _train_job()


if __name__ == "__main__":
    main()
