"""Where a population trains: `tf.distribute`'s strategies by their names in the config."""

import functools
from collections.abc import Callable

import tensorflow as tf

from nalu_seq.config import BadInput, Strategy


def start(asked: Strategy) -> tf.distribute.Strategy:
    """The strategy that a config asks for, the same object each time.

    The first call decides what TensorFlow's devices are, so that it comes before anything else is
    asked of TensorFlow.

    Args:
        asked: its name, and how many devices.

    Raises:
        BadInput: there is no such strategy, or not what it needs.
    """
    if asked.name not in STRATEGIES:
        raise BadInput(f"strategy must be one of {', '.join(STRATEGIES)}, not {asked.name!r}")
    if asked.devices is not None and (asked.name != "mirrored" or asked.devices < 1):
        raise BadInput("strategy.devices goes with strategy=mirrored, and is a positive integer")
    return _made(asked.name, asked.devices)


@functools.cache
def _made(name: str, devices: int | None) -> tf.distribute.Strategy:
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # already in use, as it was set up before
            break
    return STRATEGIES[name](devices)


def _one_device(_: int | None) -> tf.distribute.Strategy:
    return tf.distribute.get_strategy()


def _auto(_: int | None) -> tf.distribute.Strategy:
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return _mirrored(None) if several else _one_device(None)


def _mirrored(devices: int | None) -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        _split_the_cpu(devices or 2)
    there = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(there) < (devices or 1):
        raise BadInput(f"strategy.devices={devices}: there are {len(there)} of kind {kind}")
    return tf.distribute.MirroredStrategy(there[:devices] if devices else there)


def _split_the_cpu(devices: int) -> None:
    """Make several devices of one CPU, which share its cores: to try out what GPUs would do."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < devices:
            raise BadInput(
                f"strategy.devices={devices}: TensorFlow has been started in this process with "
                "fewer: give it a process of its own"
            ) from error


STRATEGIES: dict[str, Callable[[int | None], tf.distribute.Strategy]] = {
    "auto": _auto,
    "one_device": _one_device,
    "mirrored": _mirrored,
}
