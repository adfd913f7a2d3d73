"""The workers of a run on several machines: who they are, and whether all have come."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from nalu_seq.errors import BadInput

MOST_TASKS = 2**10  # of a node
ADVICE = "start the same command on each worker; strategy.wait=SECONDS waits longer"


class Cluster(NamedTuple):
    """The workers, of which the first leads: it alone leaves files.

    Attributes:
        addresses: `host:port` of each.
        place: which of them this process is.
    """

    addresses: tuple[str, ...]
    place: int


def find_cluster() -> Cluster:
    """The workers as TF_CONFIG, or else Slurm's environment tells of them.

    Raises:
        BadInput: neither does, or not so that it can be used.
    """
    try:
        if "TF_CONFIG" in os.environ:
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        elif "SLURM_PROCID" in os.environ:
            # Which GPUs are whose is said to srun: asked to, the resolver would run nvidia-smi.
            resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
                gpus_per_node=MOST_TASKS, gpus_per_task=1, auto_set_gpu=False
            )
        else:
            raise BadInput(
                "strategy=multi_worker: set TF_CONFIG on each worker, or start them by Slurm's "
                "srun; neither TF_CONFIG nor SLURM_PROCID is there"
            )
        spec = resolver.cluster_spec().as_dict()  # before its task_id, which Slurm's only then has
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
    """Wait until all workers have come: TensorFlow by itself would wait for ever.

    Each calls the first one, which answers all of them at once.

    Raises:
        BadInput: one of them did not come.
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
        for caller in there.values():  # it closes first, so that the port is free again
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
    """The seconds until a deadline, now and again."""
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
