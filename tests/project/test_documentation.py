"""The documentation is true: its links lead somewhere, its code runs, and it names every command."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from germline.cli.main import COMMANDS, cli
from germline.db.store import Store

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TASKS = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_in_code_style_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"`((?:search|programs|evaluators|cli|db|tests|docs)/[\w./]*)`", text)
    paths = [name for name in names if not re.search("NAME|KIND", name)]  # placeholders
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_an_example_exists(page: Path) -> None:
    words = re.findall(r"\bgermline ([a-z]+)\b", page.read_text(encoding="utf-8"))
    assert [word for word in words if word not in COMMANDS] == []


def test_the_commands_page_lists_every_command_and_the_changelog_this_version() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"germline {name}" not in page] == []
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def code_blocks(text: str) -> dict[str, str]:
    """Python blocks of a page by the file name in their first line."""
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL)
    return dict(blocks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("my_task.py", ["optimizer", "--task", "my_task.py:Line", "--births", "16", "--set", "review_every=0"]),
        (
            "my_modules.py",
            ["optimizer", "--task", "my_modules.py:Perceptron", "--births", "8", "--set", "review_every=0"],
        ),
        ("my_cells.py", ["architecture", "--task", "my_cells.py:Stripes", "--births", "4", "--set", "block=4"]),
        ("my_env.py", ["policy", "--task", "my_env.py:Slippery", "--births", "100", "--set", "test_episodes=0"]),
    ],
)
def test_every_task_of_the_tasks_page_can_be_searched(
    file: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_text(code_blocks(TASKS)[file], encoding="utf-8")
    result = CliRunner().invoke(cli, ["search", *arguments, "--executor", "inline", "--db", "runs.db"])
    assert result.exit_code == 0, result.output
    assert "finished" in result.stdout


def test_the_code_for_a_notebook_is_valid_python() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", f"import ast; ast.parse({block!r})"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", ["ask.py", "elsewhere.py"])
def test_every_block_of_the_page_on_ask_and_tell_runs(file: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ask_tell.md").read_text(encoding="utf-8")
    (tmp_path / file).write_text(code_blocks(page)[file], encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", file], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
def test_the_operator_of_the_page_on_operators_from_outside_can_be_searched_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "proposers.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("halve.py").write_text(code_blocks(page)["halve.py"], encoding="utf-8")
    small = ["population=10", "block=16", "warmup=0", "lengths=0.05", "review_every=0"]
    words = [word for text in (*small, "operators=halve.py:halve:0.5") for word in ("--set", text)]
    search = ["search", "optimizer", "--births", "48", *words]
    result = CliRunner().invoke(cli, [*search, "--executor", "inline", "--db", "runs.db"])
    assert result.exit_code == 0, result.output
    more = ["resume", "optimizer-1", "--births", "64", "--operator", "halve.py:halve", "--executor", "inline"]
    result = CliRunner().invoke(cli, [*more, "--db", "runs.db"])
    assert result.exit_code == 0, result.output
    with Store("runs.db") as store:
        assert "halve.py:halve" in {each.operator for each in store.individuals(1)}
