"""Turns a composed config into objects: the task, the model's builders, the members."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf, open_dict

from nalu_seq import models
from nalu_seq.config.cases import MOST_MEMBERS, Case, cross
from nalu_seq.config.options import options, shipped_config
from nalu_seq.config.schema import Alternate, Ramp, Restart, Strategy, Train, as_dataclass
from nalu_seq.config.values import check_values
from nalu_seq.distribution.cores import compiler, cores, parts
from nalu_seq.distribution.strategy import start
from nalu_seq.errors import BadInput, first_line
from nalu_seq.experiment.instantiate import accepts_argument, instantiate
from nalu_seq.population.population import Population
from nalu_seq.population.stacked import check_seeds
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import SequenceTask, Task
from nalu_seq.training.initial_states import RandomStates
from nalu_seq.training.trainer import Trainer

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})
# Steps up to which a loop over time is written out for training. Written out, a step of ten LSTMs
# takes 0.7 of a loop's time at length 300, and tracing it 40 ms for each step of the sequence.
LONGEST_WRITTEN_OUT = 1000


class Experiment:
    """The parts of a training that a config describes, each of which is made when it is first used.

    `feasibility.check` checks whether this machine can train all of it.

    Args:
        cfg: the composed config.
        choices: the option that was chosen in each group, by the group's name.

    Raises:
        BadInput: a value is out of its range. The other methods and properties raise it for a part
            that can't be made.
    """

    def __init__(self, cfg: DictConfig, choices: dict[str, str]) -> None:
        self.cfg = cfg
        self.choices = choices
        check_values(cfg, choices)

    @cached_property
    def strategy(self) -> tf.distribute.Strategy:
        """The strategy of the training; its first use starts TensorFlow's devices."""
        return start(as_dataclass(Strategy, self.cfg.strategy))

    @cached_property
    def task(self) -> Task:
        """The task, with its pictures if it needs any."""
        _ = self.strategy  # chooses TensorFlow's devices before the task makes tensors
        task, option = instantiate("task", self.cfg.task), self.choices.get("task")
        if not isinstance(task, partial):
            if self.cfg.data is not None:
                raise BadInput(f"data is set, and task={option} uses no pictures: leave data out")
            return task
        if self.cfg.data is None:
            raise BadInput(f"task={option} needs data; valid: {', '.join(options('data'))}")
        try:
            return task(data=instantiate("data", self.cfg.data))
        except ValueError as error:
            raise BadInput(f"task: {first_line(error)}") from error

    @cached_property
    def members(self) -> Members:
        """Each seed in each case: the task's own, crossed with those of the config.

        A shard i/n has every nth member, beginning with the ith.
        """
        try:
            seeds = check_seeds(_plain(self.cfg.seeds))
        except ValueError as error:
            raise BadInput(str(error)) from error
        if len(set(seeds)) < len(seeds):
            raise BadInput(f"seeds={seeds} names a seed twice: each may stand once")
        cases = cross(self.task.cases, _plain(self.cfg.cases))
        if (count := len(cases) * len(seeds)) > MOST_MEMBERS:
            raise BadInput(
                f"{len(cases)} cases of {len(seeds)} seeds are {count} members, more than "
                f"{MOST_MEMBERS}, the most at once"
            )
        members = Members.product(cases, seeds)
        if self.cfg.shard is None:
            return members
        match = re.fullmatch(r"(\d+)/(\d+)", self.cfg.shard)
        index, parts = (int(match[1]), int(match[2])) if match else (0, 0)
        if not index < parts <= len(members):
            raise BadInput(
                f"shard must be i/n, i from 0 to n - 1, n at most {len(members)}, the number "
                f"of members; not {self.cfg.shard!r}"
            )
        return members.part(index, parts)

    @property
    def seeds(self) -> list[int]:
        """The seed of each member, each once."""
        return list(dict.fromkeys(self.members.seeds))

    @property
    def cases(self) -> list[Case]:
        """The case of each member, each once."""
        return self.members.cases

    def build(self, length: int | None = None, settings: Mapping[str, Any] = NO_SETTINGS) -> Any:
        """One member's model.

        Args:
            length: the number of steps that it is unrolled for; None for a model of any length.
            settings: the settings of the member's case, with which initial values may differ.
        """
        task = self.task
        with one_line():
            encoder, head, unit = self.layers(settings)
            return models.build(
                encoder,
                head,
                unit,
                input_size=task.input_size,
                output_size=task.output_size,
                sequence=task.sequence,
                length=length,
            )

    def fix_machine_settings(self) -> None:
        """Write into the config the settings that depend on the machine.

        Whether XLA compiles, the number of parts in which members are trained, and the number of
        cores that an operation uses, change no sample, but may change the last bits of a result. So
        a run keeps them where it is resumed: what the config has already stays.
        """
        train, replicas = self.cfg.train, self.strategy.num_replicas_in_sync
        train.compile = compiler(as_dataclass(Train, train))
        train.parts = parts(as_dataclass(Train, train), len(self.members), replicas)
        train.threads = tf.config.threading.get_intra_op_parallelism_threads() or cores()

    def population(self) -> Population:
        """The members, with their initial values."""
        build: Any = self.build
        if any(key.startswith("unit.") for key in self.cfg.cases):
            builders = {c.name: partial(self.build, settings=c.settings) for c in self.cases}
            build = [builders[case.name] for case, _ in self.members]
        population = Population(build, self.members.seeds, strategy=self.strategy)
        population.parts = self.cfg.train.parts or 1
        weights = self.task.weights
        for index, seed in enumerate(self.members.seeds if weights else ()):
            assert weights is not None
            values = weights.initial(seed, population.model.trainable_variables)
            for variable, value in zip(population.trainable_variables, values, strict=True):
                population.assign(variable, index, value)
        return population

    def stateful_model(self, length: int | None = None) -> models.StatefulModel | None:
        """The model that is fed long sequences in pieces; None for a task without sequences.

        Args:
            length: the number of steps that it is unrolled for, so that it can be trained from
                other states than the first; None for a model of any length.
        """
        if not self.task.sequence:
            return None
        with one_line():
            encoder, head, unit = self.layers()
            return models.build_stateful(
                encoder,
                head,
                unit,
                input_size=self.task.input_size,
                output_size=self.task.output_size,
                length=length,
            )

    def trainer(self, population: Population) -> Trainer:
        """The trainer of a population, with the config's optimizer and penalties.

        Args:
            population: the members.
        """
        with self.strategy.scope():
            return self._trainer(population)

    def _trainer(self, population: Population) -> Trainer:
        model, initial_states = self.trained_model()
        return Trainer(
            population,
            self.task,
            self.optimizer(),
            members=self.members,
            model=model,
            initial_states=initial_states,
            train=as_dataclass(Train, self.cfg.train),
            penalty=self.penalties(),
            restart=as_dataclass(Restart, self.cfg.restart) if self.cfg.restart.history else None,
            alternate=as_dataclass(Alternate, self.cfg.alternate)
            if self.cfg.alternate.period
            else None,
        )

    def trained_model(self) -> tuple[keras.Model, RandomStates | None]:
        """The model that is trained, and the source of its initial states, None if zero."""
        train, task = self.cfg.train, self.task
        length = self._written_out()
        if train.initial_state == "zero":
            return self.build(length), None
        if not isinstance(task, SequenceTask) or task.combine is None:
            raise BadInput(
                f"train.initial_state={train.initial_state} needs targets that can begin at any "
                f"total, and task={self.choices.get('task')} has none: use zero"
            )
        stateful = self.stateful_model(length)
        assert stateful is not None
        if "total" not in stateful.kinds:
            raise BadInput(
                f"train.initial_state={train.initial_state} begins from a total, which "
                f"head={self.choices.get('head')} does not pass on: use head=unit_cell"
            )
        states = RandomStates(
            stateful.kinds,
            [state.shape[-1] for state in stateful.initial_states],
            train.initial_total or task.initial_totals,
            train.initial_deviation,
            task.combine,
        )
        y, *_ = stateful.model.outputs
        return keras.Model(stateful.model.inputs, y, name="model"), states

    def _written_out(self) -> int | None:
        """For how many steps loops over time are written out; None where they stay loops."""
        length = self.task.length
        if length is None or length <= LONGEST_WRITTEN_OUT:
            return length
        if "r_z" in self.penalties():
            raise BadInput(
                "penalty.r_z looks at the inputs at each step, which it can up to "
                f"task.length={LONGEST_WRITTEN_OUT}, not {length}"
            )
        return None

    def layers(self, settings: Mapping[str, Any] = NO_SETTINGS) -> tuple[Any, Any, Any]:
        """The functions that make the encoder, the head and the unit.

        Args:
            settings: the settings of the member's case, with which initial values may differ.
        """
        head = self._of_units("head", self.cfg.head, "under", None)
        own = {key.partition(".")[2]: v for key, v in settings.items() if key.startswith("unit.")}
        with open_dict(self.cfg.unit):  # `instantiate` refuses a key that the unit does not have
            node: Any = OmegaConf.merge(self.cfg.unit, own) if own else self.cfg.unit
        unit = instantiate("unit", node, self.choices)
        node = self.cfg.encoder
        encoder = self._of_units("encoder", node, "unit", unit)
        if accepts_argument(node, "numbers"):
            encoder = partial(encoder, numbers=self.task.numbers)
        is_mixed = self.cfg.train.precision == "bfloat16"
        return models.encoders.in_bfloat16(encoder) if is_mixed else encoder, head, unit

    def _of_units(self, group: str, node: Any, key: str, own: Any) -> Any:
        """The function of a config node, with the unit that it names under a key, else `own`."""
        if not isinstance(node, DictConfig) or key not in node or not accepts_argument(node, key):
            return instantiate(group, node, self.choices)
        named, unit = node[key], own
        if named is not None or own is None:
            if named not in options("unit"):
                valid = ", ".join(options("unit"))
                raise BadInput(f"{group}.{key}={named}: no such option; valid: {valid}")
            unit = instantiate("unit", shipped_config("unit", named))
        node = OmegaConf.masked_copy(node, [str(k) for k in node if k != key])
        return partial(instantiate(group, node, self.choices), **{key: unit})

    def _varying(self, key: str, default: Any) -> Any:
        """A setting's value, or one for each member where the cases differ in it."""
        if key not in self.cfg.cases:
            return default
        return self.members.settings(key)

    def optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer, for the length of the training."""
        make = instantiate("optimizer", self.cfg.optimizer, self.choices)
        per_member = {
            key.partition(".")[2]: self._varying(key, None)
            for key in self.cfg.cases
            if key.startswith("optimizer.")
        }
        try:
            return make(steps=self.cfg.train.steps, **per_member)
        except (TypeError, ValueError) as error:
            raise BadInput(first_line(error)) from error

    def penalties(self) -> dict[str, Ramp]:
        """The penalties that have a weight, by name."""
        ramps = {}
        valid = [field.name for field in dataclasses.fields(Ramp)]
        for name, node in self.cfg.penalty.items():
            if unknown_fields := [str(field) for field in node if field not in valid]:
                raise BadInput(
                    f"penalty.{name}.{unknown_fields[0]}: no such key; valid: {', '.join(valid)}"
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


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Turn any error that Keras or TensorFlow raise for a bad argument into a `BadInput`."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(first_line(error)) from error


def _per_member(value: Any) -> Any:
    """A number, or numbers of all members as `[M]`."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise BadInput(f"cases: a penalty's values must be numbers, not {value!r}")
    return np.asarray(value, np.float32)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
