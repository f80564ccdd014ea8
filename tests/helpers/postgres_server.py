"""A PostgreSQL server of the tests' own, in a temporary folder, reachable through a Unix socket alone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PLACES = "/usr/lib/postgresql"
"""Where Debian's package has the programs of each version."""


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if find_spec("psycopg") is None:
        return "needs psycopg: pip install 'germline[postgres]'"
    if _programs() is None:
        return "needs the programs of PostgreSQL: apt-get install postgresql"
    if os.geteuid() == 0 and _user() is None:
        return "needs a user other than root, under which PostgreSQL runs"
    return None


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of a database on a server that runs as long as the block."""
    programs, user = _programs(), _user()
    assert programs is not None
    rights: dict[str, Any] = {"user": user, "extra_groups": []} if user else {}
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: the path of a socket has 107 bytes at most
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        create = [programs / "initdb", "-D", data, "-U", "germline", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(create, check=True, capture_output=True, cwd=folder, **rights)
        options = [f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off", "max_connections=40"]
        command = [programs / "postgres", "-D", data, *(part for option in options for part in ("-c", option))]
        log = folder / "log"
        with log.open("wb") as out:
            server = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, **rights)
        try:
            _wait(server, folder, log)
            yield f"postgresql+psycopg://germline@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # ends sessions that are left
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: "subprocess.Popen[bytes]", folder: Path, log: Path) -> None:
    import psycopg

    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"the server of the tests ended: {log.read_text()[-500:]}")
        try:
            psycopg.connect(host=str(folder), user="germline", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"the server of the tests does not answer: {log.read_text()[-500:]}")


def _programs() -> Path | None:
    """The folder with the programs of the newest version."""
    versions = sorted(Path(PLACES).glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    program = shutil.which("initdb")
    return Path(program).parent if program else None


def _user() -> str | None:
    """The user of the server if this process is root's, which PostgreSQL refuses; else, or if none exists, None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None
