"""iNALU's experiments: fixed sets of inputs from normal, uniform and exponential distributions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import ndtr

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import (
    Batch,
    Criterion,
    ExampleTask,
    Split,
    mean_per_member,
)
from nalu_seq.tasks.inalu_replay import Replay
from nalu_seq.tasks.ranges import is_range
from nalu_seq.tasks.thresholds import OPERATIONS
from nalu_seq.units.weights import positive_integer

SHAPES = ("normal", "uniform", "exponential")
LIMIT = 1e-5
Range = tuple[float, float] | float


class Distribution(NamedTuple):
    """A case: the shape of a distribution, where it is trained, and where it is tested.

    Attributes:
        shape: normal, truncated to a range 6 standard deviations wide; uniform; or exponential.
        train: the range of training and validation, or the scale of an exponential.
        test: the range or the scale of the extrapolation.
    """

    shape: str
    train: Range
    test: Range

    @property
    def name(self) -> str:
        """The case's name, as in the published results: `normal (-3, 3)`, `exponential 0.8`."""
        if isinstance(self.train, tuple):
            return f"{self.shape} ({self.train[0]:g}, {self.train[1]:g})"
        return f"{self.shape} {self.train:g}"


class InaluSimple(ExampleTask):
    """`a op b` on a fixed set of examples, which training goes through in order, epoch by epoch.

    With two inputs these are a and b (experiment 1); `irrelevant` ones that enter neither may stand
    behind them (experiment 2). With more inputs, each seed assigns every input to a with
    probability 1/2, to b with 1/4, or to neither, and a and b are sums (experiment 4). Each
    distribution is a case, each member has sets of its own: one to train on, `validation` from the
    same distribution, `extrapolation` from another range. A member has solved a split when its mse
    at the last step is below 1e-5.

    Example: with `div` and 2 inputs, `[3, 2]` has the target `[1.5]`.

    Args:
        operation: add, sub, mul or div.
        inputs: how many inputs a and b are made of.
        irrelevant: how many further inputs the network sees that enter neither a nor b.
        examples: how many examples each of the three sets holds.
        distributions: each `[normal, [-3, 3], [8, 10]]`, `[uniform, ...]` with two ranges, or
            `[exponential, 0.8, 0.5]` with two scales: what is trained, and what is tested.
        replay: whether a seed's examples, initial weights and weights after restarts are those of
            the published run of that seed. The initial weights are then not the unit's own.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Schlör et al. 2020 (arXiv 2003.07629), experiments 1, 2 and 4.
    """

    output_size = 1
    operations = ("add", "sub", "mul", "div")
    criterion = Criterion("mse", LIMIT)
    weights: Replay | None

    def __init__(
        self,
        operation: str = "add",
        inputs: int = 2,
        irrelevant: int = 0,
        examples: int = 64_000,
        distributions: list[Any] | None = None,
        replay: bool = False,
    ) -> None:
        if operation not in self.operations:
            raise ValueError(
                f"operation must be one of {', '.join(self.operations)}, not {operation!r}"
            )
        self.operation = operation
        self.inputs = positive_integer("inputs", inputs)
        if inputs < 2:
            raise ValueError(f"inputs must be at least 2, not {inputs}")
        if isinstance(irrelevant, bool) or not isinstance(irrelevant, int) or irrelevant < 0:
            raise ValueError(f"irrelevant must be 0 or a positive integer, not {irrelevant!r}")
        self.input_size = inputs + irrelevant
        self.examples = positive_integer("examples", examples)
        self.distributions = _parse(distributions or [["normal", [-3, 3], [8, 10]]])
        self.cases = tuple(self.distributions)
        self.splits = {"validation": Split(examples), "extrapolation": Split(examples)}
        if not isinstance(replay, bool):
            raise ValueError(f"replay must be true or false, not {replay!r}")
        if replay and inputs > 2:
            raise ValueError(
                "replay is of experiments 1 and 2, with inputs=2: experiment 4 draws its examples "
                "before it sets a seed"
            )
        self.weights = Replay(examples, self.input_size) if replay else None
        self._replayed: dict[Any, Batch] = {}

    def train_batch(self, draws: Draws) -> Batch:
        """The next examples of the training set; it starts again when it is through."""
        step, examples = tf.cast(draws.step, tf.int64), tf.cast(draws.examples, tf.int64)
        place = (step * draws.batch_size + examples) % self.examples
        if self.weights:
            return self._of_published("train", draws, place)
        return self._batch(draws.at(0, place), draws, test=False)

    def split_batch(self, split: str, draws: Draws) -> Batch:
        """The fixed examples of a split."""
        if self.weights:
            return self._of_published(split, draws, draws.examples)
        return self._batch(draws, draws, test=split == "extrapolation")

    def loss(self, y: Any, prediction: Any) -> Any:
        """The mean squared error."""
        return mean_per_member(tf.square(prediction - y))

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """`mse` and `mae`."""
        error = prediction - y
        return {"mse": mean_per_member(tf.square(error)), "mae": mean_per_member(tf.abs(error))}

    def _batch(self, where: Draws, draws: Draws, test: bool) -> Batch:
        distribution_of_member = [self.distributions[case] for case in draws.cases]
        x = _transform(where.uniform(0.0, 1.0, self.input_size), distribution_of_member, test)
        return Batch(x, OPERATIONS[self.operation](*self._sums(x, draws)))

    def _of_published(self, name: str, draws: Draws, places: Any) -> Batch:
        """The examples at some places `[B]` of the published runs' sets of one name."""
        key = name, draws.stream.seeds, draws.cases
        if key not in self._replayed:
            with tf.init_scope():  # arrays that programs share, not constants in each of them
                self._replayed[key] = self._published(*key)
        return Batch(*(tf.gather(array, places, axis=1) for array in self._replayed[key]))

    def _published(self, name: str, seeds: Sequence[int], cases: Sequence[str]) -> Batch:
        """Whole sets of the published runs. Targets are computed in float64, as there."""
        assert self.weights is not None
        sets = []
        for seed, case in zip(seeds, cases, strict=True):
            shape, train, test = self.distributions[case]
            ranges = {"train": train, "validation": train, "extrapolation": test}
            sets.append(self.weights.inputs_of(seed, shape, ranges, name))
        x = np.stack(sets)  # [M, examples, inputs]
        y = OPERATIONS[self.operation](x[..., :1], x[..., 1:2])
        return Batch(tf.constant(x, tf.float32), tf.constant(y, tf.float32))

    def _sums(self, x: Any, draws: Draws) -> tuple[Any, Any]:
        if self.inputs == 2:
            return x[:, :, :1], x[:, :, 1:2]
        x = x[:, :, : self.inputs]
        fate = draws.elsewhere("assignment").integers(0, 4, self.inputs)  # [M, 1, inputs]
        masks = [tf.cast(fate < 2, x.dtype), tf.cast(fate == 2, x.dtype)]
        return tuple(tf.reduce_sum(x * mask, axis=2, keepdims=True) for mask in masks)


