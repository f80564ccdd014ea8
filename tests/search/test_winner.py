"""The winner of a run is what its search announced, however the run was cut, and whether or not it was recorded."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from germline.db.errors import NothingScored
from germline.db.opening import upgrade
from germline.db.store import Store
from germline.search.progress import Progress
from germline.search.run import evolve, new_run
from germline.search.winner import winner, winners

OPTIMIZER = ("population=20", "block=16", "pack=4", "lengths=0.05,0.1", "warmup=20", "litter=2")
POLICY = ("population=8", "parents=3", "candidates=3", "review_episodes=2", "test_episodes=2", "hidden=4", "pack=8")

NB201: dict[str, Any] = {"kind": "architecture", "births": 70}
SEARCHES: dict[str, dict[str, Any]] = {
    "funnel": {"settings": (*OPTIMIZER, "review_every=32"), "births": 56, "seed": 1},
    "aging": {"settings": (*OPTIMIZER, "review_every=0"), "births": 56, "seed": 1},
    "eeea": NB201 | {"task": "nb201-cifar10", "preset": "eeea", "settings": ("space=nb201", "population=20")},
    "knee": NB201 | {"preset": "nb201", "settings": ("strategy=pareto-local", "block=4", "starts=8")},
    "policy": {"kind": "policy", "settings": POLICY, "births": 44, "seed": 2},
    "policy without reviews": {"kind": "policy", "settings": (*POLICY, "candidates=0"), "births": 44, "seed": 2},
}
"""Arguments of `new_run`; each budget cuts its last block short."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(str(path)) as store:
        yield store


def finish(store: Store, name: str) -> Progress:
    *_, last = evolve(store, name, executor="inline")
    return last


def rows(path: Path, name: str) -> list[tuple[int, int, int]]:
    """All recorded winners of a run: block, closing and birth."""
    query = (
        "SELECT block, closing, birth FROM winner JOIN run ON run.id = run_id WHERE name = ? ORDER BY block, closing"
    )
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, [name]).fetchall()


def forget(path: Path) -> None:
    """Deletes the winners from a database, as in a database of a version that did not record them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM winner")
        connection.commit()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_the_winner_is_the_announced_winner_and_follows_from_the_rows_alone(
    store: Store, path: Path, name: str
) -> None:
    new_run(store, name="run", **SEARCHES[name])
    last = finish(store, "run")
    assert last.winner is not None
    announced = store.individual("run", last.winner.birth)
    assert winner(store, "run") == store.winner("run") == announced
    recorded = winners(store, "run")
    assert list(recorded) == list(range(len(recorded))) and len(recorded) > 2
    assert store.check() == []
    forget(path)
    assert store.winner("run") is None and store.winners("run") == {}
    assert winner(store, "run") == announced and winners(store, "run") == recorded
    assert rows(path, "run") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["funnel", "policy"])
def test_a_resumed_run_of_an_older_database_records_its_winners(store: Store, path: Path, name: str) -> None:
    for run in ("straight", "old"):
        new_run(store, name=run, **SEARCHES[name])
    finish(store, "straight")
    session = evolve(store, "old", executor="inline")
    for _ in range(12):
        next(session)
    session.close()  # type: ignore[attr-defined]
    straight = rows(path, "straight")
    forget(path)
    finish(store, "old")
    assert rows(path, "old") == straight


@pytest.mark.slow
@pytest.mark.parametrize("events", [3, 10])
@pytest.mark.parametrize("name", ["funnel", "policy"])
def test_a_run_that_is_left_and_resumed_has_the_winners_of_a_run_in_one(
    store: Store, path: Path, name: str, events: int
) -> None:
    for run in ("straight", "cut"):
        new_run(store, name=run, **SEARCHES[name])
    finish(store, "straight")
    session = evolve(store, "cut", executor="inline")
    for _ in range(events):
        next(session)
    session.close()  # type: ignore[attr-defined]
    finish(store, "cut")
    assert rows(path, "straight") == rows(path, "cut")


SESSION = """
import sys
from germline.db.store import Store
from germline.search.run import evolve
with Store(sys.argv[1]) as store:
    for progress in evolve(store, "killed", executor="inline"):
        print(progress.complete, flush=True)
