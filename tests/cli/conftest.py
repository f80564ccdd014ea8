"""A small real search, and helpers that run commands on it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import Result
from command_line import call
from command_line import data as printed_data

from germline.db.store import Store
from germline.search.run import evolve, new_run

RUN = "first"
SETTINGS = ("population=8", "lengths=0.1,0.2", "warmup=10", "review_every=20", "block=20", "pack=10")


class Call(Protocol):
    """Calls `germline` with arguments, on the small search unless `db` names another database."""

    def __call__(self, *args: str | Path, db: str | Path | None = None, stdin: str | bytes = "") -> Result: ...


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a finished run of 60 births, and a run that never began. Tests do not write to it."""
    path = tmp_path_factory.mktemp("searched") / "germline.db"
    with Store(str(path)) as store:
        run = new_run(store, births=60, settings=SETTINGS, seed=3, name=RUN)
        for _ in evolve(store, run.name, executor="inline", device="cpu"):
            pass
        waiting = new_run(store, name="waiting", settings=SETTINGS)
        store.release(waiting.id, "stopped", 0.0)
    return path


@pytest.fixture
def copied(searched: Path, tmp_path: Path) -> Path:
    """A copy of the same database, to write to."""
    return Path(shutil.copy(searched, tmp_path / "copied.db"))


@pytest.fixture
def germline(searched: Path) -> Call:
    def call_on(*args: str | Path, db: str | Path | None = None, stdin: str | bytes = "") -> Result:
        return call(db or searched, *args, stdin=stdin)

    return call_on


@pytest.fixture
def data(searched: Path) -> Callable[..., Any]:
    """What `germline … --json` printed; the command has to work."""

    def data_on(*args: str | Path, db: str | Path | None = None) -> Any:
        return printed_data(db or searched, *args)

    return data_on
