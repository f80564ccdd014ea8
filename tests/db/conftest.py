"""Fixtures: a database of each kind that the store supports, and factories of records."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from postgres_server import missing, running_server

from germline.db.records import EvaluationRecord, Individual, RunRecord
from germline.db.store import Store

POSTGRES = pytest.param("postgres", marks=[pytest.mark.slow, pytest.mark.xdist_group("postgres")])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database: `GERMLINE_TEST_POSTGRES`, else on a server that is started for the session."""
    if given := os.environ.get("GERMLINE_TEST_POSTGRES"):
        yield given
        return
    if reason := missing():
        pytest.skip(reason)
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", POSTGRES])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: a file, or a schema of its own on a PostgreSQL server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/runs.db"
        return
    server_url = request.getfixturevalue("postgres")
    schema = f"germline_{uuid.uuid4().hex}"
    server = sqlalchemy.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {schema}"))
        separator = "&" if "?" in server_url else "?"
        yield f"{server_url}{separator}options=-csearch_path%3D{schema}"
        connection.execute(sqlalchemy.text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an empty SQLite database with the schema; a test that copies it needs no migrations."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    Store(str(path)).close()
    return path.read_bytes()


@pytest.fixture
def store(url: str, blank: bytes) -> Iterator[Store]:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).write_bytes(blank)
    with Store(url) as store:
        yield store


@pytest.fixture
def make_run(store: Store) -> Callable[..., RunRecord]:
    def make(name: str | None = "first", **changes: Any) -> RunRecord:
        values: dict[str, Any] = {
            "kind": "optimizer",
            "task": "digits-mlp",
            "preset": "quick",
            "seed": 7,
            "config": {},
            "environment": {},
        }
        return store.create_run(name, **(values | changes))

    return make


@pytest.fixture(scope="session")
def born() -> Callable[..., Individual]:
    """``born(birth, parent, …, fingerprint=…)``: an individual by operator ``seed``; ``modify`` if it has parents."""

    def make(birth: int, *parents: int, **changes: Any) -> Individual:
        values: dict[str, Any] = {
            "block": birth // 4,
            "operator": "modify" if parents else "seed",
            "genome": f"def train(w, g, lr):\n    return lr * {birth}\n",
            "fingerprint": f"print-{birth}",
            "cached_from": None,
        }
        return Individual(birth=birth, parents=parents, **(values | changes))

    return make


@pytest.fixture(scope="session")
def scored() -> Callable[..., EvaluationRecord]:
    """``scored(birth, fitness, …)``: an ok evaluation with this fitness, or a diverged evaluation if it is None."""

    def make(birth: int, fitness: float | None, **changes: Any) -> EvaluationRecord:
        values: dict[str, Any] = {
            "fingerprint": f"print-{birth}",
            "task": "digits-mlp",
            "rung": 0,
            "seed": 0,
            "status": "diverged" if fitness is None else "ok",
            "objectives": {} if fitness is None else {"loss": -fitness},
            "measures": {},
            "seconds": 0.25,
            "worker": "inline",
            "error": "loss is nan at step 3" if fitness is None else None,
        }
        return EvaluationRecord(birth=birth, fitness=fitness, **(values | changes))

    return make
