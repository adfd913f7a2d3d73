"""How a training uses a CPU's cores: operations share them, or parts of members take one each."""

import os

import tensorflow as tf

from nalu_seq.config.schema import Strategy, Train
from nalu_seq.errors import BadInput

MOST_THREADS = 2**12


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def threads(train: Train, strategy: Strategy) -> int:
    """How many cores one operation may use.

    One core if the members are trained in concurrent parts, each of which is to have a core for
    itself: small operations that are spread over cores mostly wait for each other. All cores for
    large operations, such as convolutions (their tasks say `train.parts: 1`), and for programs that
    XLA compiles, which run each part on one core by themselves and draw samples on several.

    Args:
        train: the config of the training; a number in `train.threads` goes first.
        strategy: the config of the strategy.

    Raises:
        BadInput: the config's number is out of range.
    """
    if train.threads is not None:
        if not 1 <= train.threads <= MOST_THREADS:
            raise BadInput(f"train.threads must be from 1 to {MOST_THREADS}, not {train.threads}")
        return train.threads
    together = train.parts == 1 or strategy.name in ("mirrored", "multi_worker") or _gpus()
    return cores() if together or train.compile == "xla" else 1


def parts(train: Train, members: int, replicas: int) -> int:
    """In how many concurrent parts members are trained: one for each core, of two members or more.

    Args:
        train: the config of the training; a number in `train.parts` goes first.
        members: M, the number of members.
        replicas: the number of replicas that share a batch.

    Returns:
        1 with several replicas or with a GPU.
    """
    if train.parts is not None:
        return min(train.parts, members)
    return 1 if replicas > 1 or _gpus() else max(1, min(cores(), members // 2))


def compiler(train: Train) -> str:
    """What runs the training step: XLA on a GPU, where each launch of an operation costs.

    Args:
        train: the config of the training; a name in `train.compile` goes first.

    Returns:
        "graph" or "xla".
    """
    return train.compile or ("xla" if _gpus() else "graph")


def _gpus() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
