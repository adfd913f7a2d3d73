"""A callback of which each member has a copy."""

import copy
from typing import Any

import keras
import numpy as np

from nalu_seq.population.callbacks.member import Member


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

    def call_hook(self, hook: str, args: tuple[Any, ...], logs: dict[str, np.ndarray]) -> None:
        """Call the copies of the members that still train; the beginning and the end are for all.

        Args:
            hook: the name of the callback's method, such as `on_epoch_end`.
            args: its arguments before the logs.
            logs: each logged value by name, `[M]`; entries that a copy adds are added here.
        """
        fitting, member_logs = self.model._fitting, {}
        stopped = fitting.inactive if "epoch" in hook else ~fitting.active.numpy()
        for index, own in enumerate(self.copies):
            if not stopped[index] or hook in ("on_train_begin", "on_train_end"):
                member_logs[index] = {name: _scalar(values[index]) for name, values in logs.items()}
                getattr(own, hook)(*args, member_logs[index])
        # A callback may add entries to the logs, such as a learning rate: they are logged as well.
        new_names = {name for own in member_logs.values() for name in own} - set(logs)
        for name in sorted(new_names):
            values = [member_logs.get(i, {}).get(name, np.nan) for i in range(len(self.copies))]
            logs[name] = np.asarray(values)


def _scalar(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
