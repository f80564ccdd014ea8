"""The parts of the documentation that are written from the code, and the site that `make docs` builds."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from command_reference import commands
from database_reference import database
from documentation_blocks import ROOT
from language_reference import functions, library, state_shapes
from setting_reference import settings
from task_reference import tasks

from germline.cli.main import COMMANDS, cli
from germline.db.schema import metadata
from germline.db.views import VIEWS
from germline.evaluators.tasks.registry import task_names
from germline.programs.optimizer import library as library_texts
from germline.programs.optimizer.primitives import WHITENING
from germline.programs.optimizer.types import LEAF_SHAPES
from germline.search.kinds import KINDS


def test_the_reference_of_commands_has_every_command_and_every_option() -> None:
    text = commands()
    context = click.Context(cli, info_name="germline")
    for name in COMMANDS:
        assert f"### `germline {name}`\n" in text
        command = cli.get_command(context, name)
        assert command is not None
        options = [option for param in command.params if isinstance(param, click.Option) for option in param.opts]
        assert [option for option in options if f"`{option}" not in text and f", {option}" not in text] == []


def test_the_reference_of_settings_has_every_preset_and_setting_of_every_kind() -> None:
    text = settings()
    for kind in KINDS.values():
        assert [name for name in kind.presets if f"| `{name}` |" not in text] == []
        assert [key.name for key in kind.settable if f"| `{key.name}` |" not in text] == []


def test_the_reference_of_tasks_has_every_built_in_task_and_says_which_are_held_out() -> None:
    text = tasks()
    assert [task.name for task in task_names() if f"| `{task.name}` |" not in text] == []
    assert re.search(r"\| `text-gru` \|[^|]*\*\*held out\*\*", text)
    assert "200 steps of" in text


def test_the_reference_of_the_language_has_every_function_shape_and_program() -> None:
    text = functions()
    assert [name for name in WHITENING if f"| `{name}(" not in text and f"| `a {name} b`" not in text] == []
    assert "### Core (45)" in text and "torch.sqrt(torch.abs(a))" in text
    assert [name for name in library_texts() if f"| `{name}` |" not in library()] == []
    assert all(f"s: {word}`" in state_shapes() for word in LEAF_SHAPES if word != "tree")
    assert "| `s: left` | 10 × 10 | 16 × 16 | 64 | a number |" in state_shapes()


def test_the_reference_of_the_database_has_every_column_and_view() -> None:
    text = database()
    for table in metadata.tables.values():
        section = text.split(f"### `{table.name}`")[1].split("### ")[0]
        assert [column.name for column in table.columns if f"| `{column.name}` |" not in section] == []
    assert [name for name in VIEWS if f"### `{name}`" not in text] == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("material") is None, reason="needs pip install 'germline[docs]'")
def test_the_site_is_built_without_a_warning_and_needs_no_network_to_be_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    # Material prints a notice about its successor unless this variable is set, as `make docs` does.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    scripts = r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?https?:"
    loads = re.compile(scripts + r"|<link[^>]*\srel=\"?(?:stylesheet|preconnect)[^>]*https?:")
    pages = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")}
    assert len(pages) > 30
    assert [name for name, text in pages.items() if loads.search(text) or "<!-- from the code" in text] == []
    assert (tmp_path / "search" / "search_index.js").stat().st_size > 100_000
