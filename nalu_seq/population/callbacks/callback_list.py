"""The list of callbacks that Keras' loop calls, each with the logs in the shape that it expects."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nalu_seq.population.callbacks.each_member import EachMember
from nalu_seq.population.callbacks.median import Median
from nalu_seq.population.callbacks.wrapper import Wrapper

STEPS_PER_EXECUTION = 10
HOOKS = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_")]
BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
DECIDING = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TerminateOnNaN,
)
REPORTING = (
    keras.callbacks.CSVLogger,
    keras.callbacks.RemoteMonitor,
)
REFUSED = {
    "BackupAndRestore": "save population.variables and population.optimizer.variables yourself",
    "OrbaxCheckpoint": "use ModelCheckpoint, which saves each member",
    "SwapEMAWeights": "fit ends with the averages; or give the optimizer ema_overwrite_frequency",
    "ProgbarLogger": "use verbose=1, a line an epoch",
    "CallbackList": "give the callbacks in a list",
    "TensorBoard": "write what history.history has, [epochs, M], by tf.summary",
}


class CallbackList(keras.callbacks.CallbackList):
    """Keras' list of callbacks for a population: each gets the logs in the shape that it expects.

    Args:
        callbacks: the callbacks, wrapped as `wrap` does.
        population: the population that they see.

    Attributes:
        steps_per_execution: how many training steps a call of the graph makes: 1 if a callback
            has a method for each batch, else 10.
        steps_a_call: how many training steps one step of Keras' `fit` makes.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], population: Any) -> None:
        hooks = [(c, hook) for c in callbacks for hook in BATCH_HOOKS]
        self._by_batch = any(_overrides(_innermost(c), hook) for c, hook in hooks)
        self.steps_per_execution = 1 if self._by_batch else STEPS_PER_EXECUTION
        self.steps_a_call = 1
        super().__init__([CallbackAdapter(c, len(population)) for c in callbacks], model=population)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note which members have stopped before this epoch."""
        self.model._fitting.note_inactive()
        super().on_epoch_begin(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Let the optimizers end their work first, as Keras' `fit` does."""
        self.model._fitting.finalize()
        super().on_train_end(logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Count steps, not calls."""
        super().on_train_batch_begin(batch * self.steps_a_call, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count steps, not calls; read the metrics if a callback has a method for each batch."""
        logs = self.model._fitting._get_metrics_result_or_logs(logs) if self._by_batch else {}
        super().on_train_batch_end((batch + 1) * self.steps_a_call - 1, logs)


class CallbackAdapter(Wrapper):
    """Passes each call of Keras' `fit` on to a callback, with the logs in the shape it expects.

    Args:
        callback: the callback that is called.
        members: how many members there are.
    """

    def __init__(self, callback: keras.callbacks.Callback, members: int) -> None:
        super().__init__(callback)
        self.members = members
        for hook in HOOKS:
            if _overrides(_innermost(callback), hook):
                setattr(self, hook, functools.partial(self._pass_on, hook))

    def _pass_on(self, hook: str, *args: Any, logs: Any = None) -> None:
        if len(args) == (2 if "epoch" in hook or "batch" in hook else 1):
            *args, logs = args  # type: ignore[assignment]
        logs = {} if logs is None else logs
        if "predict" in hook:  # outputs are [B, M, ...], in the structure of the model's
            member_logs = {
                name: keras.tree.map_structure(lambda v: np.moveaxis(v, 1, 0), value)
                for name, value in logs.items()
            }
        else:
            member_logs = {name: per_member(value, self.members) for name, value in logs.items()}
        if hook == "on_epoch_end":
            stopped = self.model._fitting.inactive
            member_logs = {
                name: _nan_where(values, stopped) for name, values in member_logs.items()
            }
        if call_hook := getattr(self.callback, "call_hook", None):
            call_hook(hook, tuple(args), member_logs)
        else:
            getattr(self.callback, hook)(*args, member_logs)
        for name in member_logs.keys() - logs.keys():
            logs[name] = member_logs[name]


def make_callback_list(
    population: Any,
    callbacks: Any,
    own: Sequence[keras.callbacks.Callback] = (),
) -> CallbackList:
    """The callbacks that `fit` calls: the user's, each wrapped by `wrap`, then `own`.

    Args:
        population: the population that the callbacks see.
        callbacks: the user's callbacks: a list or tuple of them, one alone, or None.
        own: callbacks of the population itself, such as its history.

    Raises:
        ValueError: a population can't serve one of the callbacks.
    """
    if not isinstance(callbacks, list | tuple):
        callbacks = [] if callbacks is None else [callbacks]
    return CallbackList([*map(wrap, callbacks), *own], population)


def wrap(callback: Any) -> keras.callbacks.Callback:
    """A callback, wrapped so that it works with a population, as the docstring of this folder says.

    Args:
        callback: a callback of the user's or of Keras'.

    Returns:
        `EachMember` or `Median` of the callback, or the callback itself.

    Raises:
        ValueError: it is no callback, or one of Keras' that can't serve a population.
    """
    if not isinstance(callback, keras.callbacks.Callback):
        raise ValueError(f"callbacks must be keras.callbacks.Callback, not {callback!r}")
    for parent in type(callback).__mro__:
        if parent.__module__.startswith("keras.") and parent.__name__ in REFUSED:
            raise ValueError(
                f"{parent.__name__} can't serve a population: {REFUSED[parent.__name__]}"
            )
    if isinstance(callback, DECIDING):
        return EachMember(callback)
    return Median(callback) if isinstance(callback, REPORTING) else callback


def per_member(value: Any, members: int) -> np.ndarray:
    """A logged value as `[M]`, also where Keras has turned an array of one into a number.

    Args:
        value: a number or an array.
        members: how many members there are.
    """
    value = np.asarray(value)
    return value.reshape([members, *value.shape[1:]]) if value.ndim else np.full(members, value)


def _nan_where(values: np.ndarray, stopped: np.ndarray) -> np.ndarray:
    """The values, `[M]`, with NaN for members that had stopped."""
    if not stopped.any():
        return values
    values = values.astype(float)
    values[stopped] = np.nan
    return values


def _innermost(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    return getattr(callback, "callback", callback)


def _overrides(callback: keras.callbacks.Callback, hook: str) -> bool:
    return not getattr(getattr(callback, hook), "_is_default", False)