def _transform(unit: Any, distribution_of_member: list[Distribution], test: bool) -> Any:
    """U[0, 1) as each member's distribution: `[M, B, inputs]` both."""
    shapes = np.asarray([d.shape for d in distribution_of_member])[:, None, None]
    ranges = [d.test if test else d.train for d in distribution_of_member]
    low, high = np.asarray([r if isinstance(r, tuple) else (0.0, r) for r in ranges], np.float32).T
    low, width = low[:, None, None], (high - low)[:, None, None]
    # The minimum keeps XLA from fusing product and sum into one rounding: see random.py.
    x = low + tf.minimum(width * unit, width)
    if np.any(shapes == "normal"):
        inside = float(ndtr(3.0) - ndtr(-3.0))
        deviations = _normal(float(ndtr(-3.0)) + inside * unit)
        x = tf.where(shapes == "normal", low + width * (0.5 + deviations / 6.0), x)
    if np.any(shapes == "exponential"):
        x = tf.where(shapes == "exponential", width * _exponential(unit), x)
    return x


# Always compiled, as a number may not depend on where it stands in its batch: TensorFlow's own
# kernels round the last few entries of an array differently.
@tf.function(jit_compile=True, autograph=False)
def _normal(quantile: Any) -> Any:
    return tf.math.ndtri(quantile)


@tf.function(jit_compile=True, autograph=False)
def _exponential(unit: Any) -> Any:
    return -tf.math.log1p(-unit)


def _parse(distributions: Any) -> dict[str, Distribution]:
    if not isinstance(distributions, list):
        raise ValueError(f"distributions must be a list, not {distributions!r}")
    cases: dict[str, Distribution] = {}
    for triple in distributions:
        if not isinstance(triple, list) or len(triple) != 3 or triple[0] not in SHAPES:
            raise ValueError(
                "distributions must hold [shape, trained, tested], with a shape of "
                f"{', '.join(SHAPES)}, not {triple!r}"
            )
        shape = triple[0]
        train, test = (_parse_range(shape, value) for value in triple[1:])
        case = Distribution(shape, train, test)
        if case.name in cases:
            raise ValueError(f"distributions names {case.name} twice: each may stand once")
        cases[case.name] = case
    return cases


def _parse_range(shape: str, value: Any) -> Range:
    if shape == "exponential":
        if type(value) not in (int, float) or not 0 < value < np.inf:
            raise ValueError(
                f"distributions: the scale of an exponential must be above 0, not {value!r}"
            )
        return float(value)
    if not is_range(value):
        raise ValueError(f"distributions: a range must be [low, high], not {value!r}")
    return float(value[0]), float(value[1])
