"""What a reference may be, and what is said of a reference that names nothing."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import call

from germline.programs.optimizer import library

COMMANDS = {
    "show": ("show", "REF"),
    "lineage": ("lineage", "REF"),
    "describe": ("describe", "REF"),
    "diff": ("diff", "library:lion", "REF"),
    "simplify": ("simplify", "REF"),
    "validate": ("validate", "REF"),
    "export": ("export", "REF", "-o", "found.py"),
    "draw": ("draw", "REF", "-o", "found.svg"),
    "play": ("play", "REF"),
}
"""Every command that takes a reference."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a program in `lion.txt`, an empty file and no database."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lion.txt").write_text(library()["lion"])
    (tmp_path / "empty.txt").write_text("\n")
    return tmp_path


def ask(command: str, reference: str, stdin: str | bytes = "") -> Result:
    """Calls a command with a reference, where there is no database."""
    words = [reference if word == "REF" else word for word in COMMANDS[command]]
    return call("none.db", *words, stdin=stdin)


def refused(result: Result, *expected: str) -> None:
    """The result is one line on stderr that has these parts."""
    assert result.exit_code == 2 and result.stdout == "", result.output
    assert len(result.stderr.splitlines()) == 1
    for part in expected:
        assert part in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_expected_instead_of_what_names_nothing(command: str) -> None:
    for name in ("lion.tx", "lion.jso"):
        refused(ask(command, name), f"expected a file with a genome, got {name}", "no such file and no such run")
    refused(ask(command, "lion.tx"), "did you mean lion.txt?")
    refused(ask(command, "folder/lion.txt"), "folder/lion.txt: No such file or directory")
    refused(ask(command, "empty.txt"), "expected a genome, got nothing: empty.txt is empty")
    refused(ask(command, "-"), "expected a genome, got nothing: stdin is empty", "- < FILE")
    refused(ask(command, "-", b"\xff\xfe\xff"), "expected text, got bytes that are not UTF-8: stdin")
    refused(
        ask(command, "nobody"),
        "expected RUN, RUN:BIRTH, library:NAME, a file or - for stdin, got 'nobody': no runs are recorded in",
        "none.db: name another database, or start with",
    )
    refused(ask(command, "lion"), "did you mean library:lion?")
    refused(ask(command, "libary:lion"), "did you mean library:lion?")


def test_a_run_of_a_name_with_a_point_is_no_file(germline: Any) -> None:
    refused(germline("show", "rate-0.5"), "a file or - for stdin, got 'rate-0.5': there is no run 'rate-0.5'")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show", "describe", "diff", "simplify", "export"])
def test_a_program_on_stdin_is_a_reference(command: str) -> None:
    result = ask(command, "-", library()["lion"])
    assert result.exit_code == 0, result.output
    assert command == "diff" or "stdin" in result.stdout or Path("found.py").read_text().count("class Stdin(")


@pytest.mark.parametrize("reference", ["lion.txt:simplified", "library:lion:simplified"])
def test_what_belongs_to_no_run_has_no_kept_simplification(reference: str) -> None:
    refused(ask("show", reference), "expected")


def test_stdin_is_read_for_one_reference_alone() -> None:
    result = call("none.db", "diff", "-", "-", stdin=library()["lion"])
    refused(result, "expected - once, got it twice: stdin can be read only once")


def test_an_exported_file_is_not_taken_for_a_genome(folder: Path) -> None:
    assert call("none.db", "export", "library:lion", "-o", "found.py").exit_code == 0
    refused(
        ask("show", "found.py"), "expected a genome, got found.py, an exported file: name its individual, RUN:BIRTH"
    )


def test_a_broken_program_on_stdin_is_named(folder: Path) -> None:
    refused(ask("show", "-", "import os\n"), "stdin is not a valid genome: expected one function")
