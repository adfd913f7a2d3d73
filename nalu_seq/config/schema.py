"""The types of the config's value nodes, and the resolvers that `conf/` uses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from nalu_seq.config.descriptions import describe_options, penalty_names
from nalu_seq.errors import BadInput

Node = TypeVar("Node")


@dataclass
class Ramp:
    """A penalty's weight over the training; 0 by default.

        min(weight * growth^floor(step / every), largest)
            * clip((step - start) / (end - start), 0, 1)

    It rises between `start` and `end`, or jumps where they are equal; `growth` and `every` let it
    grow in stages (NPU's L1: 1e-7 growing tenfold every 10,000 steps to 1e-5); it applies to a
    member only while its loss is below `loss_below` (iNALU: 1).
    """

    weight: float = 0.0
    start: int = 0
    end: int = 0
    growth: float = 1.0
    every: int = 1
    largest: float = math.inf
    loss_below: float = math.inf


@dataclass
class Restart:
    """The rule by which members are restarted, as in iNALU; with `history` 0 no member is.

    The rule is applied in the first `window` of every `every` steps, to members that have more than
    `history` recorded errors. A member whose newer half of errors is no better than the older half
    (`training/restarts.py`) draws new weights, from the initial distribution or from
    U(-reach, reach), and its errors are recorded from there on. Where XLA compiles, the rule is
    applied after every ten steps, or every `check_every` if that is fewer.
    """

    history: int = 0
    every: int = 10_000
    window: int = 1_000
    deviations: float = 1.0
    threshold: float = 1.0
    draw: str = "initial"  # or uniform
    reach: float = 2.0
    check_every: int = 10


@dataclass
class Alternate:
    """Updates of gates and of weights in turn, as iNALU has them; with `period` 0 all at once.

    Of every `period` steps the last `gates` update the gates (variables named g), and the others
    update all other weights. Each step is followed by an update by the penalties alone.
    """

    period: int = 0
    gates: int = 0


@dataclass
class Train:
    """The length and the steps of a training."""

    steps: int = 5000
    batch_size: int = 128
    eval_every: int = 500
    clip_norm: float | None = None  # the largest gradient norm of each member
    clip_value: float | None = None  # the largest magnitude of each gradient's entry
    # graph or xla, which pays for small feed-forward models; null for xla on a GPU, graph on a CPU.
    compile: str | None = "graph"
    precision: str = "float32"  # or bfloat16: the encoder's products, its weights stay in float32
    initial_state: str = "zero"  # or random: where training sequences begin; measured ones at zero
    initial_total: list[float] | None = None  # [low, high] of random totals; the task's by itself
    initial_deviation: float = 3.0  # of an encoder's unbounded random states, such as an LSTM's c
    # Members in so many concurrent parts; null for one a core. And the cores that one operation may
    # take; null for all of them, or 1 where parts take them in a graph. The defaults here are what
    # runs had that knew neither.
    parts: int | None = 1
    threads: int | None = None
    judge: str = "loss"  # or validation: the error that `loss_below` and `restart` look at


@dataclass
class Strategy:
    """The devices and processes of a training."""

    name: str = "auto"
    devices: int | None = None
    processes: int | None = None
    wait: float = 15.0  # seconds that workers wait for each other to come


@dataclass
class Config:
    """All keys of the config; each group's object checks the group's own keys."""

    task: Any = MISSING
    data: Any = None  # pictures, for the tasks that need some
    encoder: Any = MISSING
    head: Any = MISSING
    unit: Any = MISSING
    optimizer: Any = MISSING
    train: Train = field(default_factory=Train)
    penalty: dict[str, Ramp] = field(default_factory=lambda: {n: Ramp() for n in penalty_names()})
    alternate: Alternate = field(default_factory=Alternate)
    restart: Restart = field(default_factory=Restart)
    cases: dict[str, Any] = field(default_factory=dict)  # settings' keys -> lists of values
    seeds: Any = 10  # a number, or a list of seeds
    strategy: Strategy = field(default_factory=Strategy)
    shard: str | None = None  # i/n: every nth member, from the ith on
    output: str = "runs"
    profile: list[int] | None = None  # [start, stop]: TensorBoard gets a trace of these steps
    resume: str | None = None


def as_dataclass(kind: type[Node], node: Mapping[str, Any]) -> Node:
    """A value node of the config as its dataclass.

    Args:
        kind: the dataclass, such as `Train`.
        node: the config's node of that kind.

    Raises:
        BadInput: the node has a key that the dataclass lacks, as `+train.key=...` may add.
    """
    valid = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in node:
        if key not in valid:
            name = kind.__name__.lower()
            raise BadInput(f"{name}.{key}: no such key; valid: {', '.join(valid)}")
    return kind(**node)


def register() -> None:
    """Make the schema and the resolvers of `conf/` known to Hydra."""
    ConfigStore.instance().store(name="schema", node=Config)
    # runs/<experiment>, or runs/<task> where there is none.
    OmegaConf.register_new_resolver(
        "first", lambda *names: next(n for n in names if n not in (None, "None")), replace=True
    )
    OmegaConf.register_new_resolver("modulo", lambda a, b: a % b, replace=True)
    OmegaConf.register_new_resolver("described", describe_options, replace=True)  # for --help


# Importing this module registers them: the processes that a launcher starts import no command.
register()
