"""What goes to the machines of a cluster with a task in a file."""

import zipfile
from pathlib import Path

import pytest

from germline.evaluators.data.directory import VARIABLE
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors import shipping
from germline.evaluators.executors.shipping import TooLarge, shipped

SENT = {"my_task.py", "numbers.npz", "parts/layers.py"}
NOT_SENT = {
    ".git/config",
    ".venv/bin/python",
    "__pycache__/a.pyc",
    "runs.db",
    "runs.db-wal",
    "parts/b.db",
    "sets/big.gz",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SENT | NOT_SENT:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
    (tmp_path / ".gitignore").write_text("*.npz\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "sets"))
    return tmp_path


@pytest.mark.slow
def test_a_task_is_sent_with_its_folder_but_not_with_data_databases_and_hidden_files(folder: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    spec, environment = shipped(EvaluatorSpec("optimizer", f"{folder}/my_task.py:Line", seed=1))
    assert spec.task == "my_task.py:Line" and environment["working_dir"] == str(folder)
    package = folder.parent / "package.zip"
    create_package(str(folder), package, include_gitignore=False, excludes=environment["excludes"])
    with zipfile.ZipFile(package) as archive:
        assert set(archive.namelist()) == SENT


def test_a_folder_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = EvaluatorSpec("optimizer", f"{folder}/my_task.py:Line", seed=1)
    monkeypatch.setattr(shipping, "LARGEST_FOLDER", 100 * len(SENT))
    shipped(spec)
    monkeypatch.setattr(shipping, "LARGEST_FOLDER", 100 * len(SENT) - 1)
    with pytest.raises(TooLarge, match=r"the folder of my_task\.py, which is sent .* move the task to a folder of its"):
        shipped(spec)


def test_a_task_that_is_installed_is_not_sent() -> None:
    spec = EvaluatorSpec("optimizer", "digits-mlp", seed=1)
    assert shipped(spec) == (spec, {})
