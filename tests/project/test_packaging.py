"""The repository holds what it says: packages, layers, data, and nothing unsafe on a path that reads foreign data."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("search", "programs", "evaluators", "cli", "db")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_package_of_the_tree_is_listed_and_no_other() -> None:
    found = {f"germline.{path.parent.relative_to(ROOT).as_posix().replace('/', '.')}" for path in sources()}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"germline", *found}


def test_types_of_every_package_are_for_its_users() -> None:
    """A marker at the top of a package holds for the packages in it; a namespace has none (PEP 561)."""
    assert all((ROOT / folder / "py.typed").is_file() for folder in FOLDERS)


def test_every_folder_with_modules_is_a_package() -> None:
    assert all((path.parent / "__init__.py").exists() for path in sources())


@pytest.mark.slow
def test_no_module_evaluates_or_unpickles_anything() -> None:
    unsafe = re.compile(
        r"(?<![\w.])(?<!def )(?:eval|exec|compile)\(|\bpickle\b|\bcloudpickle\b|\bmarshal\b|sympify|yaml\.load"
        r"|shell=True|weights_only=False|allow_pickle=True|__import__\("
    )
    # A test of the text format may name what it refuses; code may not use it.
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if unsafe.search(line)
    ]
    assert found == []


def test_all_text_of_commands_passes_through_few_files() -> None:
    """They make every text inert; any other file calls them."""
    prints = re.compile(r"\bclick\.(?:echo|secho)\(|(?<![\w.])print\(|\bConsole\(|sys\.std(?:out|err)\.write")
    files = [path for path in sources() if path.relative_to(ROOT).parts[0] == "cli"]
    found = {path.name for path in files if prints.search(path.read_text(encoding="utf-8"))}
    assert found == {"printing.py", "output.py", "errors.py", "start.py"}


def test_data_files_are_in_the_package() -> None:
    assert {"digits.npz", "mnist5k.npz", "kjv.txt.xz", "diamonds.npz", "DATA.md"} <= {
        entry.name for entry in files("germline.evaluators.data").iterdir()
    }
    assert len([e for e in files("germline.programs.optimizer.library").iterdir() if e.name.endswith(".txt")]) >= 17


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree, with the tree beside it in the folder `source`."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    source = tmp_path / "source"
    (source / ".namespace" / "germline").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".namespace/germline/__main__.py"):
        shutil.copy(ROOT / name, source / name)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        ".",
        "-w",
        tmp_path,
    )
    subprocess.run(command, cwd=source, check=True)
    [wheel] = tmp_path.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_a_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    source = wheel.parent / "source"
    packed = {name.removeprefix("germline/") for name in zipfile.ZipFile(wheel).namelist()}
    here = {path.relative_to(source).as_posix() for folder in FOLDERS for path in (source / folder).rglob("*.*")}
    assert {name for name in here if (source / name).is_file()} <= packed
    assert {"search/leaderboard/baselines.jsonl", "cli/py.typed", "__main__.py"} <= packed
    assert "__init__.py" not in packed  # the namespace is open to packages of others


@pytest.mark.slow
def test_python_m_germline_is_the_command(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    for place in (tmp_path, ROOT / ".namespace"):
        environment = {**os.environ, "PYTHONPATH": str(place)}
        command = [sys.executable, "-m", "germline"]
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.stdout == f"germline, version {PROJECT['project']['version']}\n", done.stderr
        done = subprocess.run([*command, "serch"], capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 2 and "did you mean search" in done.stderr
        where = "import importlib.util as u; print(u.find_spec('germline.__main__').origin)"
        done = subprocess.run([sys.executable, "-c", where], capture_output=True, text=True, env=environment)
        assert Path(done.stdout).parents[1] == place


@pytest.mark.slow
def test_a_type_checker_reads_the_types_of_an_installed_germline(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "user.py").write_text(
        "from germline.db.records import Winner\nreveal_type(Winner(1, 2).birth)\nWinner('x', 2)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "MYPYPATH": ""}
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(tmp_path / "cache"), "user.py"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert 'Revealed type is "int | None"' in done.stdout.replace("builtins.", ""), done.stdout
    assert 'incompatible type "str"' in done.stdout


@pytest.mark.slow
def test_listing_kinds_and_presets_loads_neither_torch_nor_ray() -> None:
    code = "import sys, germline.search.kinds; print([m for m in ('torch', 'ray', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
