"""The workers of a run on several machines: their addresses, and waiting until all have started."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from nalu_seq.errors import BadInput

MOST_TASKS = 2**10  # on one node
ADVICE = "start the same command on each worker; strategy.wait=SECONDS waits longer"


class Cluster(NamedTuple):
    """The workers of a run; the first one leads, and only its files are kept.

    Attributes:
        addresses: `host:port` of each worker.
        place: the index of this process among them.
    """

    addresses: tuple[str, ...]
    place: int


def find_cluster() -> Cluster:
    """Read the workers from TF_CONFIG, or from Slurm's environment where that is not set.

    Raises:
        BadInput: neither is set, or what they say can't be used.
    """
    try:
        if "TF_CONFIG" in os.environ:
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        elif "SLURM_PROCID" in os.environ:
            # srun assigns the GPUs. With auto_set_gpu the resolver would run nvidia-smi.
            resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
                gpus_per_node=MOST_TASKS, gpus_per_task=1, auto_set_gpu=False
            )
        else:
            raise BadInput(
                "strategy=multi_worker: set TF_CONFIG on each worker, or start them by Slurm's "
                "srun; neither TF_CONFIG nor SLURM_PROCID is there"
            )
        # Slurm's resolver knows its task_id only after it has made the spec.
        spec = resolver.cluster_spec().as_dict()
        place = resolver.task_id
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        raise BadInput(f"strategy=multi_worker: {error or error!r}") from error
    addresses = spec.get("worker", [])
    if set(spec) != {"worker"} or not isinstance(place, int) or not 0 <= place < len(addresses):
        raise BadInput(
            'strategy=multi_worker: TF_CONFIG must be {"cluster": {"worker": ["host:port", ...]}, '
            '"task": {"type": "worker", "index": 0}}, with an index into the list, not '
            + os.environ.get("TF_CONFIG", json.dumps(spec))
        )
    return Cluster(tuple(addresses), place)


def meet(cluster: Cluster, seconds: float) -> None:
    """Wait until all workers have started; TensorFlow by itself would wait for ever.

    Each worker connects to the first one, which answers all of them at once.

    Args:
        cluster: the workers.
        seconds: how long to wait.

    Raises:
        BadInput: a worker has not connected within that time.
    """
    deadline = time.monotonic() + seconds
    if len(cluster.addresses) > 1:
        (_gather if cluster.place == 0 else _report)(cluster, seconds, deadline)


def _gather(cluster: Cluster, seconds: float, deadline: float) -> None:
    host, port = _split(cluster.addresses[0])
    there: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.create_server(("", port)))
        except OSError as error:
            raise BadInput(f"worker 0 can't listen on {host}:{port}: {error.strerror}") from error
        with contextlib.suppress(TimeoutError):
            while len(there) < len(cluster.addresses) - 1:
                listener.settimeout(max(deadline - time.monotonic(), 1e-3))
                caller = stack.enter_context(listener.accept()[0])
                caller.settimeout(max(deadline - time.monotonic(), 1e-3))
                there[int(caller.recv(16) or 0)] = caller
        missing = [i for i in range(1, len(cluster.addresses)) if i not in there]
        for caller in there.values():
            caller.sendall(json.dumps(missing).encode() + b"\n")
        for caller in there.values():  # the caller closes first, which frees the port at once
            caller.settimeout(5)
            with contextlib.suppress(OSError):
                caller.recv(1)
    _refuse_missing(cluster, missing, seconds)


def _report(cluster: Cluster, seconds: float, deadline: float) -> None:
    for left in _left(deadline):
        with (
            contextlib.suppress(OSError, ValueError),
            socket.create_connection(_split(cluster.addresses[0]), timeout=left) as call,
        ):
            call.sendall(str(cluster.place).encode())
            call.settimeout(left + 1)
            return _refuse_missing(cluster, json.loads(call.makefile().readline()), seconds)
    return _refuse_missing(cluster, [0], seconds)


def _left(deadline: float) -> Iterator[float]:
    """The seconds that are left until a deadline, every 0.1 s until it has passed."""
    while (left := deadline - time.monotonic()) > 0:
        yield left
        time.sleep(0.1)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput(f"strategy=multi_worker: {address!r} is no host:port")
    return host, int(port)


def _refuse_missing(cluster: Cluster, missing: list[int], seconds: float) -> None:
    if missing:
        who = ", ".join(f"worker {i} ({cluster.addresses[i]})" for i in missing)
        raise BadInput(f"{who} did not come within {seconds:g} s: {ADVICE}")
