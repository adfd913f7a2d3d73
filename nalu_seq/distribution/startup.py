"""Starting TensorFlow for a command: late, quietly, and the same numbers each time."""

import logging
import os

from nalu_seq.config.schema import Strategy
from nalu_seq.errors import BadInput, silenced_stderr


def start_tensorflow(strategy: Strategy | None = None) -> None:
    """Import TensorFlow and Keras, look for devices, and ask for determinism.

    Raises:
        BadInput: the strategy is not to be had.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Each checkpoint has something to say, and so has each collective.
    for chatty in ("absl", "tensorflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with silenced_stderr(BadInput):
        import keras  # noqa: F401
        import tensorflow as tf

        from nalu_seq.distribution.strategy import start

        start(strategy or Strategy())
        tf.constant(0) + 0  # the devices are made here, with more to say
    tf.config.experimental.enable_op_determinism()
