"""The schema of a file is code that SQLite executes: an altered schema is named, and refused where it could act."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from altered_schemas import ENDLESS, HARMLESS, REFUSED_FOR_READING, REFUSED_FOR_WRITING, alter

from germline.db import file_schema, run_list
from germline.db.errors import AlteredSchema, DamagedDatabase
from germline.db.opening import upgrade
from germline.db.records import EvaluationRecord, Individual
from germline.db.revisions import REVISIONS
from germline.db.sqlite_connection import connect
from germline.db.store import Store

DATA = Path(__file__).parent / "data"


@pytest.fixture
def path(
    tmp_path: Path, blank: bytes, born: Callable[..., Individual], scored: Callable[..., EvaluationRecord]
) -> Path:
    """A sound run."""
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    with Store(str(path)) as store:
        run = store.create_run("sound", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.add_individuals(run.id, "optimizer", [born(0), born(1, 0)])
        store.add_evaluations(run.id, [scored(0, 1.0), scored(1, 2.0)])
        store.release(run.id, "stopped", 1.0)
    return path


@pytest.mark.parametrize(("statements", "difference"), REFUSED_FOR_READING.values(), ids=REFUSED_FOR_READING)
def test_altered_tables_are_neither_read_nor_written(path: Path, statements: list[str], difference: str) -> None:
    before = alter(path, statements)
    openers: list[Callable[[str], object]] = [Store, lambda url: Store(url, create=False), run_list.runs, upgrade]
    for opener in openers:
        with pytest.raises(AlteredSchema, match="expected the schema that Germline creates, got") as refusal:
            opener(str(path))
        assert difference in refusal.value.differences
        assert str(refusal.value).isprintable() and "it was not read" in str(refusal.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("statements", "difference"), REFUSED_FOR_WRITING.values(), ids=REFUSED_FOR_WRITING)
def test_what_acts_when_rows_are_written_is_named_and_nothing_is_written(
    path: Path, born: Callable[..., Individual], statements: list[str], difference: str
) -> None:
    before = alter(path, statements)
    summaries = run_list.runs(str(path))
    with Store(str(path)) as store:
        assert store.runs() == summaries
        assert len(list(store.evaluations(1))) == 2
        assert f"altered schema: {difference}" in store.check()
        writers: list[Callable[[], object]] = [
            lambda: store.claim(1),
            lambda: store.add_individuals(1, "optimizer", [born(2, 1)]),
            lambda: store.request_stop("sound"),
            lambda: store.add_artifact("sound", 1, "torch", "found.py", "00"),
            lambda: store.create_run(None, "optimizer", "digits-mlp", "quick", 1, {}, {}),
        ]
        for write in writers:
            with pytest.raises(AlteredSchema, match=f"{difference}: it can be read, but was not written"):
                write()
    assert path.read_bytes() == before


@pytest.mark.parametrize(("statements", "difference"), HARMLESS.values(), ids=HARMLESS)
def test_what_germline_does_not_use_is_named_and_never_executed(
    path: Path, born: Callable[..., Individual], statements: list[str], difference: str
) -> None:
    alter(path, statements)
    began = time.process_time()
    summaries = run_list.runs(str(path))
    assert summaries is not None and [summary.evaluations for summary in summaries] == [2]
    with Store(str(path)) as store:
        assert store.runs() == summaries
        assert store.check() == [f"altered schema: {difference}"]
        store.claim(1)
        store.add_individuals(1, "optimizer", [born(2, 1)])
        store.release(1, "stopped", 0.0)
    assert time.process_time() - began < 5  # an endless view would end only with the limit of steps


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_outdated_file_with_a_trigger_is_not_upgraded(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "old.db"
    shutil.copy(DATA / f"schema-{revision}.db", path)
    before = alter(path, ["CREATE TRIGGER evil AFTER INSERT ON run BEGIN DELETE FROM run; END"])
    with pytest.raises(AlteredSchema, match="trigger evil"):
        upgrade(str(path))
    assert path.read_bytes() == before and not list(tmp_path.glob("*.backup"))


def test_a_file_of_every_released_schema_has_the_schema_of_its_migrations(path: Path) -> None:
    files = {revision: DATA / f"schema-{revision}.db" for revision in REVISIONS[:-1]} | {REVISIONS[-1]: path}
    for revision, file in files.items():
        if file.exists():
            with closing(sqlite3.connect(file)) as connection:
                assert file_schema.differences_of_file(connection, revision) == file_schema.Differences()


def test_statistics_of_sqlite_are_no_difference(path: Path) -> None:
    alter(path, ["ANALYZE"])
    with Store(str(path)) as store:
        assert store.check() == []
        store.request_stop("sound")


@pytest.mark.slow
def test_a_query_that_a_file_of_its_size_cannot_need_ends(path: Path) -> None:
    with closing(connect(path, "rw")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(f"{ENDLESS} SELECT max(x) FROM c").fetchall()
        connection.begin_statement()
        assert connection.execute("SELECT count(*) FROM evaluation").fetchall() == [(2,)]


def test_expressions_of_a_schema_call_no_function_with_effects(path: Path) -> None:
    with closing(connect(path, "rw")) as connection:
        connection.execute("CREATE VIEW evil AS SELECT load_extension('evil.so')")
        with pytest.raises(sqlite3.OperationalError, match="unsafe use of load_extension"):
            connection.execute("SELECT * FROM evil")


def test_births_out_of_order_are_an_error_and_no_endless_loop(path: Path) -> None:
    """Each page of births begins after the last birth of the page before, so a wrong order could be read for ever."""
    content = path.read_bytes()
    # The headers of the two records: run 1, birth 0 or 1, block 0, and the lengths of the texts.
    first, second = bytes.fromhex("08 09 08 08 4d 1b 15 00"), bytes.fromhex("08 09 09 08 4d 1b 19 00")
    assert content.count(first) == content.count(second) == 1
    content = content.replace(first, first[:2] + b"\x09" + first[3:])
    path.write_bytes(content.replace(second, second[:2] + b"\x08" + second[3:]))
    with Store(str(path)) as store:
        with pytest.raises(DamagedDatabase, match=r"birth [01] cannot be read \(it comes after birth [01]\)"):
            list(store.individuals(1))
        assert store.check()


@pytest.mark.parametrize(
    "definition",
    [
        ("view", "evil", "CREATE TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM run; END"),
        ("view", "evil", "CREATE/**/TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM run; END"),
        ("table", "evil", "CREATE VIRTUAL TABLE evil USING fts5 (x)"),
        ("table", "evil", None),
        ("table", "evil", 5),
    ],
)
def test_the_type_that_a_file_claims_is_not_trusted(definition: tuple[str, str, Any]) -> None:
    found = file_schema.differences([file_schema.Definition(*definition)], "0001")
    assert found.writing == (f"{definition[0]} evil is not Germline's",)
