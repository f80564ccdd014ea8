"""The run list equals that of the store, and its import loads no SQLAlchemy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from germline.db import run_list
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store


def test_the_run_list_equals_that_of_the_store_while_a_run_goes_on(
    tmp_path: Path, born: Callable[..., Individual], scored: Callable[..., EvaluationRecord]
) -> None:
    path = str(tmp_path / "runs.db")
    with Store(path) as store:
        for number in range(3):
            run = store.create_run(None, "optimizer", "digits-mlp", "quick", number, {}, {})
            store.add_individuals(run.id, "optimizer", [born(0), born(1, 0)])
            store.add_evaluations(run.id, [scored(0, 1.0), scored(1, None)])
        store.release(run.id, "finished", 2.5)
        rows = store.runs()
        assert run_list.runs(path) == rows
        assert [row.status for row in rows] == ["running", "running", "finished"]
    assert run_list.runs(f"sqlite:///{path}") == rows


def test_the_run_list_of_a_server_is_none() -> None:
    assert run_list.runs("postgresql://me@localhost/runs") is None


def test_the_run_list_imports_neither_sqlalchemy_nor_alembic() -> None:
    script = "import sys, germline.db.run_list; print({'sqlalchemy', 'alembic'} & {*sys.modules})"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


@pytest.mark.slow
def test_a_store_on_an_existing_file_does_not_import_alembic(tmp_path: Path) -> None:
    path = str(tmp_path / "runs.db")
    Store(path).close()
    script = (
        "import sys; from germline.db.store import Store; Store(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_a_database_in_a_read_only_folder_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    path = folder / "runs.db"
    with Store(str(path)) as store:
        store.create_run("kept", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.release(1, "finished", 0.0)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        rows = run_list.runs(str(path))
        with Store(str(path), create=False) as store:
            assert store.runs() == rows
            assert store.check() == []
    finally:
        folder.chmod(0o755)
    assert rows is not None
    assert [row.name for row in rows] == ["kept"]
