"""Starting TensorFlow for a command: late, quietly, and the same numbers each time."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from nalu_seq.config import BadInput, Strategy


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

        from nalu_seq.training.strategy import start

        start(strategy or Strategy())
        tf.constant(0) + 0  # the devices are made here, with more to say
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def silenced_stderr(*told: type[BaseException]) -> Iterator[None]:
    """Keep C++ quiet, which logs before any log level applies; replay it after an error.

    Args:
        *told: errors that are told in another way.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, told):
                kept.seek(0)
                os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
