"""Optimizers as the papers run them, and Keras' own where they keep members apart."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class ReducedGradients(keras.optimizers.Optimizer):
    """An optimizer that expects gradients of the whole batch, over all replicas.

    Keras' own optimizers add up the gradients of the replicas, in one collective for each variable.
    The training step has already done so in a single collective, because it clips each member by
    the gradient of all its examples.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return list(grads_and_vars)


class MaskedOptimizer(ReducedGradients):
    """An optimizer whose update can leave out entries of a variable and their moments.

    Attributes:
        masks: by the index of a variable, a mask that broadcasts to it: the next update changes
            only the entries where it is true, and their moments. A variable without a mask is
            updated as a whole.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.masks: dict[int, Any] = {}

    def assign_masked(self, index: int, target: keras.Variable, value: Any) -> None:
        """Set a variable, or one of its moments, where the variable's mask is true.

        Args:
            index: the index of the variable, whose mask counts.
            target: the variable or the moment that is set.
            value: its new value, in the same shape.
        """
        mask = self.masks.get(index)
        self.assign(target, value if mask is None else ops.where(mask, value, target))


@keras.saving.register_keras_serializable("nalu_seq")
class Adam(MaskedOptimizer, keras.optimizers.Adam):
    """Adam with epsilon on the bias-corrected root, as every paper here runs it.

        m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) g^2
        w <- w - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)

    Keras adds its epsilon (1e-7 by default) to the uncorrected root, which differs in early steps.

    Args:
        learning_rate: a number or a Keras schedule.
        members: settings that differ between the members of stacked variables `[M, ...]`:
            `beta_1`, `beta_2`, `epsilon`, or `rate`, which multiplies the learning rate; each
            `[M]`.
        **kwargs: as for `keras.optimizers.Adam`.

    Source: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1.
    """

    def __init__(
        self, learning_rate: Any = 0.001, members: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.members = dict(members or {})

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """One update of one variable, elementwise."""
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        dtype = variable.dtype

        def member_values(name: str, common: Any) -> Any:
            """The members' own values, shaped to broadcast to the variable, or the shared one."""
            if name not in self.members:
                return ops.cast(common, dtype)
            values = ops.convert_to_tensor(self.members[name], dtype)
            return ops.reshape(values, [-1] + [1] * (len(variable.shape) - 1))

        beta_1, beta_2 = member_values("beta_1", self.beta_1), member_values("beta_2", self.beta_2)
        t = ops.cast(self.iterations + 1, dtype)
        gradient = ops.cast(gradient, dtype)
        new_m = m + (1 - beta_1) * (gradient - m)
        new_v = v + (1 - beta_2) * (ops.square(gradient) - v)
        scale = 1 / ops.sqrt(1 - ops.power(beta_2, t))
        rate = (
            ops.cast(learning_rate, dtype) * member_values("rate", 1.0) / (1 - ops.power(beta_1, t))
        )
        change = rate * new_m / (scale * ops.sqrt(new_v) + member_values("epsilon", self.epsilon))
        self.assign_masked(index, m, new_m)
        self.assign_masked(index, v, new_v)
        self.assign_masked(index, variable, variable - change)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        members = {name: np.asarray(v).tolist() for name, v in self.members.items()}
        return {**super().get_config(), "members": members}


@keras.saving.register_keras_serializable("nalu_seq")
class RMSProp(MaskedOptimizer):
    """RMSProp as TensorFlow 1 ran it: mean squares that begin at 1, epsilon inside the root.

        v <- decay v + (1 - decay) g^2
        w <- w - lr * g / sqrt(v + epsilon)

    Args:
        learning_rate: a number or a Keras schedule.
        decay: the decay of the mean squares, from 0 to 1.
        epsilon: a small number that is added to them under the root.
        **kwargs: as for any Keras optimizer.

    Source: `tf.compat.v1.train.RMSPropOptimizer`, as in the code of Schlör et al. 2020.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        decay: float = 0.9,
        epsilon: float = 1e-10,
        name: str = "rmsprop",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **kwargs)
        self.decay, self.epsilon = decay, epsilon

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the mean squares."""
        if self.built:
            return
        super().build(variables)
        self._squares = [
            self.add_variable_from_reference(v, name="mean_square", initializer="ones")
            for v in variables
        ]

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """One update of one variable, elementwise."""
        index = self._get_variable_index(variable)
        squares = self._squares[index]
        rate, gradient = (ops.cast(x, variable.dtype) for x in (learning_rate, gradient))
        new = self.decay * squares + (1 - self.decay) * ops.square(gradient)
        new_value = variable - rate * gradient / ops.sqrt(new + self.epsilon)
        self.assign_masked(index, squares, new)
        self.assign_masked(index, variable, new_value)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "decay": self.decay, "epsilon": self.epsilon}


# Keras' optimizers that update each entry of a variable by itself. The others compute something of
# a whole variable, which here holds all members, or measure with other values than they train.
KERAS = (
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD",
)  # fmt: skip
# Arguments of all Keras optimizers that would mix members, and what to use instead.
NOT_TAKEN = {
    "clipnorm": "train.clip_norm clips each member",
    "global_clipnorm": "train.clip_norm clips each member",
    "clipvalue": "train.clip_value cuts each entry",
    "use_ema": "a run is measured with the values that it trains",
    "ema_momentum": "a run is measured with the values that it trains",
    "ema_overwrite_frequency": "a run is measured with the values that it trains",
    "loss_scale_factor": "nothing here trains in float16",
}


