"""Workers on this machine's loopback."""

import json
import os
import socket
from contextlib import ExitStack


def addresses(count: int) -> list[str]:
    """Free ones, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]


def environments(count: int) -> list[dict[str, str]]:
    """The environment of each of so many workers."""
    cluster = {"worker": addresses(count)}
    tasks = [{"type": "worker", "index": i} for i in range(count)]
    return [
        {**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}
        for task in tasks
    ]
