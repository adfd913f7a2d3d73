"""A composed config made into objects: the task, the model's builders, the members."""

import dataclasses
import inspect
import itertools
import logging
import math
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hydra.utils
import keras
import numpy as np
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from nalu_seq import models
from nalu_seq.cases import cross
from nalu_seq.config import (
    Alternate,
    BadInput,
    Ramp,
    Restart,
    Strategy,
    conf_dir,
    first_line,
    options,
    shipped,
)
from nalu_seq.tasks.base import Task
from nalu_seq.training.memory import PROGRAM, available, needed
from nalu_seq.training.population import Population, check_seeds
from nalu_seq.training.restarts import DRAWS
from nalu_seq.training.step import UNROLLED_STEPS, Trainer, unit_penalties
from nalu_seq.training.strategy import start
from nalu_seq.units import Unit

# What cannot be found or made is told in an error; Hydra would log it as well.
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})
COMPILE = ("graph", "xla")
JUDGES = ("loss", "validation")
PRECISIONS = ("float32", "bfloat16")
EXACT = ("none", "hidden", "hidden_cell")  # they round nothing, or are made of units
# What the builders give to a group's object, so that a config can't.
GIVEN = {
    "task": ("data",),
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
        strategy: where its population trains.
        task: the task.
        seeds: each seed once.
        cases: each case once: the task's own, crossed with those of the config.
        members: each member's case and seed: cases x seeds, case by case; of a shard i/n every nth
            of them, from the ith on.

    Raises:
        BadInput: something in it cannot be used.
    """

    def __init__(self, cfg: DictConfig, choices: dict[str, str]) -> None:
        self.cfg = cfg
        self.choices = choices
        self._check_values()
        self.strategy = start(Strategy(**cfg.strategy))
        try:
            self.seeds = check_seeds(_plain(cfg.seeds))
        except ValueError as error:
            raise BadInput(str(error)) from error
        if len(set(self.seeds)) < len(self.seeds):
            raise BadInput(f"seeds={self.seeds} names a seed twice: each may stand once")
        self.task = self._task()
        self.cases = cross(self.task.cases, _plain(cfg.cases))
        self.members = list(itertools.product(self.cases, self.seeds))
        if cfg.shard is not None:
            self._keep_shard(cfg.shard)
        self._head = _instantiate("head", cfg.head)
        self._check_model()
        self._check_shares()

    @property
    def member_cases(self) -> list[str]:
        """The name of each member's case."""
        return [case.name for case, _ in self.members]

    @property
    def member_seeds(self) -> list[int]:
        """Each member's seed."""
        return [seed for _, seed in self.members]

    @property
    def task_cases(self) -> list[str]:
        """The task's own case of each member: what its samples are drawn by."""
        return [case.task_case for case, _ in self.members]

    def build(self, length: int | None = None, settings: Mapping[str, Any] = NO_SETTINGS) -> Any:
        """One member's model; unrolled for a `length`, for any length without.

        `settings` are those of the member's case: initial values may differ.
        """
        task, (encoder, unit) = self.task, self._layers(settings)
        return models.build(
            encoder,
            self._head,
            unit,
            features=task.features,
            units=task.units,
            sequence=task.sequence,
            length=length,
        )

    def population(self) -> Population:
        """The members, with their initial values."""
        if not any(key.startswith("unit.") for key in self.cfg.cases):
            return Population(self.build, self.member_seeds, strategy=self.strategy)
        builders = {c.name: partial(self.build, settings=c.settings) for c in self.cases}
        by_member = [builders[name] for name in self.member_cases]
        return Population(by_member, self.member_seeds, strategy=self.strategy)

    def stream(self) -> models.StreamModel | None:
        """The model that is fed long sequences in pieces; None for a task without sequences."""
        if not self.task.sequence:
            return None
        encoder, unit = self._layers(NO_SETTINGS)
        return models.build_stream(
            encoder,
            self._head,
            unit,
            features=self.task.features,
            units=self.task.units,
        )

    def trainer(self, population: Population) -> Trainer:
        """The training of a population."""
        with self.strategy.scope():
            return self._trainer(population)

    def _trainer(self, population: Population) -> Trainer:
        train = self.cfg.train
        return Trainer(
            population,
            self.task,
            self._optimizer(),
            cases=self.task_cases,
            model=self.build(self.task.length),
            batch_size=train.batch_size,
            clip_norm=train.clip_norm,
            clip_value=train.clip_value,
            penalty=self._penalties(),
            judge=train.judge,
            restart=Restart(**self.cfg.restart) if self.cfg.restart.history else None,
            alternate=Alternate(**self.cfg.alternate) if self.cfg.alternate.period else None,
            compiled=train.compile == "xla",
            interval=train.eval_every,
        )

    def _keep_shard(self, shard: str) -> None:
        match = re.fullmatch(r"(\d+)/(\d+)", shard)
        index, parts = (int(match[1]), int(match[2])) if match else (0, 0)
        if not index < parts <= len(self.members):
            raise BadInput(
                f"shard must be i/n, i from 0 to n - 1, n at most {len(self.members)}, the number "
                f"of members; not {shard!r}"
            )
        self.members = self.members[index::parts]
        self.seeds = list(dict.fromkeys(seed for _, seed in self.members))
        kept = {case.name for case, _ in self.members}
        self.cases = [case for case in self.cases if case.name in kept]

    def _layers(self, settings: Mapping[str, Any]) -> tuple[Any, Any]:
        """What makes the encoder and what makes the unit."""
        given = {key.partition(".")[2]: v for key, v in settings.items() if key.startswith("unit.")}
        with open_dict(self.cfg.unit):  # a key that the unit does not have is refused below
            node: Any = OmegaConf.merge(self.cfg.unit, given) if given else self.cfg.unit
        unit = _instantiate("unit", node)
        node = self.cfg.encoder
        if not isinstance(node, DictConfig) or "unit" not in node:
            encoder = _instantiate("encoder", node)
            mixed = self.cfg.train.precision == "bfloat16"
            return models.encoders.in_bfloat16(encoder) if mixed else encoder, unit
        # A hidden layer of units: of another one by its option's name, or of the same.
        named, inner = node.unit, unit
        if named is not None:
            if named not in options("unit"):
                valid = ", ".join(options("unit"))
                raise BadInput(f"encoder.unit={named}: no such option; valid: {valid}")
            inner = _instantiate("unit", shipped("unit", named))
        node = OmegaConf.masked_copy(node, [str(key) for key in node if key != "unit"])
        return partial(_instantiate("encoder", node), unit=inner), unit

    def _task(self) -> Task:
        """The task, with its pictures if it is one that needs some."""
        made, option = _instantiate("task", self.cfg.task), self.choices.get("task")
        if not isinstance(made, partial):
            if self.cfg.data is not None:
                raise BadInput(f"data: task={option} takes none")
            return made
        if self.cfg.data is None:
            raise BadInput(f"task={option} needs data; valid: {', '.join(options('data'))}")
        try:
            return made(data=_instantiate("data", self.cfg.data))
        except ValueError as error:
            raise BadInput(f"task: {first_line(error)}") from error

    def _varying(self, key: str, default: Any) -> Any:
        """A setting's value, or one for each member where the cases differ in it."""
        if key not in self.cfg.cases:
            return default
        return [case.settings[key] for case, _ in self.members]

    def _optimizer(self) -> keras.optimizers.Optimizer:
        make = _instantiate("optimizer", self.cfg.optimizer)
        given = {
            key.partition(".")[2]: self._varying(key, None)
            for key in self.cfg.cases
            if key.startswith("optimizer.")
        }
        try:
            return make(steps=self.cfg.train.steps, **given)
        except (TypeError, ValueError) as error:
            raise BadInput(first_line(error)) from error

    def _penalties(self) -> dict[str, Ramp]:
        ramps = {}
        valid = [field.name for field in dataclasses.fields(Ramp)]
        for name, node in self.cfg.penalty.items():
            if unknown := [str(field) for field in node if field not in valid]:
                raise BadInput(
                    f"penalty.{name}.{unknown[0]}: no such key; valid: {', '.join(valid)}"
                )
            fields = {
                field: _per_member(self._varying(f"penalty.{name}.{field}", value))
                for field, value in node.items()
            }
            ramps[name] = ramp = Ramp(**fields)
            if np.any(ramp.every < 1) or np.any(ramp.growth <= 0):
                raise BadInput(f"penalty.{name}: every must be at least 1, and growth above 0")
            if np.any(ramp.start < 0) or np.any(ramp.end < 0):
                raise BadInput(f"penalty.{name}: start and end must not be negative")
        return {name: ramp for name, ramp in ramps.items() if np.any(ramp.weight)}

    def _check_values(self) -> None:
        train = self.cfg.train
        for key in ("steps", "batch_size", "eval_every"):
            if train[key] < 1:
                raise BadInput(f"train.{key} must be a positive integer, not {train[key]}")
        for key in ("clip_norm", "clip_value"):
            if train[key] is not None and not 0 < train[key] < math.inf:
                raise BadInput(f"train.{key} must be positive or null, not {train[key]}")
        if self.cfg.resume is not None:
            raise BadInput("resume goes on with a run and stands alone: resume=RUN")
        if train.compile not in COMPILE:
            raise BadInput(f"train.compile must be graph or xla, not {train.compile!r}")
        if train.judge not in JUDGES:
            raise BadInput(f"train.judge must be loss or validation, not {train.judge!r}")
        if train.precision not in PRECISIONS:
            raise BadInput(f"train.precision must be float32 or bfloat16, not {train.precision!r}")
        if train.precision != "float32" and (encoder := self.choices.get("encoder")) in EXACT:
            raise BadInput(
                f"train.precision={train.precision} is the encoder's, and encoder={encoder} has no "
                "products of its own: it may be float32 only"
            )
        restart = self.cfg.restart
        if restart.draw not in DRAWS:
            raise BadInput(f"restart.draw must be initial or uniform, not {restart.draw!r}")
        if min(restart.history, restart.every - 1, restart.window - 1) < 0 or restart.reach <= 0:
            raise BadInput(
                "restart: history must not be negative, every and window at least 1, reach above 0"
            )
        alternate = self.cfg.alternate
        if not 0 <= alternate.gates <= alternate.period:
            raise BadInput("alternate.gates must be from 0 to alternate.period")
        if alternate.period and self.choices.get("optimizer") != "rmsprop":
            raise BadInput("alternate needs optimizer=rmsprop, the one that can leave weights out")
        for key in self.cfg.cases:
            group, _, rest = str(key).partition(".")
            if group == "penalty" and rest.partition(".")[0] not in self.cfg.penalty:
                valid = ", ".join(map(str, self.cfg.penalty))
                raise BadInput(f"cases: {key}: no such penalty; valid: {valid}")
        check_row(self.choices.get("protocol"), self.choices.get("unit"))

    def _check_model(self) -> None:
        try:
            for case in self.cases:
                model = self.build(settings=case.settings)
                if not any(key.startswith("unit.") for key in case.settings):
                    break
            self.stream()
        except Exception as error:  # whatever Keras or TensorFlow make of odd arguments
            raise BadInput(first_line(error)) from error
        self._optimizer()
        means = {
            layer: np.zeros(layer.features, np.float32)
            for layer in model._flatten_layers()
            if isinstance(layer, Unit)
        }
        self._check_memory(model)
        known = unit_penalties(model, means)
        for name in self._penalties():
            if name not in known:
                have = ", ".join(known) or "none"
                raise BadInput(
                    f"penalty.{name}: unit={self.choices.get('unit')} has no such penalty; "
                    f"it has: {have}"
                )

    def _check_memory(self, model: keras.Model) -> None:
        train, members = self.cfg.train, len(self.members)
        steps = UNROLLED_STEPS if train.compile == "xla" else 1
        sized = self.build(self.task.length) if self.task.length else model
        need, free = needed(sized, members, train.batch_size, steps), available()
        if free is not None and need > free:
            # Per member, the program's own share aside: how many would fit.
            fit = members * max(free - PROGRAM, 0) // (need - PROGRAM)
            raise BadInput(
                f"{members} members need about {need / 2**30:.0f} GiB of memory, and "
                f"{free / 2**30:.0f} are free: take at most {fit} members at once"
            )

    def _check_shares(self) -> None:
        """Whether replicas can share a batch, and come to what one alone would."""
        replicas, size = self.strategy.num_replicas_in_sync, self.cfg.train.batch_size
        if replicas == 1:
            return
        advice = "train on strategy=one_device, or on members' own devices by strategy=members"
        if size % replicas:
            raise BadInput(
                f"train.batch_size={size} can't be split among {replicas} replicas: "
                f"give a multiple of {replicas}, such as {-(-size // replicas) * replicas}"
            )
        if "r_z" in self._penalties():
            raise BadInput(f"penalty.r_z looks at a whole batch, replicas at parts of it: {advice}")
        for layer in self.build()._flatten_layers():
            if getattr(layer, "whole_batch", False):
                raise BadInput(
                    f"unit={self.choices.get('unit')} looks at a whole batch, replicas at parts "
                    f"of it: {advice}, or set unit.high"
                )


def check_row(protocol: str | None, unit: str | None) -> None:
    """A published protocol says its settings for each of its units, and for no others.

    Raises:
        BadInput: the unit is another one.
    """
    if protocol in (None, "None", "null"):
        return
    valid = sorted(path.stem for path in (conf_dir() / "rows" / protocol).glob("*.yaml"))
    if unit not in valid:
        raise BadInput(
            f"protocol={protocol} says nothing of unit={unit}; valid: {', '.join(valid)}"
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


def _instantiate(group: str, node: DictConfig) -> Any:
    """The object that a group's node describes."""
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str):
        raise BadInput(f"{group}={node!r} is no option; valid: {', '.join(options(group))}")
    try:
        given, arguments = GIVEN.get(group, ()), _arguments(hydra.utils.get_object(target))
        known = [k for k in arguments if k not in given]
        for key in map(str, node):
            if key not in ("_target_", "_partial_", *known):
                raise BadInput(f"{group}.{key}: no such key; valid: {', '.join(known)}")
        completed = "data" in arguments if group == "task" else group != "data"
        if bool(node.get("_partial_")) != completed:
            raise BadInput(f"{group}._partial_ can't change")
        return hydra.utils.instantiate(node, _convert_="all")
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


def _per_member(value: Any) -> Any:
    """A number, or numbers of all members as `[M]`."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise BadInput(f"cases: a penalty's values must be numbers, not {value!r}")
    return np.asarray(value, np.float32)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
