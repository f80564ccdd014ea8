"""Serves the dashboard on the loopback address until it is interrupted."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from germline.cli.errors import UserError
from germline.search.garbage_collection import rare_collections

LOOPBACK = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A socket on the loopback address; port 0: a free port.

    Raises:
        UserError: the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UserError(f"cannot listen on {LOOPBACK}:{port} ({error.strerror}); choose another --port", 1) from None
    return listening


class _Server(uvicorn.Server):
    """A server that ends what its answers wait for, before it waits for its answers."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ending()
        super().handle_exit(sig, frame)


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None], ending: Callable[[], None]) -> None:
    """Serves an application until SIGINT or SIGTERM.

    Args:
        app: the application.
        listening: the socket.
        ready: called before the first request is answered.
        ending: called when the signal comes, before open requests are answered.
    """
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off", workers=1)
    server = _Server(config, ending)
    ready()
    with rare_collections():  # rows are many small tuples without cycles
        server.run(sockets=[listening])
