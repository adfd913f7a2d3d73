"""How a training takes a CPU's cores: by operations that share them, or by parts of its members."""

import os

import tensorflow as tf

from nalu_seq.config.schema import Strategy, Train


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def threads(train: Train, strategy: Strategy) -> int:
    """How many cores one operation may take.

    One where a graph trains members in parts, each of which is to have a core for itself: small
    operations that are spread over cores mostly wait for each other. Else all of them: for large
    ones, such as convolutions (their tasks say `train.parts: 1`), and for what XLA compiles, which
    runs a part on one core by itself and draws on several.
    """
    if train.threads is not None:
        return train.threads
    together = train.parts == 1 or strategy.name in ("mirrored", "multi_worker") or _gpus()
    return cores() if together or train.compile == "xla" else 1


def parts(train: Train, members: int, replicas: int) -> int:
    """In how many concurrent parts members are trained: one a core, of two members at least."""
    if train.parts is not None:
        return min(train.parts, members)
    return 1 if replicas > 1 or _gpus() else max(1, min(cores(), members // 2))


def _gpus() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
