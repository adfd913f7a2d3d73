"""A composed config made into objects: the task, the model's builders, the members."""

import inspect
import math
import os
from pathlib import Path
from typing import Any

import hydra.utils
import keras
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nalu_seq import models
from nalu_seq.config import BadInput, first_line, options
from nalu_seq.tasks.base import Task
from nalu_seq.training.population import Population, check_seeds
from nalu_seq.training.step import Trainer, unit_penalties

STRATEGIES = ("auto", "one_device")
COMPILE = ("graph", "xla")
# What the builders give to a group's object, so that a config can't.
GIVEN = {
    "encoder": ("unroll", "return_state"),
    "head": ("unit", "unroll", "return_state"),
    "unit": ("units", "name", "dtype", "trainable"),
    "optimizer": ("steps",),
}


class Recipe:
    """What a config asks for, checked and ready to be built.

    Args:
        cfg: the composed config.
        choices: the option that was chosen in each group, by the group's name.

    Attributes:
        task: the task.
        seeds: each seed once.
        cases: each member's case; members are cases x seeds, case by case.
        member_seeds: each member's seed.

    Raises:
        BadInput: something in it cannot be used.
    """

    def __init__(self, cfg: DictConfig, choices: dict[str, str]) -> None:
        self.cfg = cfg
        self.choices = choices
        self._check_values()
        try:
            self.seeds = check_seeds(_plain(cfg.seeds))
        except ValueError as error:
            raise BadInput(str(error)) from error
        if len(set(self.seeds)) < len(self.seeds):
            raise BadInput(f"seeds={self.seeds} names a seed twice: each may stand once")
        self.task: Task = _instantiate("task", cfg.task)
        self.cases = [case for case in self.task.cases for _ in self.seeds]
        self.member_seeds = [seed for _ in self.task.cases for seed in self.seeds]
        self._encoder = _instantiate("encoder", cfg.encoder)
        self._head = _instantiate("head", cfg.head)
        self._unit = _instantiate("unit", cfg.unit)
        self._check_model()

    def build(self, length: int | None = None) -> keras.Model:
        """One member's model; unrolled for a `length`, for any length without."""
        task = self.task
        return models.build(
            self._encoder,
            self._head,
            self._unit,
            features=task.features,
            units=task.units,
            sequence=task.sequence,
            length=length,
        )

    def population(self) -> Population:
        """The members, with their initial values."""
        return Population(self.build, self.member_seeds)

    def stream(self) -> models.StreamModel | None:
        """The model that is fed long sequences in pieces; None for a task without sequences."""
        if not self.task.sequence:
            return None
        return models.build_stream(
            self._encoder,
            self._head,
            self._unit,
            features=self.task.features,
            units=self.task.units,
        )

    def trainer(self, population: Population) -> Trainer:
        """The training of a population."""
        train = self.cfg.train
        return Trainer(
            population,
            self.task,
            _instantiate("optimizer", self.cfg.optimizer)(steps=train.steps),
            cases=self.cases,
            model=self.build(self.task.length),
            batch_size=train.batch_size,
            clip_norm=train.clip_norm,
            penalty={name: r for name, r in self.cfg.penalty.items() if r.weight},
            compiled=train.compile == "xla",
            interval=train.eval_every,
        )

    def _check_values(self) -> None:
        train = self.cfg.train
        for key in ("steps", "batch_size", "eval_every"):
            if train[key] < 1:
                raise BadInput(f"train.{key} must be a positive integer, not {train[key]}")
        if train.clip_norm is not None and not 0 < train.clip_norm < math.inf:
            raise BadInput(f"train.clip_norm must be positive or null, not {train.clip_norm}")
        if self.cfg.resume is not None:
            raise BadInput("resume goes on with a run and stands alone: resume=RUN")
        if train.compile not in COMPILE:
            raise BadInput(f"train.compile must be graph or xla, not {train.compile!r}")
        if self.cfg.strategy not in STRATEGIES:
            raise BadInput(
                f"strategy must be one of {', '.join(STRATEGIES)}, not {self.cfg.strategy!r}"
            )

    def _check_model(self) -> None:
        try:
            model = self.build()
            self.stream()
        except Exception as error:  # whatever Keras or TensorFlow make of odd arguments
            raise BadInput(first_line(error)) from error
        _instantiate("optimizer", self.cfg.optimizer, probe={"steps": self.cfg.train.steps})
        known = unit_penalties(model)
        for name, ramp in self.cfg.penalty.items():
            if ramp.every < 1 or not ramp.growth > 0 or ramp.start < 0 or ramp.end < 0:
                raise BadInput(
                    f"penalty.{name}: every must be at least 1, growth above 0, start and end not "
                    "negative"
                )
            if ramp.weight and name not in known:
                have = ", ".join(known) or "none"
                raise BadInput(
                    f"penalty.{name}: unit={self.choices.get('unit')} has no such penalty; "
                    f"it has: {have}"
                )


def check_output(directory: Path) -> None:
    """Make sure that a directory can be made, leaving none.

    Raises:
        BadInput: it cannot.
    """
    place, missing = directory.absolute(), []
    try:
        while not place.exists():
            missing.append(place)
            place = place.parent
        if not place.is_dir():
            raise BadInput(f"output: {place} is a file, not a directory: give another output=")
        if not os.access(place, os.W_OK | os.X_OK):
            raise BadInput(f"output: {place} can't be written to: give another output=")
        # Some places refuse for reasons of their own: only making it tells. It is removed again.
        directory.mkdir(parents=True, exist_ok=True)
        for made in missing:
            made.rmdir()
    except OSError as error:
        raise BadInput(f"output: {directory}: {error.strerror}: give another output=") from error


def _instantiate(group: str, node: DictConfig, probe: dict[str, Any] | None = None) -> Any:
    """The object that a group's node describes; `probe` tries a partial one on these arguments."""
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if target is None:
        raise BadInput(f"{group}={node!r} is no option; valid: {', '.join(options(group))}")
    try:
        given = GIVEN.get(group, ())
        known = [k for k in _arguments(hydra.utils.get_object(target)) if k not in given]
        for key in map(str, node):
            if key not in ("_target_", "_partial_", *known):
                raise BadInput(f"{group}.{key}: no such key; valid: {', '.join(known)}")
        if bool(node.get("_partial_")) != (group != "task"):
            raise BadInput(f"{group}._partial_ can't change")
        made = hydra.utils.instantiate(node, _convert_="all")
        return made if probe is None else made(**probe)
    except BadInput:
        raise
    except (HydraException, OmegaConfBaseException, ImportError, TypeError, ValueError) as error:
        cause = error.__cause__ if isinstance(error, HydraException) else None
        message = first_line(cause or error)
        raise BadInput(message if message.startswith(group) else f"{group}: {message}") from error


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


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
