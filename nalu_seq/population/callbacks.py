"""What each callback sees while a population fits.

Your own callbacks and a `LambdaCallback` see the population as `model`, and logs of shape `[M]`.

Callbacks of Keras that decide (`EarlyStopping`, `ReduceLROnPlateau`, `LearningRateScheduler`,
`ModelCheckpoint`, `TerminateOnNaN`) act on each member as in a `fit` of that member alone: a copy
for each member sees it as `model`, and its logs as numbers. `EachMember` does so with any callback.

Callbacks of Keras that report (`CSVLogger`, `RemoteMonitor`) get the median over the members whose
value is a number.

All other callbacks of Keras are refused by name.
"""

import copy
import functools
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console

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


class EachMember(keras.callbacks.Callback):
    """A callback that acts on each member by itself, as if `fit` trained that member alone.

    Each member has a copy of the callback, which sees the member as `model` and its logs as
    numbers. The copy can stop the member (it is frozen while the others go on), set its learning
    rate, read and set its weights, and save it: the path gets the member's number, so that
    `own.keras` becomes `own_member3.keras`. `EarlyStopping` and the other callbacks of Keras that
    decide are wrapped in this class by `fit` itself.

    Args:
        callback: the callback that is copied for each member.

    Attributes:
        copies: each member's copy of the callback; empty before the training begins.

    Example:
        >>> stopping = EachMember(keras.callbacks.EarlyStopping("loss", patience=2))
        >>> population.fit(x, y, epochs=100, callbacks=[stopping])
        >>> [own.stopped_epoch for own in stopping.copies]
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        self.callback = callback
        self.copies: list[keras.callbacks.Callback] = []

    def set_model(self, model: Any) -> None:
        """Copy the callback for each member.

        Args:
            model: the population.
        """
        super().set_model(model)
        self.copies = [copy.deepcopy(self.callback) for _ in range(len(model))]
        for index, own in enumerate(self.copies):
            own.set_model(Member(model, index))

    def set_params(self, params: dict[str, Any] | None) -> None:
        """As for any callback."""
        super().set_params(params)
        for own in self.copies:
            own.set_params(params)

    def hear(self, hook: str, args: tuple[Any, ...], logs: dict[str, np.ndarray]) -> None:
        """Call the copies of the members that still train; the beginning and the end are for all.

        Args:
            hook: the name of the callback's method, such as `on_epoch_end`.
            args: its arguments before the logs.
            logs: each logged value by name, `[M]`; entries that a copy adds are added here.
        """
        fitting, member_logs = self.model._fitting, {}
        gone = fitting.gone if "epoch" in hook else ~fitting.active.numpy()
        for index, own in enumerate(self.copies):
            if not gone[index] or hook in ("on_train_begin", "on_train_end"):
                member_logs[index] = {name: _plain(values[index]) for name, values in logs.items()}
                getattr(own, hook)(*args, member_logs[index])
        # A callback may add entries to the logs, such as a learning rate: they are logged as well.
        added = {name for own in member_logs.values() for name in own} - set(logs)
        for name in sorted(added):
            values = [member_logs.get(i, {}).get(name, np.nan) for i in range(len(self.copies))]
            logs[name] = np.asarray(values)


class BestMember(keras.callbacks.Callback):
    """Saves the best member of the population, each time that one is better than all before.

    Args:
        filepath: the file that the model is saved to, `.keras`.
        monitor: the name of the logged value that is compared.
        mode: "min" if a smaller value is better, "max" if a larger one is.

    Attributes:
        best: the best value so far; None before the first epoch ends.
        member: the index of the member that had it.

    Example:
        >>> population.fit(x, y, validation_split=0.2, callbacks=[BestMember("best.keras")])

    Raises:
        ValueError: the mode is unknown; or, at the end of an epoch, `monitor` is not logged.
    """

    def __init__(self, filepath: Any, monitor: str = "val_loss", mode: str = "min") -> None:
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be min or max, not {mode!r}")
        self.filepath, self.monitor, self.mode = filepath, monitor, mode
        self.best: float | None = None
        self.member: int | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save the best member if it is the best of all epochs.

        Args:
            epoch: the number of the epoch, which does not matter here.
            logs: each logged value by name, `[M]`.

        Raises:
            ValueError: `monitor` is not among the logs.
        """
        del epoch
        if self.monitor not in logs:
            raise ValueError(f"monitor={self.monitor!r} is not logged: {', '.join(logs)}")
        values = logs[self.monitor] * (1 if self.mode == "min" else -1)
        if np.isnan(values).all():
            return
        member = int(np.nanargmin(values))
        best = float(logs[self.monitor][member])
        if self.best is None or (best < self.best if self.mode == "min" else best > self.best):
            self.best, self.member = best, member
            self.model.member(member).save(self.filepath)


