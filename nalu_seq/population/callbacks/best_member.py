"""The best member of a population, saved."""

from typing import Any

import keras
import numpy as np


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
