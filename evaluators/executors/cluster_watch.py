"""Watches the servers of a Ray cluster, because Ray itself takes minutes to notice that they are gone."""

import socket
import threading
import time
from collections.abc import Mapping

EVERY_SECONDS = 0.5
CONNECT_SECONDS = 3.0
"""How long a server may take to accept a connection."""
GONE_SECONDS = 1.0
"""A server that has accepted no connection for this long counts as gone."""


class ClusterWatch:
    """Connects to each server twice a second, in a thread of its own.

    `problem` is None while all servers accept connections, else a line about the first that is gone.

    Args:
        servers: host and port of each server, by its name in messages.
    """

    def __init__(self, servers: Mapping[str, tuple[str, int]]) -> None:
        self.problem: str | None = None
        self._servers = servers
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="cluster watch", daemon=True).start()

    def check(self) -> None:
        """Connects to all servers now; sets `problem` if one of them is gone, which takes `GONE_SECONDS` or more."""
        for name, address in self._servers.items():
            began = time.monotonic()
            while self.problem is None and (error := refusal(address)) is not None:
                if time.monotonic() - began >= GONE_SECONDS:
                    self.problem = f"{name} at {address[0]}:{address[1]} is gone ({error})"
                    break
                time.sleep(EVERY_SECONDS)

    def stop(self) -> None:
        """Ends the watch."""
        self._stop.set()

    def _run(self) -> None:
        while self.problem is None and not self._stop.wait(EVERY_SECONDS):
            self.check()


def refusal(address: tuple[str, int]) -> str | None:
    """Returns why a server does not accept a connection, or None if it does."""
    try:
        socket.create_connection(address, timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
