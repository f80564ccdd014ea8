"""Scenarios of files that come from elsewhere or are damaged: rows G1 and G2 of docs/reliability.md."""

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from altered_schemas import HARMLESS, REFUSED_FOR_READING, REFUSED_FOR_WRITING, alter
from command_line import call
from result import Result
from sessions import SEARCH, difference, recorded_rows

from germline.db import migrate
from germline.db.engine import Database
from germline.db.location import SqliteFile
from germline.db.lock_retry import LockRetry
from germline.db.revisions import REVISIONS

KILLED = Path(__file__).parent.parent / "db" / "data" / "schema-0003.db"
"""A database of schema 0003 whose search was killed: run `killed` of 120 births."""
BORN = 80
"""Births of `KILLED`."""

READING = ("runs", "top run -n 3", "show run", "lineage run", "curve run", "compare run", "db check", "db replay run")
WRITING = ("export run -o {folder}/found.py --force", "resume run --births 32 --executor inline")
SECONDS = 60
"""Limit of a command in this process, after which it counts as endless."""


def released_schemas(count: int, folder: Path) -> Result:
    """A killed search in a database of each released schema: upgraded, checked, resumed, compared with a whole run."""
    began, failures = time.monotonic(), []
    whole = folder / "whole.db"
    with closing(sqlite3.connect(KILLED)) as connection:
        config = connection.execute("SELECT config FROM run").fetchone()[0]
    _begin_again(whole, config)
    call(whole, "resume", "killed", "--executor", "inline")
    expected = recorded_rows(whole, "killed")
    for revision in REVISIONS:
        path = folder / f"{revision}.db"
        _with_schema(path, revision)
        for command in (("db", "upgrade"), ("db", "check"), ("resume", "killed", "--force", "--executor", "inline")):
            done = call(path, *command)
            if done.exit_code:
                failures.append(f"{revision} {' '.join(command)}: {done.output[-300:]}")
        problem = difference(
            _without_rejected(expected) if revision == "0001" else expected, recorded_rows(path, "killed")
        )
        failures += [f"{revision}: {problem}"] if problem else []
        failures += [f"{revision}: {line}" for line in call(path, "db", "check").stdout.splitlines()[1:]]
    what = "a killed search in a database of each released schema: upgraded, checked, resumed, equal to a whole run"
    return Result("G1", what, len(REVISIONS), tuple(failures), time.monotonic() - began)


def _without_rejected(expected: Mapping[str, list[Any]]) -> Mapping[str, list[Any]]:
    """What a run has recorded if the numbers of rejected genomes of the first session are not known."""
    rows = [row | ({"rejected": 0} if row["birth"] < BORN else {}) for row in expected["individuals"]]
    return {**expected, "individuals": rows}