class Median(keras.callbacks.Callback):
    """Passes to a callback the median of each logged value, over the members that have a number.

    Args:
        callback: the callback that reports, such as `CSVLogger`.
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        self.callback = callback

    def set_model(self, model: Any) -> None:
        """As for any callback."""
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params: dict[str, Any] | None) -> None:
        """As for any callback."""
        super().set_params(params)
        self.callback.set_params(params)

    def hear(self, hook: str, args: tuple[Any, ...], logs: dict[str, np.ndarray]) -> None:
        """Call the callback with the medians of the logs.

        Args:
            hook: the name of the callback's method, such as `on_epoch_end`.
            args: its arguments before the logs.
            logs: each logged value by name, `[M]`.
        """
        getattr(self.callback, hook)(*args, {name: median(v) for name, v in logs.items()})


class History(keras.callbacks.History):
    """The logs of all epochs, for each member.

    Attributes:
        history: each logged value by name, `[epochs, M]`; NaN from the epoch on before which a
            member had stopped.
        epoch: the number of each epoch.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the epochs of an earlier training."""
        del logs
        self.epoch: list[int] = []
        self._rows: dict[str, list[np.ndarray]] = {}
        self.history: dict[str, np.ndarray] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the logs of an epoch.

        Args:
            epoch: the number of the epoch.
            logs: each logged value by name, `[M]`.
        """
        self.epoch.append(epoch)
        for name, values in (logs or {}).items():
            self._rows.setdefault(name, []).append(values)
        self.history = {name: np.stack(rows) for name, rows in self._rows.items()}


