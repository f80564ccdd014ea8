"""The migrations create exactly the schema of the code, and an upgrade preserves all rows."""

import ast
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from germline.db import migrate
from germline.db.engine import Database
from germline.db.errors import SchemaOutdated
from germline.db.location import locate
from germline.db.lock_retry import LockRetry
from germline.db.opening import upgrade
from germline.db.records import Individual
from germline.db.revisions import REVISIONS, VERSION_TABLE
from germline.db.schema import metadata
from germline.db.store import Store
from germline.db.views import VIEWS

LATER = '''
"""Adds a column, as a later release might."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("run", sa.Column("note", sa.Text))
    op.execute("UPDATE run SET note = 'upgraded'")
'''


def migrate_to_newest(url: str) -> None:
    """Creates the schema of an empty database by all migrations, one after the other."""
    database = Database(locate(url), LockRetry())
    database.write(lambda connection: migrate.run_migrations(connection))
    database.close()


@pytest.mark.parametrize("create", [migrate_to_newest, lambda url: Store(url).close()], ids=["migrated", "declared"])
def test_a_database_has_exactly_the_schema_of_the_code(url: str, create: Callable[[str], None]) -> None:
    create(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, metadata))

    database = Database(locate(url), LockRetry())
    assert database.read(differences) == []
    names = database.read(lambda connection: sqlalchemy.inspect(connection).get_view_names())
    assert sorted(names) == sorted(VIEWS)
    assert database.read(lambda connection: migrate.recorded_revision(connection, url)) == REVISIONS[-1]
    database.close()
    Store(url).close()


def test_migrated_and_new_databases_have_the_same_sql(tmp_path: Path) -> None:
    def texts(path: Path) -> dict[str, str]:
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: " ".join(sql.split()).replace("( ", "(").replace(" )", ")") for name, sql in rows}

    migrated, new = tmp_path / "migrated.db", tmp_path / "new.db"
    migrate_to_newest(str(migrated))
    Store(str(new)).close()
    before, after = texts(migrated), texts(new)
    # A constraint that is added to a table which is there stands with its column.
    of_column = " CONSTRAINT fk_genome_base REFERENCES genome (digest)"
    of_table = ", CONSTRAINT fk_genome_base FOREIGN KEY(base) REFERENCES genome (digest)"
    assert before["genome"].count(of_column) == after["genome"].count(of_table) == 1
    before["genome"], after["genome"] = before["genome"].replace(of_column, ""), after["genome"].replace(of_table, "")
    assert before == after


