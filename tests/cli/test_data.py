"""Tasks on the user's own copies of data sets, on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from germline.cli.main import cli
from germline.evaluators.data.directory import VARIABLE

SMALL = '''
from dataclasses import replace

from germline.evaluators.data.published_images import CIFAR10
from germline.evaluators.task import Rung
from germline.evaluators.tasks.large_images import CIFAR10Cells


class Small(CIFAR10Cells):
    """The first images of CIFAR-10."""

    name = "small"
    source = replace(CIFAR10, records=(8, 4))
    rungs = (Rung(3, 8),)
'''
SETTINGS = ("population=2", "block=2", "pack=1", "cells=2", "channels=4", "full_cells=2", "full_channels=4")


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data directory of the machine's, and what --data sets is undone."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with a CIFAR-10 of 40 training images."""
    rng = np.random.default_rng(0)
    unpacked = tmp_path / "sets" / "cifar-10-batches-bin"
    unpacked.mkdir(parents=True)
    for number in range(1, 6):
        records = rng.integers(0, 256, (8, 3073), np.uint8)
        records[:, 0] %= 10
        (unpacked / f"data_batch_{number}.bin").write_bytes(records.tobytes())
    return unpacked.parent


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    return f"{path}:Small"


BROKEN = """
from germline.evaluators.tasks.image_cells import DigitsCells


class Broken(DigitsCells):
    name = "broken"

    @staticmethod
    def load():
        raise RuntimeError("no such scanner")
"""


def germline(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--db", str(tmp_path / "germline.db")])


def search(tmp_path: Path, task: str, *words: str) -> Result:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return germline(tmp_path, "search", "architecture", "--task", task, *settings, "--births", "4", *words)


@pytest.mark.slow
def test_a_search_reads_the_data_directory_and_is_gone_on_with_from_another(
    tmp_path: Path, folder: Path, small: str
) -> None:
    done = search(tmp_path, small, "--executor", "inline", "--data", "sets", "--time", "0.001s")
    assert done.exit_code == 0, done.stderr
    assert "germline resume architecture-1" in done.stdout and "--data sets" in done.stdout
    folder.rename(tmp_path / "data")
    os.environ[VARIABLE] = ""
    done = germline(tmp_path, "resume", "architecture-1", "--task", small, "--executor", "inline", "--json")
    assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["status"], row["births"], row["failures"]) == ("finished", 4, 0)
    assert "data" not in json.loads(germline(tmp_path, "runs", "--json").stdout)[0]


@pytest.mark.slow
def test_the_data_directory_reaches_workers_of_a_ray_that_was_started_before(
    tmp_path: Path, folder: Path, small: str, local_ray: None
) -> None:
    done = search(tmp_path, small, "--executor", "ray", "--workers", "1", "--data", "sets", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["failures"] == 0


@pytest.mark.parametrize("task", ["fashion-cells", "cifar10-cells", "cifar100-cells"])
def test_a_search_without_its_data_is_an_error_of_one_line_and_leaves_no_run(tmp_path: Path, task: str) -> None:
    done = search(tmp_path, task)
    assert done.exit_code == 2
    assert f"in {tmp_path / 'data'}: expected " in done.stderr and "--data DIR" in done.stderr
    assert "https://" in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(germline(tmp_path, "runs", "--json").stdout) == []


@pytest.mark.slow
def test_a_run_whose_data_are_missing_is_not_resumed(tmp_path: Path, folder: Path, small: str) -> None:
    assert search(tmp_path, small, "--executor", "inline", "--data", "sets", "--time", "0.001s").exit_code == 0
    os.environ[VARIABLE] = ""
    done = germline(tmp_path, "resume", "architecture-1", "--task", small, "--executor", "inline")
    assert done.exit_code == 2 and "no CIFAR-10 in" in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(germline(tmp_path, "runs", "--json").stdout)[0]["status"] == "stopped"


def test_a_damaged_set_is_an_error_of_one_line_with_the_file(tmp_path: Path, folder: Path, small: str) -> None:
    path = folder / "cifar-10-batches-bin" / "data_batch_5.bin"
    path.write_bytes(path.read_bytes()[:-1])
    done = search(tmp_path, small, "--executor", "inline", "--data", "sets")
    assert done.exit_code == 1
    assert str(path) in done.stderr and "got 24,583" in done.stderr and done.stderr.count("\n") == 1


def test_a_set_of_the_users_own_that_cannot_be_read_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    done = search(tmp_path, f"{tmp_path / 'broken.py'}:Broken", "--executor", "inline")
    assert done.exit_code == 1
    assert "RuntimeError: no such scanner" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("search", "architecture"), ("resume", "first")])
def test_a_directory_that_is_not_there_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = germline(tmp_path, *words, "--data", "nowhere")
    assert done.exit_code == 2 and "nowhere" in done.stderr and done.stderr.count("\n") == 1
    assert os.environ[VARIABLE] == ""


def test_the_tasks_are_listed_without_data(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["tasks", "--json"])
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert [rung["steps"] for rung in rows["cifar10-cells"]["rungs"]] == [352, 1_758, 17_579]
    assert {rung["batch"] for rung in rows["fashion-cells"]["rungs"]} == {128}
    for name in ("fashion-cells", "cifar10-cells", "cifar100-cells"):
        assert rows[name]["kind"] == "architecture" and "from your data directory" in rows[name]["description"]


def test_the_help_of_search_imports_no_torch() -> None:
    program = (
        "import sys\nfrom germline.cli.main import cli\ncli(['search', '--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'ray', 'numpy'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--data DIR" in done.stdout


def test_doctor_prints_the_location_of_each_data_set(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "sets")
    found: Any = json.loads(germline(tmp_path, "doctor", "--json").stdout)["machine"]["data"]
    assert found["directory"] == str(folder)
    assert found["sets"] == {
        "Fashion-MNIST": None,
        "CIFAR-10": str(folder / "cifar-10-batches-bin"),
        "CIFAR-100": None,
    }
    text = germline(tmp_path, "doctor").stdout
    assert "CIFAR-10 in " in text and "no Fashion-MNIST, CIFAR-100 in " in text
