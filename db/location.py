"""Parses the URL or path of a database. SQLAlchemy is not imported: ``germline runs`` must answer sooner."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from germline.db.errors import BadPath, BadUrl
from germline.db.passwords import without_passwords

EXAMPLES: Final = "write a path such as germline.db, sqlite:///germline.db or postgresql://user@host/name"


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite database at an absolute path."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Server:
    """A database on a server. ``url`` is a SQLAlchemy URL and may contain passwords, which ``str()`` hides."""

    url: str

    def __str__(self) -> str:
        return without_passwords(self.url)


Location = SqliteFile | Server


def locate(url: str) -> Location:
    """Returns the location that a database URL or a plain path names.

    In ``sqlite:///…`` percent escapes are decoded, as in any URL (``%25`` is a percent sign); a plain path is used
    unchanged. Relative paths start from the working directory.

    Raises:
        BadUrl: the text names neither a file nor a SQLite or PostgreSQL database.
        BadPath: a relative path, and there is no working directory.
    """
    scheme, separator, rest = url.partition("://")
    if not url.strip() or "\0" in url:
        raise BadUrl(f"expected a database, got {without_passwords(url)!r}: {EXAMPLES}")
    if not separator:
        return _plain_path(url)
    dialect = scheme.lower().partition("+")[0]
    if dialect == "sqlite":
        return _sqlite_path(url, rest)
    if dialect in ("postgresql", "postgres"):
        driver = scheme.partition("+")[2] or "psycopg"
        if rest.count("@") > 1:
            raise BadUrl(f"expected one @ in a URL and %40 for all others, got {without_passwords(url)}")
        return Server(f"postgresql+{driver}://{rest}")
    raise BadUrl(f"expected a SQLite or PostgreSQL URL, got a {scheme!r} URL: {EXAMPLES}")


def _plain_path(path: str) -> SqliteFile:
    if path == ":memory:" or path.startswith("sqlite:"):
        raise BadUrl(f"expected a database file, got {path!r}: {EXAMPLES}")
    return _sqlite_file(path)


def _sqlite_path(url: str, rest: str) -> SqliteFile:
    path = os.fsdecode(unquote_to_bytes(rest[1:].encode("utf-8", "surrogateescape")))
    if not rest.startswith("/") or not path or path == ":memory:" or "\0" in path:
        raise BadUrl(f"expected three slashes and a file name after sqlite:, got {url!r}: {EXAMPLES}")
    if "?" in rest:
        raise BadUrl(f"a sqlite URL takes no options, got {url!r}: leave them out (%3F is a question mark in a name)")
    return _sqlite_file(path)


def _sqlite_file(path: str) -> SqliteFile:
    try:
        return SqliteFile(Path(path).absolute())
    except OSError as error:
        raise BadPath(f"the working directory cannot be used ({error.strerror}): change to another") from error
