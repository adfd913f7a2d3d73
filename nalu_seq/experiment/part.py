"""One process of `strategy=members`: its cores or its GPU, then a training like any other.

This module is imported before TensorFlow is, which looks for cores and GPUs as it starts.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from nalu_seq.config.schema import Strategy, Train, as_dataclass, register
from nalu_seq.errors import BadInput


def train_part(directory: Path, cores: Sequence[int], gpu: int | None, resume: bool) -> None:
    """Train the part of a run that is prepared in a directory.

    Args:
        directory: the part's folder, which holds its config.
        cores: the cores that the process may run on.
        gpu: the GPU that the process has for itself, or None.
        resume: whether the part has a checkpoint to go on from.

    Raises:
        SystemExit: as `train` does.
    """
    os.setsid()  # Ctrl-C goes to the parent, which passes it on once
    threading.Thread(target=_stop_with_the_parent, daemon=True).start()
    os.sched_setaffinity(0, cores)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
    from nalu_seq.distribution.startup import start_tensorflow
    from nalu_seq.records.runs import read_run

    register()
    cfg, choices = read_run(directory, trust=True)  # the parent has checked what it wrote here
    start_tensorflow(as_dataclass(Strategy, cfg.strategy), as_dataclass(Train, cfg.train))
    from nalu_seq.errors import refuse
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.session import train

    with (directory / "console.txt").open("a") as console, contextlib.redirect_stdout(console):
        try:
            train(Experiment(cfg, choices), directory, resume)
        except BadInput as error:
            refuse(error)


def _stop_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
