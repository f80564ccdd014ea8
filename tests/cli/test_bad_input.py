"""Every mistake is an error of one line, with a status that is not 0, and without a traceback."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from germline.cli.errors import _FAILURES
from germline.cli.main import COMMANDS


def refused(result: Result, *expected: str) -> None:
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    for text in expected:
        assert text in result.stderr


ENDING = """
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask
from germline.evaluators.task import Rung


class Ending(TrainingTask):
    name = "ending"
    rungs = (Rung(5, 4),)
    parameters = (ParameterSpec("w", (2,), 1.0),)

    def __init__(self, device="cpu"):
        raise SystemExit(0)

    def size(self, split):
        return 9

    def loss(self, params, split, index):
        return params["w"].sum(1)

    def measure(self, params, split):
        return {"loss": params["w"].sum(1)}
"""


@pytest.mark.slow
def test_a_task_that_ends_the_process_is_an_error(germline: Any, tmp_path: Path) -> None:
    file = tmp_path / "ending.py"
    file.write_text(ENDING)
    result = germline("tasks", f"{file}:Ending", "--check")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: code of a task, an optimizer or a library raised SystemExit: 0, which would"
    )
    assert result.stderr.count("\n") == 1


READERS = [["top"], ["show"], ["lineage"], ["describe"], ["diff", "first"], ["export", "-o", "x.py"]]


@pytest.mark.slow
@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_an_unknown_run_suggests_the_nearest(germline: Any, command: list[str]) -> None:
    refused(germline(*command, "frist"), "'frist'", "'first'")


@pytest.mark.slow
@pytest.mark.parametrize("command", READERS[1:], ids=lambda command: command[0])
def test_an_unknown_birth_says_which_there_are(germline: Any, command: list[str]) -> None:
    refused(germline(*command, "first:60"), "0 to 59", "60")


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["first:", "first:x", "first:-1", "first:1:2", "first:" + "9" * 5000, ":3"])
def test_a_reference_that_is_none_is_refused(germline: Any, reference: str) -> None:
    refused(germline("show", reference))


def test_a_reference_longer_than_any_name_is_refused(germline: Any) -> None:
    refused(germline("show", "x" * 5000))


@pytest.mark.parametrize("name", ["x.py", "run.json", "notes.txt"])
def test_a_run_is_not_named_like_a_file(germline: Any, tmp_path: Path, name: str) -> None:
    refused(germline("search", "optimizer", "--name", name, db=tmp_path / "new.db"), repr(name), "read as a file")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_program_of_the_library_suggests_the_nearest(germline: Any) -> None:
    refused(germline("show", "library:lino"), "library:lion")


def test_the_best_of_a_run_without_outcomes_is_refused(germline: Any) -> None:
    refused(germline("show", "waiting"), "no ok outcome")


BAD_PROGRAMS = {
    "unknown function": ("update = signn(g)", "did you mean sign?"),
    "wrong arity": ("update = sign(g, m)", "expected 1 argument for sign, got 2"),
    "unknown name": ("update = sign(x)", "x is used before it is assigned"),
    "import": ("import os", "an import"),
    "attribute": ("update = g.data", "an attribute"),
    "call of an attribute": ("update = torch.sign(g)", "an attribute"),
    "loop": ("for i in g: pass", "a loop"),
    "text": ("update = 'x'", "a number"),
    "syntax": ("update = = g", "not Python"),
}


@pytest.mark.parametrize("command", [["show"], ["describe"], ["diff", "first"], ["export", "-o", "x.py"]])
@pytest.mark.parametrize(("line", "expected"), BAD_PROGRAMS.values(), ids=BAD_PROGRAMS)
def test_the_error_of_a_bad_program_has_file_line_and_reason(
    germline: Any, tmp_path: Path, command: list[str], line: str, expected: str
) -> None:
    path = tmp_path / "program.py"
    path.write_text(f"def train(w, g, m, lr):\n  {line}\n  return update, m\n")
    refused(germline(*command, path), "program.py", expected)


def test_a_program_file_is_never_executed(germline: Any, tmp_path: Path) -> None:
    path, proof = tmp_path / "program.py", tmp_path / "proof"
    path.write_text(f"open({str(proof)!r}, 'w').close()\ndef train(w, g, lr):\n  return g\n")
    refused(germline("show", path))
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x1b[31m", b"(" * 100_000, b"def train(w, g, lr):\n  u"])
def test_a_file_that_is_no_program_is_refused(germline: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.txt"
    path.write_bytes(content)
    refused(germline("show", path), "noise.txt")


def test_a_missing_file_is_refused(germline: Any, tmp_path: Path) -> None:
    refused(germline("show", tmp_path / "none.py"), "none.py", "No such file")


def test_a_folder_is_no_program(germline: Any, tmp_path: Path) -> None:
    refused(germline("show", tmp_path), "which cannot be read (Is a directory)")


@pytest.mark.parametrize(
    "command", [["runs"], ["top", "first"], ["show", "first"], ["lineage", "first"], ["db", "check"]]
)
def test_a_file_that_is_no_database_is_left_alone(germline: Any, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database")
    refused(germline(*command, db=path), "notes.db is not a SQLite database")
    assert path.read_text() == "not a database"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("url", ["mysql://host/x", "sqlite:/x.db", "sqlite:///:memory:"])
def test_a_url_of_no_database_is_refused(germline: Any, url: str) -> None:
    refused(germline("runs", db=url), "write a path")


def test_an_unknown_command_suggests_the_nearest(germline: Any) -> None:
    refused(germline("lineag", "first"), "'lineag'", "did you mean lineage?")
    refused(germline("db", "chekc"), "chekc", "germline db --help")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "db"])
def test_an_unknown_option_is_an_error_of_one_line(germline: Any, name: str) -> None:
    refused(germline(name, "--halp"), "--halp", f"germline {name} --help")


def test_a_misspelt_option_suggests_the_nearest(germline: Any) -> None:
    refused(germline("runs", "--jsno"), "--json")


@pytest.mark.parametrize("name", ["top", "show", "lineage", "describe", "diff", "export", "resume", "stop", "search"])
def test_a_missing_argument_is_named(germline: Any, name: str) -> None:
    refused(germline(name), "Missing", f"germline {name} --help")


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_top_takes_whole_numbers_from_1_on(germline: Any, count: str) -> None:
    refused(germline("top", "first", "-n", count), "'-n'")


def test_the_errors_with_exit_status_1_exist() -> None:
    modules = (
        *("db.errors", "evaluators.executors.executor", "search.failures"),
        *("programs.export.files", "programs.export.verified"),
    )
    classes = {name for module in modules for name in vars(import_module(f"germline.{module}"))}
    assert classes >= _FAILURES
