"""Opening missing, foreign, older, newer and damaged databases."""

import hashlib
import os
import random
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from germline.db import run_list, sqlite_path
from germline.db.errors import (
    BadPath,
    BadUrl,
    DamagedDatabase,
    DatabaseError,
    ForeignDatabase,
    MissingDatabase,
    NotADatabase,
    SchemaNewer,
    SchemaOutdated,
    Unreachable,
)
from germline.db.opening import upgrade
from germline.db.records import EvaluationRecord, Individual
from germline.db.revisions import REVISIONS
from germline.db.store import Store


def open_store(url: str) -> None:
    Store(url).close()


OPENERS: list[Callable[[str], object]] = [open_store, run_list.runs, upgrade]


@pytest.fixture
def sound(
    tmp_path: Path, blank: bytes, born: Callable[..., Individual], scored: Callable[..., EvaluationRecord]
) -> Path:
    """A sound database with a small run."""
    path = tmp_path / "kept.db"
    path.write_bytes(blank)
    with Store(str(path)) as store:
        run = store.create_run("kept", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.add_individuals(run.id, "optimizer", [born(0), *(born(birth, birth - 1) for birth in range(1, 40))])
        store.add_evaluations(run.id, [scored(birth, float(birth)) for birth in range(40)])
        store.release(run.id, "finished", 1.0)
    return path


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def assert_refused_unchanged(path: Path, error: type[DatabaseError], match: str) -> None:
    """Asserts that all ``OPENERS`` raise the error, in a line with the path, and leave file and folder unchanged."""
    before, names = hashlib.sha256(path.read_bytes()).digest(), sorted(os.listdir(path.parent))  # noqa: PTH208
    for opener in OPENERS:
        with pytest.raises(error, match=match) as raised:
            opener(str(path))
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert sorted(os.listdir(path.parent)) == names  # noqa: PTH208


@pytest.mark.parametrize(
    "name", ["plain.db", "with space.db", "100%.db", "50%25 off.db", "ünï 🧬.db", "a?b#c.db", "no-suffix"]
)
def test_any_file_name_works_as_a_plain_path(tmp_path: Path, name: str) -> None:
    with Store(str(tmp_path / name)) as store:
        store.create_run("here", "optimizer", "digits-mlp", "quick", 1, {}, {})
    assert (tmp_path / name).exists()
    summaries = run_list.runs(str(tmp_path / name))
    assert summaries is not None
    assert [summary.name for summary in summaries] == ["here"]


@pytest.mark.parametrize(
    ("written", "name"), [("a b.db", "a b.db"), ("100%.db", "100%.db"), ("a%20ü%3F.db", "a ü?.db")]
)
def test_percent_escapes_of_a_sqlite_url_are_decoded(tmp_path: Path, written: str, name: str) -> None:
    open_store(f"sqlite:///{tmp_path}/{written}")
    assert (tmp_path / name).exists()


def test_a_relative_path_starts_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///relative.db")
    open_store("germline.db")
    assert {path.name for path in tmp_path.glob("*.db")} == {"relative.db", "germline.db"}


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    for viewer in (run_list.runs, upgrade, lambda url: Store(url, create=False)):
        with pytest.raises(MissingDatabase, match="no runs are recorded in"):
            viewer(str(path))
    assert path.stat().st_size == 0
    open_store(str(path))
    assert run_list.runs(str(path)) == []


def test_a_file_that_another_process_may_have_begun_to_use_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    sqlite_path.create_file(path)
    assert path.stat().st_size == 0
    with Store(str(path)) as store:
        store.create_run("first", "optimizer", "digits-mlp", "quick", 1, {}, {})
        sqlite_path.create_file(path)
        assert [summary.name for summary in store.runs()] == ["first"] and path.exists()


def test_a_missing_database_is_not_created_by_a_viewer(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    for viewer in (run_list.runs, upgrade, lambda url: Store(url, create=False)):
        with pytest.raises(MissingDatabase, match=r"none\.db: name another"):
            viewer(str(path))
    assert list(tmp_path.iterdir()) == []


def test_the_error_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BadPath, match=r"there is no folder .*/not: run `mkdir -p '.*/not'`"):
        open_store(str(tmp_path / "not" / "there.db"))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    for opener in OPENERS:
        with pytest.raises(BadPath, match="is a directory: name a file in it"):
            opener(str(tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", ":memory:", "nul\0.db", "mysql://a/b", "http://localhost/x", "postgresql://h:port/x"),
        *("sqlite://", "sqlite:///", "sqlite:////", "sqlite://file.db", "sqlite:file.db", "sqlite:///:memory:"),
        "sqlite:///a.db?mode=ro",
    ],
)
def test_a_url_that_names_no_database_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((BadUrl, BadPath)) as raised:
        open_store(url)
    assert str(raised.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_a_missing_server_driver_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unreachable, match=r"needs psycopg: run `pip install 'germline\[postgres\]'`"):
        open_store("postgresql://me@localhost/germline")


def test_the_error_of_an_unreachable_server_hides_the_password() -> None:
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    with pytest.raises(Unreachable, match="cannot be reached") as raised:
        open_store("postgresql://me:s3cr3t@127.0.0.1:1/germline")
    assert "me:***@127.0.0.1:1" in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [b"x", b"SQLite", b"run,birth\n1,2\n" * 1000, random.Random(1).randbytes(9000), b"\0" * 4096],
    ids=["a letter", "the first letters", "text", "random bytes", "zeros"],
)
def test_a_file_that_is_no_sqlite_database_is_refused_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    assert_refused_unchanged(path, NotADatabase, "is not a SQLite database")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_another_program_is_refused_unchanged(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "browser.db"
    sql(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE run (id INTEGER)", "CREATE TABLE alembic_version (x TEXT)")
    assert_refused_unchanged(path, ForeignDatabase, "database of another program")


def test_a_newer_schema_is_refused_unchanged(sound: Path) -> None:
    sql(sound, "UPDATE germline_version SET version_num = '9999'")
    assert_refused_unchanged(sound, SchemaNewer, "schema '9999'.*a newer Germline wrote it")


def test_the_error_of_an_older_schema_names_the_upgrade_command(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germline.db.opening.REVISIONS", (*REVISIONS, "later"))
    with pytest.raises(
        SchemaOutdated,
        match=f"has schema {REVISIONS[-1]}, this version works with later: run `germline db upgrade --db ",
    ):
        open_store(str(sound))


def test_a_database_without_its_revision_is_damaged(sound: Path) -> None:
    sql(sound, "DELETE FROM germline_version")
    with pytest.raises(DamagedDatabase, match="no schema revision"):
        open_store(str(sound))


@pytest.mark.parametrize("length", [50, 100, 600, 4096, 20000])
def test_a_truncated_file_is_refused_unchanged(sound: Path, length: int) -> None:
    content = sound.read_bytes()
    assert length < len(content)
    sound.write_bytes(content[:length])
    for ending in ("-wal", "-shm"):
        Path(f"{sound}{ending}").unlink(missing_ok=True)
    for opener in (read_everything, run_list.runs):
        with pytest.raises(DatabaseError):
            opener(str(sound))
    assert sound.read_bytes() == content[:length]


def read_everything(url: str) -> None:
    with Store(url, create=False) as store:
        run = store.run("kept")
        list(store.individuals(run.id))
        list(store.evaluations(run.id))
        store.runs()
        store.top("kept", 100)
        store.lineage("kept", 39)
        if problems := store.check():
            raise DamagedDatabase(problems[0])


@pytest.mark.slow
def test_flipped_bits_raise_database_errors_and_the_file_stays_unchanged(sound: Path, tmp_path: Path) -> None:
    content, draw, refused = sound.read_bytes(), random.Random(5), 0
    header_first = [bit for byte in (*range(24), 68, 100, 103) for bit in (8 * byte, 8 * byte + 5)]
    for bit in header_first + [draw.randrange(8 * len(content)) for _ in range(30)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path = tmp_path / "flipped.db"
        path.write_bytes(flipped)
        for opener in (read_everything, run_list.runs):
            try:
                opener(str(path))
            except DatabaseError as error:
                assert str(error).isprintable()
                refused += 1
        assert path.read_bytes() == flipped
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
    assert refused > 30
