"""The environment of a run: recorded when it begins, with a warning if it has changed when the run is resumed."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from own_tasks import LINE, task_file

from germline.db.store import Store
from germline.search.environment import environment
from germline.search.run import evolve, new_run

SETTINGS = ("population=4", "parents=2", "candidates=0", "test_episodes=0", "hidden=2", "steps=10")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """With a run of policies that was begun."""
    with Store(str(path)) as store:
        new_run(store, "policy", settings=SETTINGS, births=4, name="begun")
        go_on(store, 4)
        yield store


def go_on(store: Store, births: int) -> None:
    for _ in evolve(store, "begun", executor="inline", births=births):
        pass


def recorded(path: Path, **changed: Any) -> None:
    """Has the run made with other versions; None: of a package that the record does not name."""
    with closing(sqlite3.connect(path)) as connection:
        [(found,)] = connection.execute("SELECT environment FROM run")
        told = {name: value for name, value in {**json.loads(found), **changed}.items() if value is not None}
        connection.execute("UPDATE run SET environment = ?", (json.dumps(told),))
        connection.commit()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "germline.search.environment"]


@pytest.mark.parametrize(
    "package", ["torch", "numpy", "numba", "ray", "gymnasium", "ale-py", "mujoco", "box2d", "onnxruntime"]
)
def test_the_record_holds_everything_that_decides_outcomes(package: str) -> None:
    try:
        expected: str | None = version(package)
    except PackageNotFoundError:
        expected = None
    assert environment("cartpole")[package] == expected


def test_another_model_of_cpu_is_named_since_last_bits_may_differ(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = environment("cartpole")["cpu"]
    assert now and now.isprintable()
    recorded(path, cpu="i486")
    with caplog.at_level(logging.WARNING):
        go_on(store, 8)
    assert warnings(caplog) == [
        f"begun was made with cpu i486, now {now}: what follows may not be what it would have been"
    ]


@pytest.mark.slow
def test_a_run_that_is_resumed_with_other_versions_warns_in_a_line(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(path, gymnasium="0.0.1", numpy="0.1.0")
    with caplog.at_level(logging.WARNING):
        go_on(store, 8)
    now = environment("cartpole")
    assert warnings(caplog) == [
        f"begun was made with numpy 0.1.0, now {now['numpy']}; gymnasium 0.0.1, now {now['gymnasium']}: "
        "what follows may not be what it would have been"
    ]


def test_a_run_that_is_resumed_with_the_same_versions_does_not_warn(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    go_on(store, 8)
    assert warnings(caplog) == []


def test_a_package_that_the_record_does_not_name_causes_no_warning(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(path, gymnasium=None, onnxruntime=None)
    go_on(store, 8)
    assert warnings(caplog) == []


def test_a_new_run_does_not_warn(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Store(str(path)) as store:
        new_run(store, "policy", settings=SETTINGS, births=4, name="begun")
        recorded(path, gymnasium="0.0.1")
        go_on(store, 4)
    assert warnings(caplog) == []


def test_a_recorded_version_cannot_command_a_terminal(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(path, gymnasium="\x1b[31m1\n2" + 1000 * "x")
    go_on(store, 8)
    [said] = warnings(caplog)
    assert "gymnasium \\x1b[31m1\\n2x" in said and said.isprintable() and len(said) < 200


@pytest.mark.slow
def test_a_run_whose_file_has_changed_warns_when_it_is_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = f"{task_file(tmp_path, LINE)}:Line"
    settings = ("lengths=0.05", "warmup=0", "population=4", "block=2")
    with Store(str(tmp_path / "runs.db")) as store:
        new_run(store, task=task, name="begun", settings=settings, births=4)
        for births in (4, 6):
            for _ in evolve(store, "begun", task=task, executor="inline", births=births):
                pass
        assert warnings(caplog) == []
        path = Path(task.rpartition(":")[0])
        path.write_text(path.read_text() + "\n# another line\n")
        for _ in evolve(store, "begun", task=task, executor="inline", births=8):
            pass
    assert warnings(caplog) == [
        f"{path} has changed since begun began; if the model, the data or the loss is another, start a new run"
    ]
