"""The documentation is true: its links lead somewhere, and it names every command, table and page."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from documentation_blocks import blocks

from germline.cli.main import COMMANDS
from germline.db.schema import metadata
from germline.programs.optimizer import parse
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.idioms import IDIOMS
from germline.programs.optimizer.primitives import FUNCTION_SETS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


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


def test_the_page_of_the_database_says_what_a_row_of_every_table_is() -> None:
    page = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    assert [name for name in metadata.tables if f"| `{name}` |" not in page] == []


def test_every_page_has_a_place_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f": {page.name}\n" not in navigation] == []


def test_a_link_in_the_readme_leads_to_the_page_about_ones_own_model() -> None:
    assert "[your own model](docs/own_model.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("file", ["ask.py", "elsewhere.py"])
def test_every_block_of_the_page_on_ask_and_tell_runs(file: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ask_tell.md").read_text(encoding="utf-8")
    [block] = [block for block in blocks(page) if block.file == file]
    (tmp_path / file).write_text(block.text, encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", file], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_programs_of_discoveries_are_valid_and_linked() -> None:
    page = (ROOT / "docs" / "discoveries.md").read_text(encoding="utf-8")
    files = sorted((ROOT / "docs" / "programs").iterdir())
    for file in files:
        program = parse(file.read_text(encoding="utf-8"))
        assert live_program(program) == program, file.name
    assert [file.name for file in files] == sorted(set(re.findall(r"\]\(programs/([\w.]+)\)", page)))


def test_the_table_of_idioms_has_each_idiom_with_the_functions_that_it_needs() -> None:
    page = (ROOT / "docs" / "optimizers.md").read_text(encoding="utf-8")
    table = page.partition("| idiom | `x` becomes | functions |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    listed = {name: functions for names, _, functions in rows for name in re.findall(r"`(\w+)`", names)}
    least = {
        name: next(key for key, functions in FUNCTION_SETS.items() if idiom.functions <= set(functions))
        for name, idiom in IDIOMS.items()
    }
    assert listed == least
