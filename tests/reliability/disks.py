"""Scenarios of disks that are full and of paths that are odd: row D3 of docs/reliability.md."""

import os
import random
import resource
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from command_process import run_command
from result import Result
from sessions import SEARCH, recorded_rows

from germline.cli.search_session import resume_command_of
from germline.db import run_list
from germline.db.errors import DatabaseError
from germline.db.location import SqliteFile, locate
from germline.db.store import Store

BIRTHS = "240"
NAMES = [
    *("plain.db", "with space.db", "100%.db", "50%25 off.db", "a?b#c.db", "x&y=z.db", ":memory:", "sqlite:"),
    *("a:b@c.db", "ünï 🧬.db", "-rf", "--help", "~", "*", "'", '"', "\\", "new\nline", "\x1b[31mred", "\u202e"),
    *("http:", "nul.db\\0", "x" * 247, "é" * 123, "." * 3, " ", "\t", "germline.db-wal", "germline.db-journal"),
]


def any_path(count: int, folder: Path) -> Result:
    """Databases under every name that a file system allows: created, written, listed, checked, and named again."""
    began, draw, failures = time.monotonic(), random.Random(5), []
    names = [name.encode() for name in NAMES]
    while len(names) < count:
        length = draw.choice((draw.randint(1, 20), draw.randint(21, 247), draw.randint(248, 255)))
        names.append(bytes(draw.choice([b for b in range(1, 256) if b != 0x2F]) for _ in range(length)))
    for number, name in enumerate(names):
        place = folder / str(number)
        place.mkdir()
        failures += [f"{name!r}: {problem}" for problem in _name_problems(place, name)]
    what = "names of databases, of any bytes: created, written, read and named again; longer than 247 bytes: refused"
    return Result("D3", what, len(names), tuple(failures), time.monotonic() - began)


def _name_problems(folder: Path, name: bytes) -> Iterator[str]:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    url = "sqlite:///" + quote(os.fsencode(path))
    if name in (b".", b".."):
        return
    if locate(url) != SqliteFile(path):
        yield f"the URL leads to {locate(url)}"
    try:
        with Store(url) as store:
            run = store.create_run("here", "optimizer", "digits-mlp", "quick", 1, {}, {})
            store.release(run.id, "stopped", 0.0)
            yield from store.check()
    except DatabaseError as error:
        if len(name) <= 247 or not str(error).isprintable() or list(folder.iterdir()):
            yield f"{type(error).__name__}: {error}"
        return
    if len(name) > 247:
        yield "a name that leaves no room for the log was accepted"
    summaries = run_list.runs(url)
    if [summary.name for summary in summaries or []] != ["here"]:
        yield f"expected one run in the list, got {summaries}"
    if other_files := {each.name for each in folder.iterdir()} - _files_of(path):
        yield f"left beside the file: {sorted(other_files)}"
    command = shlex.split(resume_command_of(run, str(path), None))
    if locate(command[command.index("--db") + 1]) != SqliteFile(path):
        yield f"the command to resume leads elsewhere: {command}"


