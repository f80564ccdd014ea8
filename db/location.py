"""Parses the URL or path of a database. SQLAlchemy is not imported: ``germline runs`` must answer sooner."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from germline.db.errors import BadUrl

EXAMPLES: Final = "write a path such as germline.db, sqlite:///germline.db or postgresql://user@host/name"


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite database at an absolute path."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Server:
    """A database on a server. ``url`` is a SQLAlchemy URL and may contain a password, which ``str()`` hides."""

    url: str

    def __str__(self) -> str:
        hidden = re.sub(r"://([^:/@]*):.*@", r"://\1:***@", self.url)
        return re.sub(r"password=[^&]*", "password=***", hidden)


Location = SqliteFile | Server


def locate(url: str) -> Location:
    """Returns the location that a database URL or a plain path names.

    In ``sqlite:///…`` percent escapes are decoded, as in any URL (``%25`` is a percent sign); a plain path is used
    unchanged. Relative paths start from the working directory.

    Raises:
        BadUrl: the text names neither a file nor a SQLite or PostgreSQL database.
    """
    scheme, separator, rest = url.partition("://")
    if not url.strip() or "\0" in url:
        raise BadUrl(f"expected a database, got {url!r}: {EXAMPLES}")
    if not separator:
        return _plain_path(url)
    dialect = scheme.lower().partition("+")[0]
    if dialect == "sqlite":
        return _sqlite_path(url, rest)
    if dialect in ("postgresql", "postgres"):
        driver = scheme.partition("+")[2] or "psycopg"
        return Server(f"postgresql+{driver}://{rest}")
    raise BadUrl(f"expected a SQLite or PostgreSQL URL, got a {scheme!r} URL: {EXAMPLES}")


def _plain_path(path: str) -> SqliteFile:
    if path == ":memory:" or path.startswith("sqlite:"):
        raise BadUrl(f"expected a database file, got {path!r}: {EXAMPLES}")
    return SqliteFile(Path(path).absolute())


def _sqlite_path(url: str, rest: str) -> SqliteFile:
    path = unquote(rest[1:])
    if not rest.startswith("/") or not path or path == ":memory:":
        raise BadUrl(f"expected three slashes and a file name after sqlite:, got {url!r}: {EXAMPLES}")
    if "?" in rest:
        raise BadUrl(f"a sqlite URL takes no options, got {url!r}: leave them out (%3F is a question mark in a name)")
    return SqliteFile(Path(path).absolute())