def _begin_again(path: Path, config: str) -> None:
    """A database with the run of `KILLED` before its first birth."""
    shutil.copy(KILLED, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("winner", "evaluation", "rejection", "parentage", "individual", "genome"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE run SET status = 'stopped', owner = NULL, config = ?", (config,))
    call(path, "db", "upgrade")


def _with_schema(path: Path, revision: str) -> None:
    """A database of an earlier schema with the rows of `KILLED`, as far as its tables and columns hold them."""
    database = Database(SqliteFile(path), LockRetry())
    with closing(database):
        database.write(lambda connection: migrate.run_migrations(connection, revision=revision))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS killed", (str(KILLED),))
        tables = "SELECT name FROM {}.sqlite_master WHERE type = 'table' AND name <> 'germline_version'"
        for (table,) in connection.execute(f"{tables.format('main')} INTERSECT {tables.format('killed')}").fetchall():
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA killed.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM killed.{table}")


def hostile_schemas(count: int, folder: Path) -> Result:
    """Files whose schema would act: `count` commands on files with triggers, views, expressions and other objects."""
    began, failures = time.monotonic(), []
    sound = _finished(folder)
    schemas = {**REFUSED_FOR_READING, **REFUSED_FOR_WRITING, **HARMLESS}
    cases = [(name, command) for name in schemas for command in (*READING, *WRITING)]
    for number in range(count):
        name, command = cases[number % len(cases)]
        statements, difference = schemas[name]
        path = folder / "hostile.db"
        path.write_bytes(sound)
        before = alter(path, statements)
        problem = _problem_of(path, command, folder)
        if command == "db check" and difference not in call(path, "db", "check").stdout:
            problem = problem or f"`db check` does not name {difference}"
        if name not in HARMLESS and path.read_bytes() != before:
            problem = problem or "the file was changed"
        failures += [f"{name}, {command}: {problem}"] if problem else []
        _remove(path)
    what = "commands on files with triggers, views in the place of tables, expressions: nothing of them is executed"
    return Result("G2", what, count, tuple(failures), time.monotonic() - began)


def damaged_databases(count: int, folder: Path) -> Result:
    """Databases with flipped bits, cut ends, and pages that are zeroed or exchanged; a command and a check of each."""
    began, draw, failures = time.monotonic(), random.Random(count), []
    sound = _finished(folder)
    commands = (*READING, *WRITING)
    refused = 0
    for number in range(count):
        kind = list(DAMAGES)[number % len(DAMAGES)]
        damaged = DAMAGES[kind](sound, draw)
        command = commands[number // len(DAMAGES) % len(commands)]
        path = folder / "damaged.db"
        path.write_bytes(damaged)
        problem = _problem_of(path, command, folder)
        refused += problem is None and _refuses(path)
        if problem:
            kept = folder.parent / f"damaged-{number}.db"
            kept.write_bytes(damaged)
            failures.append(f"{kind}, {command} ({kept}): {problem}")
        _remove(path)
    what = (
        "databases with flipped bits, cut ends, zeroed or exchanged pages, and a command on each: a typed error or none"
    )
    note = f"`db check` found {refused:,} of them"
    return Result("G2", what, count, tuple(failures), time.monotonic() - began, note)


def _refuses(path: Path) -> bool:
    with _limited():
        return call(path, "db", "check").exit_code != 0


def _finished(folder: Path) -> bytes:
    """The bytes of a sound database with a finished search of architectures."""
    path = folder / "sound.db"
    done = call(path, *SEARCH, "--name", "run", "--births", "32", "--set", "max_params=1M")
    assert done.exit_code == 0, done.output
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    return path.read_bytes()


def _problem_of(path: Path, command: str, folder: Path) -> str | None:
    """What is wrong with how a command ended: no typed error in a line, no end, or a file that it changed although it
    failed or only reads. None if nothing is."""
    before = path.read_bytes()
    try:
        with _limited():
            done = call(path, *command.format(folder=folder).split())
    except _Endless:
        return f"no end within {SECONDS} s"
    writes = (done.exit_code == 0 and command.startswith("export")) or command.startswith("resume")
    if path.read_bytes() != before and not writes:
        return "the file was changed"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"{type(done.exception).__name__}: {done.exception}"
    if done.exit_code not in (0, 1, 2):
        return f"status {done.exit_code}"
    if done.exit_code and not done.stderr.strip().splitlines()[-1].startswith("Error: "):
        return f"expected an error in a line, got {done.stderr[-300:]!r}"
    return None


class _Endless(BaseException):
    """Raised in a command that does not end."""


@contextmanager
def _limited() -> Iterator[None]:
    """Raises `_Endless` if the body takes longer than `SECONDS`."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _Endless

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()


PAGE = 4096


def _one_bit(content: bytes, draw: random.Random) -> bytes:
    return _flipped(content, [draw.randrange(8 * len(content))])


def _some_bits(content: bytes, draw: random.Random) -> bytes:
    return _flipped(content, [draw.randrange(8 * len(content)) for _ in range(draw.randint(2, 64))])


def _bits_of_headers(content: bytes, draw: random.Random) -> bytes:
    """Flips a bit in the header of a page, which random bits seldom hit."""
    page = draw.randrange(len(content) // PAGE)
    return _flipped(content, [8 * (page * PAGE + draw.randrange(108 if page == 0 else 60)) + draw.randrange(8)])


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def _zeroed(content: bytes, draw: random.Random) -> bytes:
    return _with_page(content, draw.randrange(len(content) // PAGE), bytes(PAGE))


def _random_page(content: bytes, draw: random.Random) -> bytes:
    return _with_page(content, draw.randrange(1, len(content) // PAGE), draw.randbytes(PAGE))


def _copied_page(content: bytes, draw: random.Random) -> bytes:
    """A page in the place of another, so that pages may lead to each other in circles."""
    source, target = draw.randrange(1, len(content) // PAGE), draw.randrange(1, len(content) // PAGE)
    return _with_page(content, target, content[source * PAGE : (source + 1) * PAGE])


def _flipped(content: bytes, bits: Sequence[int]) -> bytes:
    flipped = bytearray(content)
    for bit in bits:
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def _with_page(content: bytes, page: int, new: bytes) -> bytes:
    return content[: page * PAGE] + new + content[(page + 1) * PAGE :]


DAMAGES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "one bit": _one_bit,
    "bits of headers": _bits_of_headers,
    "some bits": _some_bits,
    "cut": _cut,
    "zeroed page": _zeroed,
    "random page": _random_page,
    "copied page": _copied_page,
}