def full_disks(count: int, folder: Path) -> Result:
    """Searches that run out of room at `count` sizes: a clean stop, no half file, and a resume after freeing."""
    began, failures = time.monotonic(), []
    straight = folder / "straight.db"
    run_command(*SEARCH, "--name", "run", "--births", BIRTHS, database=straight)
    expected = recorded_rows(straight, "run")
    mounts = _can_mount(folder)
    for number in range(count):
        size = 4096 * (12 + 500 * number // max(count, 10))
        place = folder / f"{number}"
        place.mkdir()
        small = _small_disk if mounts and number % 2 == 0 else _small_files
        with small(place, size) as (limits, free):
            failures += [
                f"{small.__name__} {size}: {problem}" for problem in _full_problems(place, limits, free, expected)
            ]
    what = "searches that run out of room: a clean stop, no half file, resumed after freeing"
    note = "half on a small tmpfs, half with a limit on file sizes" if mounts else "with a limit on file sizes"
    return Result("D3", what, count, tuple(failures), time.monotonic() - began, note)


def _full_problems(
    folder: Path, limits: Callable[[], None] | None, free: Callable[[], None], expected: object
) -> Iterator[str]:
    path, export, copy = folder / "runs.db", folder / "net.py", folder / "copy.db"
    done = run_command(*SEARCH, "--name", "run", "--births", BIRTHS, database=path, preexec_fn=limits)
    if done.returncode == 0:
        yield from [] if recorded_rows(path, "run") == expected else ["the run is not the straight run"]
        return
    error = (done.stderr.strip().splitlines() or [""])[-1]
    says_why = f"no room to write {path}" in error and "bytes are free" in error
    if done.returncode != 1 or "Traceback" in done.stderr or not says_why:
        yield _ending(done)
    whole = _files_of(path)
    for command, file in ((["export", "run", "-o", str(export)], export), (["db", "backup", str(copy)], copy)):
        done = run_command(*command, database=path, preexec_fn=limits)
        whole |= {file.name} if done.returncode == 0 else set()
        if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr:
            yield f"{command[0]}: {_ending(done)}"
    if other_files := {each.name for each in folder.iterdir()} - whole:
        yield f"left behind: {sorted(other_files)}"
    free()
    recorded = run_command("runs", "--json", database=path).stdout
    command = ["resume", "run", "--executor", "inline"] if '"run"' in recorded else [*SEARCH, "--name", "run"]
    done = run_command(*command, "--births", BIRTHS, database=path)
    if done.returncode != 0:
        yield f"resume: {_ending(done)}"
        return
    yield from [] if recorded_rows(path, "run") == expected else ["the resumed run is not the straight run"]
    with Store(str(path)) as store:
        yield from store.check()


def _ending(done: subprocess.CompletedProcess[str]) -> str:
    """How a command has ended, for the line of a failure."""
    return f"status {done.returncode}, {done.stderr[-300:]!r}"


Small = tuple[Callable[[], None] | None, Callable[[], None]]
"""What limits the process of a search, and what frees room."""


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[Small]:
    """A file system of so many bytes at the folder."""
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield None, lambda: _mount("-o", "remount,size=64m", str(folder))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _small_files(folder: Path, size: int) -> Iterator[Small]:
    """A limit on the size of files, which a quota resembles."""
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)), lambda: None


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _can_mount(folder: Path) -> bool:
    """Whether this process may mount a file system, as root may outside of most containers."""
    place = folder / "tried"
    place.mkdir(exist_ok=True)
    try:
        with _small_disk(place, 65536):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        place.rmdir()


def refused(count: int, folder: Path) -> Result:
    """Places that cannot hold a database: each is refused in one line, before work starts, and nothing is written."""
    began, failures = time.monotonic(), []
    (folder / "file").write_text("no folder")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    long = "/".join(["d" * 100] * 6)
    (folder / long).mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    inside = ["file/x.db", "folder", "none/x.db", "pipe", "x" * 256, "x" * 250, f"{long}/x.db", "x" * 5000]
    places = [
        *(str(folder / name) for name in inside),
        *(
            "/dev/null",
            "/dev/full",
            "/proc/x.db",
            " ",
            ":memory:",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:///%00",
        ),
        *("mysql://a/b", "http://x/y", "postgresql://h:port/x", "sqlite:///x.db?mode=ro"),
    ]
    commands = [[*SEARCH, "--births", "2"], ["runs"], ["db", "check"]]
    cases = [(place, command) for place in places for command in commands][:count]
    for place, command in cases:
        done = run_command(*command, database=place)
        is_line = done.stderr.startswith("Error: ") and len(done.stderr.splitlines()) == 1
        if done.returncode not in (1, 2) or done.stdout or not is_line:
            failures.append(f"{place!r:.80} {command[0]}: {_ending(done)}")
    if sorted(folder.rglob("*")) != before:
        failures.append("something was written")
    if _can_mount(folder / "folder"):
        failures += _read_only_problems(folder / "folder")
    what = "places that cannot hold a database, and what is no URL: refused in one line before work starts"
    return Result("D3", what, len(cases), tuple(failures), time.monotonic() - began)


def _read_only_problems(folder: Path) -> Iterator[str]:
    """A folder that can only be read: its runs are listed, and a search is refused."""
    with _small_disk(folder, 1 << 20):
        path = folder / "runs.db"
        run_command(*SEARCH, "--name", "run", "--births", "8", database=path)
        _mount("-o", "remount,ro", str(folder))
        done = run_command("runs", "--json", database=path)
        if done.returncode != 0 or '"run"' not in done.stdout:
            yield f"read-only folder: runs: {_ending(done)}"
        for place, command in ((path, ["resume", "run", "--births", "9"]), (folder / "new.db", SEARCH)):
            done = run_command(*command, database=place)
            if done.returncode != 2 or len(done.stderr.splitlines()) != 1 or str(place) not in done.stderr:
                yield f"read-only folder: {command[0]}: {_ending(done)}"
        _mount("-o", "remount,rw", str(folder))


def _files_of(path: Path) -> set[str]:
    """Names of a database and of the files that SQLite may keep beside it."""
    return {f"{path.name}{suffix}" for suffix in ("", "-wal", "-shm")}