class Progress(keras.callbacks.Callback):
    """Prints a line an epoch: the median and the extremes of each logged value over the members.

    Args:
        epochs: the number of epochs of the training.
        shown: whether to print anything.
    """

    def __init__(self, epochs: int, shown: bool) -> None:
        super().__init__()
        self.epochs, self.shown = epochs, shown

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Print the line."""
        if self.shown:
            figures = "  ".join(_figure(name, values) for name, values in (logs or {}).items())
            line = f"epoch {epoch + 1}/{self.epochs}  {figures}"
            Console().print(line, highlight=False, soft_wrap=True)


class Optimizers:
    """The optimizers of all members, or of one, as a callback sees them.

    Args:
        fitting: the model that trains the population.
        index: the index of one member; None for all members.
    """

    def __init__(self, fitting: Any, index: int | None = None) -> None:
        self._fitting = fitting
        self._index = index

    @property
    def learning_rate(self) -> Any:
        """The learning rate: `[M]`, or a number for one member."""
        value = self._stack().value.numpy()
        return value if self._index is None else value[self._index]

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        stack = self._stack()
        if self._index is None:
            stack.assign(np.broadcast_to(np.asarray(rate, np.float32), stack.shape))
        else:
            self._fitting.population.assign(stack, self._index, np.float32(rate))

    @property
    def variables(self) -> list[keras.Variable]:
        """The optimizers' variables, `[M, ...]`, which a checkpoint needs beside the members'."""
        return [stack for _, stack in self._fitting.optimizer_pairs]

    def _stack(self) -> keras.Variable:
        optimizer = self._fitting.population.model.optimizer
        rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
        for template, stack in self._fitting.optimizer_pairs:
            if template is rate:
                return stack
        raise ValueError("the learning rate follows a schedule, and can't be read or set")


class Member:
    """One member of a population in training, in the place of the model that a callback expects.

    Args:
        population: the population.
        index: the index of the member.
    """

    def __init__(self, population: Any, index: int) -> None:
        self._population, self._index = population, index
        self.optimizer = Optimizers(population._fitting, index)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics, by which callbacks know whether more is better."""
        return self._population.model.metrics

    @property
    def stop_training(self) -> bool:
        """Whether the member is frozen."""
        return not self._population._fitting.active.numpy()[self._index]

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._population.freeze(self._index, stop)

    def get_weights(self) -> list[np.ndarray]:
        """The member's weights as NumPy arrays, in the order of `keras.Model.weights`."""
        return [stack.value[self._index].numpy() for stack in self._population.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the member's weights.

        Args:
            weights: an array for each weight, in the order of `get_weights`.
        """
        for stack, value in zip(self._population.weights, weights, strict=True):
            self._population.assign(stack, self._index, value)

    def save(self, filepath: Any, **how: Any) -> None:
        """Save the member as a model of its own, under the path with its number.

        Args:
            filepath: the path without the number: `own.keras` becomes `own_member3.keras`.
            **how: the other arguments of `keras.Model.save`.
        """
        self._population.member(self._index).save(_numbered(filepath, self._index), **how)

    def save_weights(self, filepath: Any, **how: Any) -> None:
        """Save the member's weights, under the path with its number.

        Args:
            filepath: as for `save`.
            **how: the other arguments of `keras.Model.save_weights`.
        """
        self._population.member(self._index).save_weights(_numbered(filepath, self._index), **how)


class Listeners(keras.callbacks.CallbackList):
    """Keras' list of callbacks for a population: each gets the logs in the shape that it expects.

    Args:
        callbacks: the callbacks, wrapped as `treated` does.
        population: the population that they see.

    Attributes:
        steps_per_execution: how many training steps a call of the graph makes: 1 if a callback
            looks at each step, else 10.
        steps_a_call: how many training steps one step of Keras' `fit` makes.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], population: Any) -> None:
        hooks = [(c, hook) for c in callbacks for hook in BATCH_HOOKS]
        self._by_batch = any(_overrides(_innermost(c), hook) for c, hook in hooks)
        self.steps_per_execution = 1 if self._by_batch else STEPS_PER_EXECUTION
        self.steps_a_call = 1
        super().__init__([Ear(c, len(population)) for c in callbacks], model=population)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note which members have stopped before this epoch."""
        self.model._fitting.note_gone()
        super().on_epoch_begin(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Let the optimizers end their work first, as Keras' `fit` does."""
        self.model._fitting.finalize()
        super().on_train_end(logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Count steps, not calls."""
        super().on_train_batch_begin(batch * self.steps_a_call, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count steps, not calls; read the metrics if a callback looks at batches."""
        logs = self.model._fitting._get_metrics_result_or_logs(logs) if self._by_batch else {}
        super().on_train_batch_end((batch + 1) * self.steps_a_call - 1, logs)


class Ear(keras.callbacks.Callback):
    """Passes each call of Keras' `fit` on to a callback, with the logs in the shape it expects.

    Args:
        callback: the callback that is called.
        members: how many members there are.
    """

    def __init__(self, callback: keras.callbacks.Callback, members: int) -> None:
        super().__init__()
        self.callback, self.members = callback, members
        for hook in HOOKS:
            if _overrides(_innermost(callback), hook):
                setattr(self, hook, functools.partial(self._pass_on, hook))

    def set_model(self, model: Any) -> None:
        """As for any callback."""
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params: dict[str, Any] | None) -> None:
        """As for any callback."""
        super().set_params(params)
        self.callback.set_params(params)

    def _pass_on(self, hook: str, *args: Any, logs: Any = None) -> None:
        if len(args) == (2 if "epoch" in hook or "batch" in hook else 1):
            *args, logs = args  # type: ignore[assignment]
        logs = {} if logs is None else logs
        shaped = logs
        if "predict" not in hook:
            shaped = {name: per_member(value, self.members) for name, value in logs.items()}
        if hook == "on_epoch_end":
            gone = self.model._fitting.gone
            shaped = {name: _without(values, gone) for name, values in shaped.items()}
        if hear := getattr(self.callback, "hear", None):
            hear(hook, tuple(args), shaped)
        else:
            getattr(self.callback, hook)(*args, shaped)
        for name in shaped.keys() - logs.keys():
            logs[name] = shaped[name]


def listeners(
    population: Any,
    callbacks: Sequence[keras.callbacks.Callback],
    own: Sequence[keras.callbacks.Callback] = (),
) -> Listeners:
    """The callbacks that `fit` calls: the user's, each wrapped by `treated`, then `own`.

    Args:
        population: the population that the callbacks see.
        callbacks: the user's callbacks.
        own: callbacks of the population itself, such as its history.

    Raises:
        ValueError: a population can't serve one of the callbacks.
    """
    return Listeners([*map(treated, callbacks), *own], population)


def treated(callback: Any) -> keras.callbacks.Callback:
    """A callback, wrapped so that it works with a population, as the docstring of this file says.

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


def median(values: np.ndarray) -> Any:
    """The median over the members that have a number; NaN if none has.

    Args:
        values: `[M]`.
    """
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return float(np.median(known)) if known.size else float("nan")


def _figure(name: str, values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    if not known.size:
        return f"{name} nan"
    return f"{name} {np.median(known):.4g} [{known.min():.3g}, {known.max():.3g}]"


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _numbered(filepath: Any, index: int) -> str:
    folder, name = os.path.split(os.fspath(filepath))
    stem, dot, rest = name.partition(".")
    return os.path.join(folder, f"{stem}_member{index}{dot}{rest}")


def _without(values: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """The values, `[M]`, with NaN for members that had stopped."""
    if not gone.any():
        return values
    values = values.astype(float)
    values[gone] = np.nan
    return values


def _innermost(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    return getattr(callback, "callback", callback)


def _overrides(callback: keras.callbacks.Callback, hook: str) -> bool:
    return not getattr(getattr(callback, hook), "_is_default", False)
