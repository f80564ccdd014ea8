"""`--csv`: what `--json` prints, as a table."""

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from germline.cli.csv_text import csv_text


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ([], [""]),
        ([{"a": 1, "b": None}, {"a": -0.5, "c": "x,y"}], ["a,b,c", "1,,", '-0.5,,"x,y"']),
        ({"best": {"birth": 3, "fitness": 1e-300}, "ok": True}, ["best.birth,best.fitness,ok", "3,1e-300,true"]),
        ({"name": "n", "rows": [{"a": 1}, {"a": 2}]}, ["name,rows.a", "n,1", "n,2"]),
        ({"tags": ["a", 1], "none": {}}, ["tags,none", '"[""a"", 1]",{}']),
        ([{"text": "two\nlines"}], ["text", '"two', 'lines"']),
        ([1, "two"], ["value", "1", "two"]),
        ([{"text": "\x1b[31m"}], ["text", "\ufffd[31m"]),
    ],
)
def test_records_are_lines_and_keys_are_columns(data: Any, lines: list[str]) -> None:
    assert csv_text(data) == "\n".join(lines) + "\n"


def test_the_table_of_top_holds_the_values_of_its_json(germline: Any, data: Any) -> None:
    table, listed = rows(germline("top", "first", "-n", "5", "--csv").stdout), data("top", "first", "-n", "5")
    assert [row["birth"] for row in table] == [str(row["birth"]) for row in listed]
    assert [float(row["fitness"]) for row in table] == [row["fitness"] for row in listed]
    assert [row["genome"] for row in table] == [row["genome"] for row in listed]
    losses = [float(row["objectives.validation_loss"]) for row in table]
    assert losses == [row["objectives"]["validation_loss"] for row in listed]


def test_a_curve_has_a_line_for_each_block(germline: Any, data: Any) -> None:
    table, [curve] = rows(germline("curve", "first", "--csv").stdout), data("curve", "first")
    assert [row["rows.births"] for row in table] == [str(row["births"]) for row in curve["rows"]]
    assert {row["run"] for row in table} == {"first"}


@pytest.mark.parametrize("command", [["runs"], ["show", "first"], ["lineage", "first"], ["describe", "library:lion"]])
def test_other_commands_print_a_table_too(germline: Any, command: list[str]) -> None:
    done = germline(*command, "--csv")
    assert done.exit_code == 0 and len(rows(done.stdout)) >= 1, done.output


def test_json_and_csv_at_once_are_a_mistake(germline: Any) -> None:
    done = germline("runs", "--json", "--csv")
    assert done.exit_code == 2 and done.stderr == "Error: expected --json or --csv, got both; leave one out\n"


def test_a_table_of_a_hostile_database_is_inert(germline: Any, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE run SET preset = ?", ("\x1b]0;owned\x07\u202e",))
        connection.commit()
    text = germline("runs", "--csv", db=copied).stdout
    assert all(char.isprintable() or char == "\n" for char in text) and "owned" in text