"""


@pytest.mark.slow
def test_a_killed_run_names_the_winner_of_its_last_complete_block(store: Store, path: Path) -> None:
    for run in ("straight", "killed"):
        new_run(store, "policy", settings=POLICY, births=160, seed=2, name=run)
    finish(store, "straight")
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    complete = [line for _, line in zip(range(20), process.stdout, strict=False) if line != "None\n"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = winners(store, "killed")
    assert len(killed) >= len(complete) > 0 and store.check() == []
    assert dict(killed) == {block: birth for block, birth in winners(store, "straight").items() if block in killed}
    latest = killed[max(killed)]
    assert latest is not None and winner(store, "killed").individual.birth in (latest, rows(path, "killed")[-1][2])
    finish(store, "killed")
    assert rows(path, "killed") == rows(path, "straight")


def test_a_closing_is_outranked_by_the_next_block_that_is_complete(store: Store, path: Path) -> None:
    new_run(store, "policy", settings=POLICY, births=12, seed=2, name="longer")
    finish(store, "longer")
    assert [row[:2] for row in rows(path, "longer")] == [(0, 0), (0, 1)]
    events = evolve(store, "longer", births=40, executor="inline")
    at_block = next(progress for progress in events if progress.complete == 1)
    assert at_block.winner is not None and winner(store, "longer").individual.birth == at_block.winner.birth
    events.close()  # type: ignore[attr-defined]
    assert [row[:2] for row in rows(path, "longer")] == [(0, 0), (0, 1), (1, 0)]


def test_before_its_first_block_is_complete_a_run_stands_for_its_best(store: Store) -> None:
    new_run(store, name="begun", **SEARCHES["aging"])
    with pytest.raises(NothingScored):
        winner(store, "begun")
    session = evolve(store, "begun", executor="inline")
    next(session)
    session.close()  # type: ignore[attr-defined]
    assert winners(store, "begun") == {} and winner(store, "begun") == store.best("begun")


def test_blocks_cost_no_transaction_more_for_their_winner(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    new_run(store, name="run", **SEARCHES["policy"])
    alone: list[object] = []
    monkeypatch.setattr(Store, "add_winners", lambda *given: alone.append(given))
    finish(store, "run")
    assert alone == []


RELEASED = sorted((Path(__file__).parents[1] / "db" / "data").glob("*.db"))


@pytest.mark.parametrize("released", RELEASED, ids=[path.name for path in RELEASED])
def test_runs_of_released_schemas_have_a_winner(released: Path, tmp_path: Path) -> None:
    path = tmp_path / released.name
    shutil.copy(released, path)
    upgrade(str(path))
    with Store(str(path), create=False) as store:
        for summary in store.runs():
            if summary.best_birth is not None:
                assert winner(store, summary.name).individual.birth == summary.best_birth


@pytest.mark.slow
@pytest.mark.parametrize("damage", [{"population": "many"}, {"block": 0}, {"strategy": "magic"}, {"start": "def"}])
def test_a_run_of_an_older_database_whose_settings_are_damaged_stands_for_its_best(
    store: Store, path: Path, damage: dict[str, Any]
) -> None:
    run = new_run(store, name="damaged", **SEARCHES["aging"])
    finish(store, "damaged")
    forget(path)
    config = {**run.config, "settings": {**run.config["settings"], **damage}}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET config = ?", [json.dumps(config)])
        connection.commit()
    assert winners(store, "damaged") == {} and winner(store, "damaged") == store.best("damaged")
    with pytest.raises(ValueError, match=r"^(expected|line 1: )"):
        finish(store, "damaged")
