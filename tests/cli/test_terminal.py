"""What reaches a terminal or a pipe: help, colours, and nothing that a database could smuggle in."""

import io
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from command_process import start_command
from rich.console import Console

from germline.cli.live_view import _View
from germline.cli.main import COMMANDS, cli
from germline.db.store import Store

HOSTILE = "\x1b]0;owned\x07\x1b[31m[red]x[/red]\r\u202e"
READERS = [
    ["runs"],
    ["top", "first"],
    ["show", "first"],
    ["show", "first:0"],
    ["lineage", "first"],
    ["diff", "first:0", "first"],
]


def commands() -> list[tuple[str, ...]]:
    """Every command, and the commands of groups."""
    context = click.Context(cli)
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.commands]
    return found


@pytest.mark.parametrize("names", commands(), ids=" ".join)
def test_every_help_has_an_example_of_itself(germline: Any, names: tuple[str, ...]) -> None:
    text = germline(*names, "--help").stdout
    example = text.partition("Example")[2]
    assert f"germline {' '.join(names)}" in example


@pytest.mark.parametrize("names", commands(), ids=" ".join)
def test_every_command_but_stop_and_dashboard_prints_json_with_the_option(
    germline: Any, names: tuple[str, ...]
) -> None:
    if names not in (("stop",), ("db",), ("dashboard",)):
        assert "--json" in germline(*names, "--help").stdout


def test_the_list_of_commands_has_a_whole_sentence_for_each(germline: Any) -> None:
    text = germline("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", text, re.MULTILINE), name


@pytest.mark.slow
def test_help_and_completion_import_no_command() -> None:
    program = (
        "import sys, click\nfrom germline.cli.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "names = [item.value for item in cli.shell_complete(click.Context(cli), 'd')]\n"
        "assert names == ['diff', 'describe', 'dashboard', 'draw', 'db', 'doctor'], names\n"
        "loaded = [name for name in sys.modules if name.startswith(('germline.cli.commands', 'rich', 'numpy'))]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [*READERS, ["presets"], ["tasks"], ["describe", "first"], ["doctor"], ["db", "check"], ["--help"]],
    ids=" ".join,
)
def test_a_pipe_gets_plain_text(germline: Any, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = germline(*command)
    assert result.exit_code == 0, result.stderr
    assert plain(result.stdout)
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def plain(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.fixture
def hostile(copied: Path) -> Path:
    """A database in which somebody wrote escapes and markup wherever there is text to show."""
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE run SET task = ?, preset = ?", (HOSTILE, HOSTILE))
        connection.execute("UPDATE individual SET operator = ? WHERE birth > 0", (HOSTILE,))
        connection.execute("UPDATE evaluation SET error = ?, task = ?", (HOSTILE, HOSTILE))
        connection.commit()
    return copied


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_text_from_a_database_is_inert_in_a_pipe(germline: Any, hostile: Path, command: list[str]) -> None:
    result = germline(*command, db=hostile)
    assert result.exit_code == 0, result.stderr
    assert plain(result.stdout) and plain(result.stderr)
    if command not in (["diff", "first:0", "first"],):
        assert "[red]x[/red]" in result.stdout


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_json_escapes_what_could_drive_a_terminal(germline: Any, hostile: Path, command: list[str]) -> None:
    assert plain(germline(*command, "--json", db=hostile).stdout)


@pytest.mark.parametrize(
    "command", [["top", "first"], ["show", "first"], ["lineage", "first"], ["diff", "first", "first:0"]]
)
def test_a_genome_that_is_none_is_refused_in_a_line(germline: Any, copied: Path, command: list[str]) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE genome SET text = ?, base = NULL", (f"import os\n{HOSTILE}",))
        connection.commit()
    result = germline(*command, db=copied)
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1 and plain(result.stderr)


def test_a_kind_of_another_version_is_refused_in_a_line(germline: Any, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE run SET kind = 'poem'")
        connection.commit()
    result = germline("show", "first", db=copied)
    assert result.exit_code == 2 and "'poem'" in result.stderr


@pytest.mark.slow
def test_a_terminal_gets_colours_and_no_foreign_escapes(hostile: Path) -> None:
    text = on_terminal("show", "first", db=hostile)
    assert "\x1b[34minterp\x1b[0m" in text and "\x1b[36m" in text
    assert "\x1b]0" not in text and "\x1b[31m[red]" not in text
    assert "[red]x[/red]" in text


def test_brackets_in_the_name_of_a_task_are_no_markup(searched: Path) -> None:
    with Store(str(searched)) as store:
        run = replace(store.run("first"), task="[/bold].py:Task")
    shown = io.StringIO()
    Console(file=shown, width=100).print(_View(run, None, None).panel())
    assert "[/bold].py:Task" in shown.getvalue()


SEARCHES = {
    "optimizer": ["--set", "lengths=0.1", "--set", "review_every=0", "--births", "30"],
    "architecture": ["--preset", "nb201", "--task", "nb201-cifar10", "--births", "30"],
}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "shown"), [("optimizer", "return"), ("architecture", "cell.3")])
def test_a_search_on_a_terminal_shows_the_best_so_far(tmp_path: Path, kind: str, shown: str) -> None:
    text = on_terminal("search", kind, *SEARCHES[kind], "--executor", "inline", db=tmp_path / "runs.db")
    assert "best so far: birth" in text and shown in text
    assert "finished after 30 births" in text


def on_terminal(*args: str, db: Path) -> str:
    """What a command writes to a real terminal of 100 columns."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": "100", "NO_COLOR": ""}
    with start_command(*args, database=db, variables=variables, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux reports the closed end this way
                break
            if not part:
                break
            written += part
        assert process.wait() == 0, written
    os.close(ours)
    return written.decode()
