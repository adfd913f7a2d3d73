"""The logs of all epochs, recorded and printed."""

from typing import Any

import keras
import numpy as np
from rich.console import Console


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
            figures = "  ".join(
                _format_values(name, values) for name, values in (logs or {}).items()
            )
            line = f"epoch {epoch + 1}/{self.epochs}  {figures}"
            Console().print(line, highlight=False, soft_wrap=True)


def _format_values(name: str, values: np.ndarray) -> str:
    numbers = values[~np.isnan(values)]
    if not numbers.size:
        return f"{name} nan"
    return f"{name} {np.median(numbers):.4g} [{numbers.min():.3g}, {numbers.max():.3g}]"
