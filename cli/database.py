"""The database that a command names."""

import click

from germline.cli.errors import printable
from germline.db.store import Store


def open_store(url: str, create: bool = False) -> Store:
    """The store at `url`; it reports on stderr when it has to wait for another process's lock."""
    return Store(url, create=create, on_wait=lambda message: click.echo(printable(message), err=True))
