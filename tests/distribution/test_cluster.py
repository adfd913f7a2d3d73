"""Workers that meet at the first one's port, whoever else calls there."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from nalu_seq.distribution.cluster import Cluster, meet
from nalu_seq.errors import BadInput


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def in_threads(*works: Callable[[], None]) -> list[BaseException]:
    """Do all at once; what was raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def call(port: int, said: bytes, seconds: float = 0) -> None:
    """Say something at a port once it listens, and stay for a while."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(said)
            time.sleep(seconds)
            return
        time.sleep(0.02)


def test_strangers_at_the_port_keep_no_worker_from_coming() -> None:
    port = free_port()
    addresses = (f"127.0.0.1:{port}", "127.0.0.1:1", "127.0.0.1:2")
    strangers = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 99, b"0", b"7", b"-1", b"9" * 16]
    raised = in_threads(
        *(lambda said=said: call(port, said) for said in strangers),
        lambda: call(port, b"", seconds=3),  # says nothing, and stays
        *(lambda place=place: late(addresses, place) for place in range(3)),
    )
    assert raised == []


def late(addresses: tuple[str, ...], place: int) -> None:
    """A worker, the first at once and the others once strangers have called."""
    time.sleep(place and 0.5)
    meet(Cluster(addresses, place), 20)


def test_who_does_not_come_is_named_to_all() -> None:
    addresses = (f"127.0.0.1:{free_port()}", "127.0.0.1:1", "127.0.0.1:2")
    raised = in_threads(*(lambda i=i: meet(Cluster(addresses, i), 1) for i in (0, 1)))
    assert [str(error).partition(":")[0] for error in raised] == ["worker 2 (127.0.0.1"] * 2


def test_it_listens_at_its_own_address_alone() -> None:
    port, addresses = free_port(), []

    def look() -> None:
        for _ in range(50):
            time.sleep(0.02)
            with open("/proc/net/tcp") as table:
                addresses.extend(line.split()[1] for line in table if f":{port:04X} " in line)

    cluster = Cluster((f"127.0.0.1:{port}", "127.0.0.1:1"), 0)
    (error,) = in_threads(lambda: meet(cluster, 1), look)
    assert isinstance(error, BadInput)
    assert set(addresses) == {f"0100007F:{port:04X}"}


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(BadInput, match=r"worker 0 can't be at nowhere.invalid:1234"):
        meet(Cluster(("nowhere.invalid:1234",), 0), 1)
