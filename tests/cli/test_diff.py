"""`diff`, and the changes between two programs."""

from collections.abc import Callable
from typing import Any

import pytest

from germline.cli.genome_diff import change_text, changes

Data = Callable[..., Any]
HEAD = "def train(w, g, m, lr):\n"
TAIL = "  return update, m\n"


def program(*lines: str) -> str:
    return HEAD + "".join(f"  {line}\n" for line in lines) + TAIL


def told(before: str, after: str) -> list[str]:
    return [change_text(change).plain for change in changes(before, after)]


def test_equal_programs_have_no_changes() -> None:
    assert told(program("update = m * 0.1"), program("update = m * 0.1")) == []


def test_an_inserted_statement_is_added() -> None:
    assert told(program("update = m * 0.1"), program("x = sign(g)", "update = m * 0.1")) == ["+ x = sign(g)"]


def test_a_deleted_statement_is_removed() -> None:
    before = program("m = g * 0.5", "update = m * 0.1")
    assert told(before, program("update = m * 0.1")) == ["- m = g * 0.5"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("update = m * 0.1", "update = m * 0.2", "~ update = m * 0.1 → 0.2"),
        ("update = m * 0.1", "update = g * 0.1", "~ update = (m → g) * 0.1"),
        ("update = interp(g, m, 0.9)", "update = interp(g, w, 0.5)", "~ update = interp(g, m → w, 0.9 → 0.5)"),
        ("update = g", "update = m", "~ update = g → m"),
    ],
)
def test_changed_arguments_are_printed_in_place(before: str, after: str, expected: str) -> None:
    assert told(program(before), program(after)) == [expected]


def test_another_function_is_another_statement() -> None:
    assert told(program("update = sign(g)"), program("update = square(g)")) == [
        "- update = sign(g)",
        "+ update = square(g)",
    ]


def test_equal_statements_are_matched_before_similar_statements() -> None:
    before = program("m = m * 0.9", "m = m * 0.5", "update = sign(m)")
    after = program("m = m * 0.5", "update = sign(m)")
    assert told(before, after) == ["- m = m * 0.9"]


def test_a_new_state_shows_in_the_signature() -> None:
    other = "def train(w, g, m, v, lr):\n  update = m * 0.1\n  return update, m, v\n"
    assert told(program("update = m * 0.1"), other) == [
        "def train(w, g, m, lr):  →  def train(w, g, m, v, lr):".join(("~ ", "")),
        "~ return update, m  →  return update, m, v",
    ]


def test_diff_gives_both_rows_and_the_changes(data: Data) -> None:
    found = data("diff", "first:0", "first")
    assert found["first"]["birth"] == 0 and found["second"] == {**found["second"], **data("top", "first", "-n", "1")[0]}
    assert found["same_fingerprint"] is False
    assert found["changes"]
    assert found["first"]["statements"] == 9


def test_diff_of_a_candidate_with_itself_has_no_changes(data: Data, germline: Any) -> None:
    found = data("diff", "first", "first")
    assert found["same_fingerprint"] is True and found["changes"] == []
    assert "both compute the same" in germline("diff", "first", "first").stdout


def test_diff_as_text_shows_every_line_of_both(germline: Any) -> None:
    text = germline("diff", "library:lion", "library:adamw").stdout
    assert "- blend = interp(g, m, 0.9)" in text
    assert "~ m = interp(g, m, 0.99 → 0.9)" in text
    assert "+ decay = w * 0.01" in text
    assert "different fingerprints" in text


def test_fitness_of_different_runs_is_not_subtracted(germline: Any) -> None:
    lines = germline("diff", "first:0", "first").stdout.splitlines()
    assert len(next(line for line in lines if line.startswith("fitness")).split()) == 4
    lines = germline("diff", "first", "library:lion").stdout.splitlines()
    assert len(next(line for line in lines if line.startswith("fitness")).split()) == 3
