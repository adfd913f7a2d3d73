"""Starting TensorFlow for a command: late, without its messages, and deterministic."""

import logging
import os

from nalu_seq.config.schema import Strategy
from nalu_seq.errors import BadInput, silenced_stderr


def start_tensorflow(strategy: Strategy | None = None) -> None:
    """Import TensorFlow and Keras, set up the devices, and ask for deterministic operations.

    Args:
        strategy: the strategy of the config; by default `auto`.

    Raises:
        BadInput: the strategy needs devices or workers that are not there.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Both would log a line for each checkpoint and for each collective.
    for chatty in ("absl", "tensorflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with silenced_stderr(BadInput):
        import keras  # noqa: F401
        import tensorflow as tf

        from nalu_seq.distribution.strategy import start

        start(strategy or Strategy())
        tf.constant(0) + 0  # makes the devices, which prints more messages
    tf.config.experimental.enable_op_determinism()