def keras_optimizer(
    name: str, learning_rate: float, schedule: str, *, steps: int, **arguments: Any
) -> keras.optimizers.Optimizer:
    """One of Keras' own optimizers, for a training of `steps` steps.

    Args:
        name: the name of its class in `keras.optimizers`.
        learning_rate: the rate, or the rate at which the schedule starts.
        schedule: "constant", or "cosine" down to 0 at `steps`.
        steps: the length of the training.
        **arguments: other arguments of the class.

    Returns:
        The optimizer, which expects gradients of the whole batch.

    Raises:
        ValueError: there is no such optimizer, its update is not elementwise, or an argument is
            unknown or has a value of another type.
    """
    if name not in KERAS:
        exists = isinstance(name, str) and isinstance(getattr(keras.optimizers, name, None), type)
        problem = "is not elementwise, so that members would not stay apart"
        reason = problem if exists else "is no optimizer of Keras"
        raise ValueError(f"optimizer.name: {name} {reason}; valid: {', '.join(KERAS)}")
    base = getattr(keras.optimizers, name)
    parameters = inspect.signature(base).parameters
    valid = [p for p in parameters if p not in ("learning_rate", "name", "kwargs", *NOT_TAKEN)]
    for key, value in arguments.items():
        if key in NOT_TAKEN:
            raise ValueError(f"optimizer.{key} can't be set: {NOT_TAKEN[key]}")
        if key not in valid:
            raise ValueError(
                f"optimizer.{key}: {name} has no such argument; valid: {', '.join(valid)}"
            )
        _check_kind(key, value, parameters[key].default)
    _check_number("learning_rate", learning_rate, 0, math.inf, above=True)
    rate = _schedule(learning_rate, schedule, steps)
    try:
        return type(name, (ReducedGradients, base), {})(rate, **arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimizer: {name}: {error}") from error


def of_members(
    optimizer: keras.optimizers.Optimizer, start: int, stop: int
) -> keras.optimizers.Optimizer:
    """A fresh optimizer for some of the members that an optimizer is for.

    Args:
        optimizer: the optimizer for all members.
        start: the index of the first member.
        stop: the index behind the last one.
    """
    config = optimizer.get_config()
    if config.get("members"):
        config["members"] = {name: v[start:stop] for name, v in config["members"].items()}
    return type(optimizer).from_config(config)


def rmsprop(
    learning_rate: float, decay: float, epsilon: float, *, steps: int
) -> keras.optimizers.Optimizer:
    """TensorFlow 1's RMSProp.

    Args:
        learning_rate: the rate.
        decay: the decay of the mean squares, from 0 to 1.
        epsilon: a small number that is added to them under the root.
        steps: the length of the training, on which the optimizer does not depend.

    Raises:
        ValueError: a number out of its range.
    """
    del steps
    _check_number("learning_rate", learning_rate, 0, math.inf, above=True)
    _check_number("decay", decay, 0, 1)
    _check_number("epsilon", epsilon, 0, math.inf)
    return RMSProp(learning_rate, decay, epsilon)


def adam(
    learning_rate: float | Sequence[float],
    schedule: str,
    beta_1: float | Sequence[float],
    beta_2: float | Sequence[float],
    epsilon: float | Sequence[float],
    *,
    steps: int,
) -> keras.optimizers.Optimizer:
    """Adam for a training of `steps` steps.

    Args:
        learning_rate: the rate, or the rate at which the schedule starts. Like the three below a
            number, or a list with one for each member.
        schedule: "constant", or "cosine" down to 0 at `steps`.
        beta_1: the decay of the first moment, from 0 to 1.
        beta_2: the decay of the second moment, from 0 to 1.
        epsilon: a small number that is added to the bias-corrected root.
        steps: the length of the training.

    Raises:
        ValueError: an unknown schedule, or a number out of its range.
    """
    settings = {
        "rate": _check_values("learning_rate", learning_rate, 0, math.inf, above=True),
        "beta_1": _check_values("beta_1", beta_1, 0, 1),
        "beta_2": _check_values("beta_2", beta_2, 0, 1),
        "epsilon": _check_values("epsilon", epsilon, 0, math.inf),
    }
    members = {name: value for name, value in settings.items() if isinstance(value, np.ndarray)}
    common = {name: value for name, value in settings.items() if name not in members}
    return Adam(_schedule(common.pop("rate", 1.0), schedule, steps), members, **common)


def _schedule(rate: float, schedule: str, steps: int) -> Any:
    """The learning rate itself, or its schedule over the training."""
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"optimizer.schedule must be constant or cosine, not {schedule!r}")
    return keras.optimizers.schedules.CosineDecay(rate, steps) if schedule == "cosine" else rate


def _check_kind(key: str, value: Any, default: Any) -> None:
    """Raise ValueError unless a value has the type of its default, a number where that is None."""
    if isinstance(default, bool):
        valid, kind = isinstance(value, bool), "true or false"
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        valid, kind = number and math.isfinite(value), "a finite number"
        valid |= default is None and value is None
    if not valid:
        raise ValueError(f"optimizer.{key} must be {kind}, not {value!r}")


def _check_values(name: str, value: Any, low: float, high: float, above: bool = False) -> Any:
    """A number as it is, a list of numbers as an array; ValueError if one is out of range."""
    for number in value if isinstance(value, list) else [value]:
        _check_number(name, number, low, high, above)
    return np.asarray(value, np.float32) if isinstance(value, list) else value


def _check_number(name: str, value: Any, low: float, high: float, above: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value < high or (above and value == low):
        lowest = "above" if above else "from"
        raise ValueError(
            f"optimizer.{name} must be a number {lowest} {low} and below {high}, not {value!r}"
        )
