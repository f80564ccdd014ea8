"""Every decision of a run is derived again from its rows, also of runs that an earlier version has recorded."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command_line import call, data

from germline.db.opening import upgrade
from germline.db.store import Store
from germline.search.replay import replay

RECORDED = Path(__file__).parent / "data" / "recorded_runs.db"
BIRTHS = {"optimizer": 112, "architecture": 200, "policy": 200}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A copy of the runs that an earlier version has recorded (`data/record_runs.sh`)."""
    path = tmp_path / "runs.db"
    shutil.copy(RECORDED, path)
    upgrade(f"sqlite:///{path}")
    return path


def change(database: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


@pytest.mark.parametrize("run", BIRTHS)
def test_recorded_runs_are_decided_as_they_were(database: Path, run: str) -> None:
    with Store(str(database)) as store:
        result = replay(store, run)
        assert result.difference is None, "a later version decides otherwise: old runs cannot be resumed by it"
        assert (result.births, result.waiting) == (BIRTHS[run], 0)
        assert result.winners == len(store.winners(run)) > 1


def test_a_replay_writes_nothing(database: Path) -> None:
    before = database.read_bytes()
    row = data(database, "db", "replay", "architecture")
    assert row == {"ok": True, "births": 200, "winners": row["winners"], "waiting": 0, "difference": None}
    assert database.read_bytes() == before


RUN = "(SELECT id FROM run WHERE name = 'architecture')"


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (f"UPDATE individual SET operator = 'draw' WHERE run_id = {RUN} AND birth = 150", "birth 150: .*operator"),
        (f"UPDATE parentage SET parent = parent - 1 WHERE run_id = {RUN} AND birth = 150", "birth 150: .*parents"),
        (f"UPDATE individual SET fingerprint = 'abc' WHERE run_id = {RUN} AND birth = 31", "birth 31: .*fingerprint"),
        (
            f"UPDATE individual SET genome = (SELECT genome FROM individual WHERE run_id = {RUN} AND birth = 3) "
            f"WHERE run_id = {RUN} AND birth = 150",
            "birth 150: .*genome",
        ),
        (f"UPDATE winner SET birth = 1 WHERE run_id = {RUN} AND block = 4", "block 4: .*winner"),
        # An outcome decides about later births.
        (
            "UPDATE evaluation SET objectives = replace(objectives, '.', '9.'), fitness = fitness * 2 "
            f"WHERE run_id = {RUN} AND birth < 100",
            "birth|block",
        ),
    ],
)
def test_a_changed_row_is_named(database: Path, statement: str, difference: str) -> None:
    change(database, statement)
    result = call(database, "db", "replay", "architecture")
    assert result.exit_code == 1
    assert re.search(f"architecture is not what its search decides. ({difference})", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_a_run_without_its_last_outcomes_is_derived_up_to_them(database: Path) -> None:
    change(database, f"DELETE FROM evaluation WHERE run_id = {RUN} AND birth >= 180")
    with Store(str(database)) as store:
        result = replay(store, "architecture")
    assert result.difference is None
    assert 0 < result.waiting <= 40
    assert result.births == 200


def test_an_unknown_run_is_an_error_of_one_line(database: Path) -> None:
    result = call(database, "db", "replay", "architectur")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
