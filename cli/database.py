"""The database that a command names."""

from germline.cli.printing import say
from germline.db.store import Store


def open_store(url: str, create: bool = False) -> Store:
    """The store at `url`, which writes to stderr while it waits for the lock of another process."""
    return Store(url, create=create, on_wait=lambda message: say(message, err=True))
