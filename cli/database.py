"""The database that a command names."""

import os
import shlex

from germline.cli.printing import say
from germline.db.passwords import without_passwords
from germline.db.store import Store

DEFAULT_URL = "sqlite:///germline.db"
"""The database of a command without `--db` and without the environment variable GERMLINE_DB."""


def on_database(command: str, url: str) -> str:
    """A command to suggest, with `--db` unless it finds the database at `url` without; passwords are hidden."""
    if url in (DEFAULT_URL, os.environ.get("GERMLINE_DB")):
        return command
    return f"{command} --db {shlex.quote(without_passwords(url))}"


def open_store(url: str, create: bool = False) -> Store:
    """The store at `url`, which writes to stderr while it waits for the lock of another process."""
    return Store(url, create=create, on_wait=lambda message: say(message, err=True))
