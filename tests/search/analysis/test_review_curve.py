"""The search fitness of reviewed programs beside their reviews."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from invented_runs import InventedRun

from germline.db.store import Store
from germline.search.analysis.learning_curve import learning_curve_of
from germline.search.analysis.review_curve import ReviewedProgram, turning_point


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def program(birth: int, search: float | None, longer: float | None) -> ReviewedProgram:
    return ReviewedProgram(birth // 4, birth, search, None, 0, longer, 1)


def test_a_reviewed_program_has_its_search_fitness_and_its_reviews(store: Store) -> None:
    run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0, None, -4.0])
    run.score(0, -3.5, 0, 1).score(0, -2.5, 0, 2).score(0, -1.0, 1).complete(0, 1)
    run.block(1, [-5.0, -2.5, -1.0, -1.5]).score(6, -1.5, 0, 1).score(6, None, 0, 2).score(6, None, 1).complete(1, 6)
    run.end()
    assert learning_curve_of(store, "opt").reviewed == [
        ReviewedProgram(0, 0, -3.0, -3.0, 2, -1.0, 1),
        ReviewedProgram(1, 6, -1.0, None, 2, None, 1),
    ]


def test_runs_of_other_kinds_have_no_reviewed_programs(store: Store) -> None:
    InventedRun(store, "policy").block(0, [1.0, 5.0, None, 3.0]).score(1, 2.0, 1, 1).complete(0, 1).end()
    assert learning_curve_of(store, "policy").reviewed == ()


def test_search_and_longer_rung_part_at_the_best_of_the_longer_rung() -> None:
    rising = [program(0, -3.0, -3.0), program(5, -2.0, -2.0)]
    assert turning_point(rising) is None
    assert turning_point([*rising, program(9, -1.0, -2.5), program(12, -0.5, None)]) == rising[1]


def test_a_later_program_with_a_lower_search_fitness_is_no_turn() -> None:
    """A restart may make a worse program the best of its time."""
    assert turning_point([program(0, -2.0, -1.0), program(5, -3.0, -2.0)]) is None


def test_one_program_has_no_turn() -> None:
    assert turning_point([program(0, -2.0, -1.0), program(5, -1.0, None)]) is None
    assert turning_point([]) is None
