"""What callbacks share that stand around another one."""

from typing import Any

import keras


class Wrapper(keras.callbacks.Callback):
    """A callback around another, which sees the same model and the same parameters.

    Args:
        callback: the inner callback.
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
