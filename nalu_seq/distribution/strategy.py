"""The strategies of `tf.distribute` by their names in the config."""

import contextlib
import dataclasses
from collections.abc import Callable

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
from tensorflow.python.eager import context

from nalu_seq.config.schema import Strategy
from nalu_seq.distribution.cluster import find_cluster, meet
from nalu_seq.errors import BadInput

HEARTBEAT_SECONDS = 10  # a worker that is silent for so long counts as lost
MOST_DEVICES = 1024  # a CPU is split into at most so many devices
_started: dict[tuple[object, ...], tf.distribute.Strategy] = {}


def start(config: Strategy) -> tf.distribute.Strategy:
    """The strategy that a config asks for; the same object for the same config.

    The first call sets up TensorFlow's devices, so that it has to come before any other use of
    TensorFlow.

    Args:
        config: the strategy's node of the config.

    Raises:
        BadInput: there is no such strategy, or it needs devices or workers that are not there.
    """
    if config.name not in STRATEGIES:
        raise BadInput(f"strategy must be one of {', '.join(STRATEGIES)}, not {config.name!r}")
    if config.devices is not None and (config.name != "mirrored" or config.devices < 1):
        raise BadInput("strategy.devices goes with strategy=mirrored, and is a positive integer")
    if config.devices is not None and config.devices > MOST_DEVICES:
        raise BadInput(f"strategy.devices must be at most {MOST_DEVICES}, not {config.devices}")
    if config.processes is not None and (config.name != "members" or config.processes < 1):
        raise BadInput("strategy.processes goes with strategy=members, and is a positive integer")
    if not config.wait > 0:
        raise BadInput(f"strategy.wait must be above 0, not {config.wait}")
    key = dataclasses.astuple(config)
    if key not in _started:
        _started[key] = STRATEGIES[config.name](config)
    return _started[key]


def _one_device(_: Strategy) -> tf.distribute.Strategy:
    _let_memory_grow()
    return tf.distribute.get_strategy()


def _auto(config: Strategy) -> tf.distribute.Strategy:
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return _mirrored_strategy(config) if several else _one_device(config)


def _mirrored_strategy(config: Strategy) -> tf.distribute.Strategy:
    _let_memory_grow()
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        _split_the_cpu(config.devices or 2)
    there = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(there) < (config.devices or 1):
        raise BadInput(
            f"strategy.devices={config.devices}: this machine has {len(there)} of kind {kind}"
        )
    return tf.distribute.MirroredStrategy(there[: config.devices])


def _multi_worker(config: Strategy) -> tf.distribute.Strategy:
    cluster = find_cluster()
    meet(cluster, config.wait)
    _let_memory_grow()
    # The strategy would do the same, but with its own time until a silent worker counts as lost.
    context.context().configure_coordination_service(
        "standalone",
        service_leader="/job:worker/replica:0/task:0",
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        coordinated_jobs=[CoordinatedJob(name="worker", num_tasks=len(cluster.addresses))],
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.place,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


def _let_memory_grow() -> None:
    with contextlib.suppress(RuntimeError):  # raised where an earlier call has set them up
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def _split_the_cpu(devices: int) -> None:
    """Split one CPU into several devices, which share its cores, to try out several GPUs."""
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


STRATEGIES: dict[str, Callable[[Strategy], tf.distribute.Strategy]] = {
    "auto": _auto,
    "one_device": _one_device,
    "mirrored": _mirrored_strategy,
    "multi_worker": _multi_worker,
    "members": _one_device,  # in each of its processes (experiment/processes.py)
}
