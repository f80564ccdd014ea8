"""The database that a command names."""

import click

from germline.cli.errors import printable
from germline.db.store import Store


def open_store(url: str, create: bool = False) -> Store:
    """The store at `url`, which writes to stderr while it waits for the lock of another process."""
    return Store(url, create=create, on_wait=lambda message: click.echo(printable(message), err=True))
