"""The watch over servers, with servers that listen and stop listening."""

import socket
import time
from collections.abc import Iterator

import pytest

from germline.evaluators.executors.cluster_watch import GONE_SECONDS, ClusterWatch


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.slow
def test_a_server_that_goes_is_noticed_and_named(server: socket.socket) -> None:
    watch = ClusterWatch({"the server": server.getsockname()})
    watch.check()
    assert watch.problem is None
    host, port = server.getsockname()
    server.close()
    deadline = time.monotonic() + 10 * GONE_SECONDS
    while watch.problem is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert watch.problem == f"the server at {host}:{port} is gone (Connection refused)"


@pytest.mark.slow
def test_a_check_waits_until_it_knows(server: socket.socket) -> None:
    watch = ClusterWatch({"the server": server.getsockname()})
    watch.stop()
    server.close()
    watch.check()
    assert watch.problem is not None and "is gone" in watch.problem
