"""A callback that sees the median over the members."""

from typing import Any

import numpy as np

from nalu_seq.population.callbacks.wrapper import Wrapper


class Median(Wrapper):
    """Passes to a callback the median of each logged value, over the members that have a number.

    Args:
        callback: the callback that reports, such as `CSVLogger`.
    """

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
