"""A callback that sees the median over the members."""

from typing import Any

import keras
import numpy as np


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

    def call_hook(self, hook: str, args: tuple[Any, ...], logs: dict[str, np.ndarray]) -> None:
        """Call the callback with the medians of the logs.

        Args:
            hook: the name of the callback's method, such as `on_epoch_end`.
            args: its arguments before the logs.
            logs: each logged value by name, `[M]`.
        """
        getattr(self.callback, hook)(*args, {name: median(v) for name, v in logs.items()})


def median(values: np.ndarray) -> Any:
    """The median over the members that have a number; NaN if none has.

    Args:
        values: `[M]`.
    """
    numbers = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return float(np.median(numbers)) if numbers.size else float("nan")
