"""Starting TensorFlow for a command: late, without its messages, and deterministic."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from nalu_seq.config.schema import Strategy, Train
from nalu_seq.errors import BadInput, silence_stderr

# Packages that Keras and TensorFlow import only to see whether they exist, in 1.5 s altogether.
LOOKED_FOR = ("jax", "matplotlib", "pandas", "sklearn", "torch")


def start_tensorflow(strategy: Strategy | None = None, train: Train | None = None) -> None:
    """Import TensorFlow and Keras, set up the devices, and ask for deterministic operations.

    Args:
        strategy: the config of the strategy; one device by default.
        train: the config of the training, which decides how many cores an operation may use; all
            cores by default.

    Raises:
        BadInput: the strategy needs devices or workers that are not there.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Both would log a line for each checkpoint and for each collective.
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("tensorflow").addFilter(_tells_no_tracing)
    strategy = strategy or Strategy()
    with silence_stderr(BadInput):
        with _hide_packages(*LOOKED_FOR):
            import keras  # noqa: F401
            import tensorflow as tf

        from nalu_seq.distribution.cores import cores, threads
        from nalu_seq.distribution.strategy import start

        of_operation = threads(train or Train(), strategy)
        with contextlib.suppress(RuntimeError):  # raised if TensorFlow has its threads already
            tf.config.threading.set_inter_op_parallelism_threads(cores())
            tf.config.threading.set_intra_op_parallelism_threads(of_operation)
        # In TF32, a GPU would round inputs to ten bits: exact weights would miss their thresholds.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        start(strategy)
        tf.constant(0) + 0  # makes the devices, which prints more messages
    tf.config.experimental.enable_op_determinism()


def _tells_no_tracing(record: logging.LogRecord) -> bool:
    """Leave out that a function was traced often: each run of a sweep traces its own, once."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def _hide_packages(*names: str) -> Iterator[None]:
    """Let imports of some packages fail as if they were not installed, unless they are imported."""
    absent_names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent_names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent_names:
            del sys.modules[name]
