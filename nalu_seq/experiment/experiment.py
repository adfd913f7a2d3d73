"""A composed config made into objects: the task, the model's builders, the members."""

import dataclasses
import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from omegaconf import DictConfig, OmegaConf, open_dict

from nalu_seq import models
from nalu_seq.config.cases import cross
from nalu_seq.config.options import options, shipped
from nalu_seq.config.schema import Alternate, Ramp, Restart, Strategy
from nalu_seq.config.values import check_values
from nalu_seq.distribution.strategy import start
from nalu_seq.errors import BadInput, first_line
from nalu_seq.experiment.instantiate import instantiate
from nalu_seq.experiment.memory import PROGRAM, available, needed
from nalu_seq.population.population import Population
from nalu_seq.population.stacked import check_seeds
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Task
from nalu_seq.training.step import UNROLLED_STEPS, Trainer, unit_penalties
from nalu_seq.units import Unit

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class Experiment:
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
        check_values(cfg, choices)
        self.strategy = start(Strategy(**cfg.strategy))
        try:
            self.seeds = check_seeds(_plain(cfg.seeds))
        except ValueError as error:
            raise BadInput(str(error)) from error
        if len(set(self.seeds)) < len(self.seeds):
            raise BadInput(f"seeds={self.seeds} names a seed twice: each may stand once")
        self.task = self._task()
        self.cases = cross(self.task.cases, _plain(cfg.cases))
        self.members = Members.product(self.cases, self.seeds)
        if cfg.shard is not None:
            self._keep_shard(cfg.shard)
        self._head = instantiate("head", cfg.head)
        self._check_model()
        self._check_shares()

    def build(self, length: int | None = None, settings: Mapping[str, Any] = NO_SETTINGS) -> Any:
        """One member's model; unrolled for a `length`, for any length without.

        `settings` are those of the member's case: initial values may differ.
        """
        task, (encoder, unit) = self.task, self._layers(settings)
        return models.build(
            encoder,
            self._head,
            unit,
            input_size=task.input_size,
            output_size=task.output_size,
            sequence=task.sequence,
            length=length,
        )

    def population(self) -> Population:
        """The members, with their initial values."""
        if not any(key.startswith("unit.") for key in self.cfg.cases):
            return Population(self.build, self.members.seeds, strategy=self.strategy)
        builders = {c.name: partial(self.build, settings=c.settings) for c in self.cases}
        by_member = [builders[case.name] for case, _ in self.members]
        return Population(by_member, self.members.seeds, strategy=self.strategy)

    def stateful_model(self) -> models.StatefulModel | None:
        """The model that is fed long sequences in pieces; None for a task without sequences."""
        if not self.task.sequence:
            return None
        encoder, unit = self._layers(NO_SETTINGS)
        return models.build_stateful(
            encoder,
            self._head,
            unit,
            input_size=self.task.input_size,
            output_size=self.task.output_size,
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
            members=self.members,
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
        self.members = self.members.part(index, parts)
        self.seeds = list(dict.fromkeys(self.members.seeds))
        self.cases = self.members.cases

    def _layers(self, settings: Mapping[str, Any]) -> tuple[Any, Any]:
        """What makes the encoder and what makes the unit."""
        given = {key.partition(".")[2]: v for key, v in settings.items() if key.startswith("unit.")}
        with open_dict(self.cfg.unit):  # a key that the unit does not have is refused below
            node: Any = OmegaConf.merge(self.cfg.unit, given) if given else self.cfg.unit
        unit = instantiate("unit", node)
        node = self.cfg.encoder
        if not isinstance(node, DictConfig) or "unit" not in node:
            encoder = instantiate("encoder", node)
            mixed = self.cfg.train.precision == "bfloat16"
            return models.encoders.in_bfloat16(encoder) if mixed else encoder, unit
        # A hidden layer of units: of another one by its option's name, or of the same.
        named, inner = node.unit, unit
        if named is not None:
            if named not in options("unit"):
                valid = ", ".join(options("unit"))
                raise BadInput(f"encoder.unit={named}: no such option; valid: {valid}")
            inner = instantiate("unit", shipped("unit", named))
        node = OmegaConf.masked_copy(node, [str(key) for key in node if key != "unit"])
        return partial(instantiate("encoder", node), unit=inner), unit

    def _task(self) -> Task:
        """The task, with its pictures if it is one that needs some."""
        made, option = instantiate("task", self.cfg.task), self.choices.get("task")
        if not isinstance(made, partial):
            if self.cfg.data is not None:
                raise BadInput(f"data: task={option} takes none")
            return made
        if self.cfg.data is None:
            raise BadInput(f"task={option} needs data; valid: {', '.join(options('data'))}")
        try:
            return made(data=instantiate("data", self.cfg.data))
        except ValueError as error:
            raise BadInput(f"task: {first_line(error)}") from error

    def _varying(self, key: str, default: Any) -> Any:
        """A setting's value, or one for each member where the cases differ in it."""
        if key not in self.cfg.cases:
            return default
        return self.members.settings(key)

    def _optimizer(self) -> keras.optimizers.Optimizer:
        make = instantiate("optimizer", self.cfg.optimizer)
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

    def _check_model(self) -> None:
        try:
            for case in self.cases:
                model = self.build(settings=case.settings)
                if not any(key.startswith("unit.") for key in case.settings):
                    break
            self.stateful_model()
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


def _per_member(value: Any) -> Any:
    """A number, or numbers of all members as `[M]`."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise BadInput(f"cases: a penalty's values must be numbers, not {value!r}")
    return np.asarray(value, np.float32)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
