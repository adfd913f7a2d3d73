"""The workers of a run on several machines: their addresses, and waiting until all have started."""

import contextlib
import errno
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from nalu_seq.errors import BadInput, first_line

TURN_SECONDS = 0.2  # the longest time between two checks for new callers
CALLER_SECONDS = 2  # the time that a caller has to say which worker it is
MOST_TASKS = 2**10  # tasks on one node
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
        raise BadInput(f"strategy=multi_worker: {first_line(error)}") from error
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
    host, port = _split(cluster.addresses[cluster.place])
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise BadInput(
            f"strategy=multi_worker: worker {cluster.place} can't be at {host}:{port}: "
            f"{error.strerror}"
        ) from error
    if len(cluster.addresses) > 1:
        (_gather if cluster.place == 0 else _report)(cluster, seconds, deadline)


def _gather(cluster: Cluster, seconds: float, deadline: float) -> None:
    host, port = _split(cluster.addresses[0])
    others = set(range(1, len(cluster.addresses)))
    there: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(_listening(host, port))
        except OSError as error:
            raise BadInput(f"worker 0 can't listen on {host}:{port}: {error.strerror}") from error
        asking: dict[
            socket.socket, float
        ] = {}  # callers that have not said who they are, since when
        while set(there) != others and time.monotonic() < deadline:
            ready, _, _ = select.select([listener, *asking], [], [], TURN_SECONDS)
            for caller in ready:
                if caller is listener:
                    with contextlib.suppress(OSError):  # the caller may have hung up
                        asking[stack.enter_context(listener.accept()[0])] = time.monotonic()
                    continue
                del asking[caller]
                place = _place(caller)
                if place in others - set(there):
                    there[place] = caller
                else:  # a stranger: a probe, a browser, a worker of another cluster
                    caller.close()
            for caller in [c for c, since in asking.items() if _timed_out(since)]:
                del asking[caller]
                caller.close()
        missing = sorted(others - set(there))
        for caller in there.values():
            with contextlib.suppress(OSError):  # TensorFlow's heartbeat reports a lost caller
                caller.sendall(json.dumps(missing).encode() + b"\n")
        for caller in there.values():  # the caller closes first, which frees the port at once
            caller.settimeout(5)
            with contextlib.suppress(OSError):
                caller.recv(1)
    _refuse_missing(cluster, missing, seconds)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the cluster's address; at all addresses if the host is a name."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        # A name may lead to another interface than this machine's own, as behind a bridge.
        if error.errno not in (errno.EADDRNOTAVAIL, None):
            raise
        return socket.create_server(("", port))


def _place(caller: socket.socket) -> int | None:
    """The index of the worker that a caller says it is; None if it says something else."""
    try:
        caller.settimeout(TURN_SECONDS)
        message = caller.recv(16)
    except OSError:
        return None
    return int(message) if message.isdigit() else None


def _timed_out(since: float) -> bool:
    return time.monotonic() - since > CALLER_SECONDS


def _report(cluster: Cluster, seconds: float, deadline: float) -> None:
    for remaining in _countdown(deadline):
        with (
            contextlib.suppress(OSError, ValueError),
            socket.create_connection(_split(cluster.addresses[0]), timeout=remaining) as call,
        ):
            call.sendall(str(cluster.place).encode())
            call.settimeout(remaining + 1)
            return _refuse_missing(cluster, json.loads(call.makefile().readline()), seconds)
    return _refuse_missing(cluster, [0], seconds)


def _countdown(deadline: float) -> Iterator[float]:
    """The seconds that are left until a deadline, every 0.1 s until it has passed."""
    while (remaining := deadline - time.monotonic()) > 0:
        yield remaining
        time.sleep(0.1)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput(f"strategy=multi_worker: {address!r} is no host:port")
    return host, int(port)


def _refuse_missing(cluster: Cluster, missing: list[int], seconds: float) -> None:
    if missing:
        missing_workers = ", ".join(f"worker {i} ({cluster.addresses[i]})" for i in missing)
        raise BadInput(f"{missing_workers} did not connect within {seconds:g} s: {ADVICE}")
