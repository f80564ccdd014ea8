"""Fronts of optimizer programs."""

from pathlib import Path

import pytest
from command_line import call, data

from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import library
from germline.search.run import new_run
from germline.search.settings import BadSetting
from germline.search.strategies.program_front import program_points, sizes


def test_what_competes_follows_from_outcome_and_program() -> None:
    outcome = Outcome("ok", 0.5, {}, {"a:gain": 1.0, "b:gain": 0.0, "a:accuracy": 0.9})
    program = library()["sgd_momentum"]
    statements, memory = sizes(program)
    points = program_points([(program, outcome)], ("statements", "fitness", "tasks", "memory"))
    assert points.tolist() == [[statements, -0.5, -1.0, 0.0, memory]]
    assert memory == 1 and sizes(library()["adamw"])[1] == 2 and sizes(library()["adafactor"])[1] == 0


@pytest.mark.parametrize(
    ("front", "message"),
    [("statements", "at least two objectives"), ("tasks,memory", r"expected several tasks \(--task again\)")],
)
def test_a_front_needs_objectives_that_the_task_has(store: Store, front: str, message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        new_run(store, settings=("strategy=front", f"front={front}"), task="digits-mlp")


@pytest.mark.slow
def test_top_lists_the_front_first(tmp_path: Path) -> None:
    settings = ("strategy=front", "front=fitness,memory", "lengths=0.1", "population=8", "block=8", "review_every=0")
    words = [word for text in settings for word in ("--set", text)]
    db = tmp_path / "runs.db"
    assert call(db, "search", "optimizer", *words, "--births", "48", "--executor", "inline").exit_code == 0
    rows = data(db, "top", "optimizer-1", "-n", "48")
    points = [(row["fitness"], sizes(row["genome"])[1]) for row in rows]
    on_front = [
        not any(other[0] >= point[0] and other[1] <= point[1] and other != point for other in points)
        for point in points
    ]
    assert on_front == sorted(on_front, reverse=True) and 0 < sum(on_front) < len(rows)
    assert data(db, "show", "optimizer-1")["birth"] in [row["birth"] for row in rows[: sum(on_front)]]
    assert (
        f"the first {sum(on_front)} of {sum(on_front)} on the front"
        in call(db, "top", "optimizer-1", "-n", "48").output
    )