def test_the_listed_revisions_are_those_of_the_scripts() -> None:
    scripts = sorted((migrate.SCRIPTS / "versions").glob("[0-9]*.py"))
    revisions: list[str] = []
    for script in scripts:
        values = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(script.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("revision", "down_revision")
        }
        assert values["down_revision"] == (revisions[-1] if revisions else None)
        revisions.append(values["revision"])
    assert tuple(revisions) == REVISIONS


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The migrations of a later release."""
    target = tmp_path / "100% later"
    shutil.copytree(migrate.SCRIPTS, target)
    (target / "versions" / "0009_note.py").write_text(LATER)
    return target


def notes(url: str) -> list[tuple[str, str]]:
    database = Database(locate(url), LockRetry())
    query = sqlalchemy.text("SELECT name, note FROM run")
    rows = database.read(lambda connection: [(row[0], row[1]) for row in connection.execute(query)])
    database.close()
    return rows


def test_an_upgrade_runs_the_missing_scripts_and_preserves_the_rows(
    url: str, store: Store, scripts: Path, tmp_path: Path
) -> None:
    store.create_run("old", "optimizer", "digits-mlp", "quick", 1, {}, {})
    store.close()
    assert upgrade(url, scripts, (*REVISIONS, "0009")) == ("0008", "0009")
    assert notes(url) == [("old", "upgraded")]
    assert upgrade(url, scripts, (*REVISIONS, "0009")) == ("0009", "0009")
    if url.startswith("sqlite"):
        with Store(str(tmp_path / "runs.db.0008.backup"), create=False) as before:
            assert [summary.name for summary in before.runs()] == ["old"]


@pytest.mark.slow
def test_an_upgrade_that_fails_changes_nothing(url: str, store: Store, scripts: Path) -> None:
    store.create_run("old", "optimizer", "digits-mlp", "quick", 1, {}, {})
    script = scripts / "versions" / "0009_note.py"
    script.write_text(LATER + '    raise RuntimeError("power cut")\n')
    for _ in range(2):
        with pytest.raises(RuntimeError, match="power cut"):
            upgrade(url, scripts, (*REVISIONS, "0009"))
        assert [summary.name for summary in store.runs()] == ["old"]
        assert store.check() == []
    script.write_text(LATER)
    assert upgrade(url, scripts, (*REVISIONS, "0009")) == ("0008", "0009")
    assert notes(url) == [("old", "upgraded")]


def test_a_database_of_the_newest_schema_is_not_changed(url: str, store: Store, tmp_path: Path) -> None:
    assert upgrade(url) == (REVISIONS[-1], REVISIONS[-1])
    assert not list(tmp_path.glob("*.backup"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "released", ["schema-0001.db", "schema-0002.db", "schema-0005.db", "schema-0006.db", "schema-0007.db"]
)
def test_a_run_in_a_database_of_each_released_schema_can_be_resumed_after_an_upgrade(
    released: str, tmp_path: Path, born: Callable[..., Individual]
) -> None:
    path = tmp_path / released
    shutil.copy(Path(__file__).parent / "data" / released, path)
    upgrade(str(path))
    with Store(str(path), create=False) as store:
        assert store.check() == []
        run = store.run("mid-run")
        assert (run.status, (run.owner or "").split(":")[0]) == ("running", "elsewhere")
        store.claim(run.id, force=True)
        births = list(store.individuals(run.id))
        assert [record.rejected for record in births if record.rejected] == ([] if "0001" in released else [7])
        assert [record.birth for record in births] == list(range(10))
        store.add_individuals(run.id, "optimizer", [born(10, 9)])
        assert store.best("mid-run").individual.birth == 6
        assert store.check() == []


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from germline.db.opening import upgrade
left = int(sys.argv[2])
def count(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", count)
event.listen(Engine, "commit", count)
upgrade(sys.argv[1])
"""


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.slow
def test_an_upgrade_that_is_killed_in_its_middle_leaves_the_old_database_whole(tmp_path: Path) -> None:
    source = Path(__file__).parent / "data" / "schema-0007.db"
    path, statements = tmp_path / "runs.db", 0
    while True:
        statements += 3
        for each in tmp_path.iterdir():
            each.unlink()
        shutil.copy(source, path)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(path), str(statements)], check=False)
        if killed.returncode == 0:
            break
        assert killed.returncode == -signal.SIGKILL
        assert contents(path) == contents(source)
        with pytest.raises(SchemaOutdated, match="run `germline db upgrade"):
            Store(str(path))
        assert upgrade(str(path)) == ("0007", REVISIONS[-1])
        with Store(str(path), create=False) as store:
            assert store.check() == []
    assert statements > 8  # of the migration and its commit
    with Store(str(path), create=False) as store:
        assert store.check() == []


LIMITED = """
import resource, signal, sys
from germline.db.errors import DatabaseError
from germline.db.opening import upgrade
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    upgrade(sys.argv[1])
except DatabaseError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.mark.slow
@pytest.mark.parametrize("room", [0.0, 0.1, 0.9, 1.0])
def test_an_upgrade_without_room_leaves_the_old_database_whole(tmp_path: Path, room: float) -> None:
    path = Path(shutil.copy(Path(__file__).parent / "data" / "schema-0007.db", tmp_path / "runs.db"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")  # no page is free, and the views need more than a page
    before = contents(path)
    limit = str(int(room * path.stat().st_size))
    done = subprocess.run([sys.executable, "-c", LIMITED, path, limit], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"DiskFull: no room to write {path}"), done.stderr
    assert contents(path) == before
    backups = [each for each in tmp_path.iterdir() if each != path]  # a whole one, or none
    assert [contents(each) for each in backups] == ([before] if room == 1.0 else [])
    assert upgrade(str(path)) == ("0007", REVISIONS[-1])
