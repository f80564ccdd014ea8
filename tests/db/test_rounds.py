"""Rounds of reviews: how many are asked for, and when all are done."""

from collections.abc import Callable
from typing import Any

import pytest

from germline.db.records import EvaluationRecord, IndividualRecord, RunRecord
from germline.db.rounds import asked
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., IndividualRecord]
Scored = Callable[..., EvaluationRecord]

CANDIDATES = 3


@pytest.mark.parametrize(
    ("candidates", "well", "elite", "expected"),
    [
        (3, "abcd", None, 3),
        (3, "ab", None, 2),
        (3, "", None, 0),
        (1, "abcd", None, 1),
        (3, "abcd", "z", 3),
        (3, "abcd", "a", 3),
        (3, "ab", "a", 2),
        (3, "", "z", 1),
        (1, "abcd", "z", 2),
        (1, "a", "a", 1),
        (0, "abcd", "z", 0),
    ],
)
def test_the_old_elite_and_the_best_others_are_reviewed(
    candidates: int, well: str, elite: str | None, expected: int
) -> None:
    assert asked(candidates, set(well), elite) == expected


class Rounds:
    """A run in blocks of four; who is handed over, as reviews come in one by one."""

    def __init__(self, store: Store, run: RunRecord, born: Born, scored: Scored) -> None:
        self.store, self.run, self.born, self.scored = store, run, born, scored

    def block(self, number: int, *fitness: float | None) -> "Rounds":
        births = [self.born(4 * number + place) for place in range(len(fitness))]
        self.store.add_individuals(self.run.id, self.run.kind, births)
        for one, value in zip(births, fitness, strict=True):
            self.score(one.birth, value, 0, 0)
        return self

    def score(self, birth: int, fitness: float | None, rung: int, seed: int) -> "Rounds":
        self.store.add_evaluations(self.run.id, [self.scored(birth, fitness, rung=rung, seed=seed)])
        return self

    @property
    def winner(self) -> int:
        return self.store.winner(self.run.name).individual.birth


@pytest.fixture
def rounds(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> Callable[..., Rounds]:
    def make(**settings: Any) -> Rounds:
        run = make_run(f"run-{len(store.runs())}", config={"settings": {"candidates": CANDIDATES, **settings}})
        return Rounds(store, run, born, scored)

    return make


def test_a_round_counts_when_its_last_review_is_done(rounds: Callable[..., Rounds]) -> None:
    run = rounds().block(0, 1.0, 2.0, 3.0, 4.0)
    assert run.winner == 3
    assert run.score(3, 1.0, 1, 1).winner == run.score(2, 2.0, 1, 1).winner == 3
    assert run.score(1, 0.5, 1, 1).winner == 2
    run.block(1, 9.0, 8.0, None, 0.0)
    assert run.score(2, 3.0, 1, 2).score(4, 5.0, 1, 2).winner == 2
    assert run.score(5, 4.0, 1, 2).winner == 4


def test_of_few_that_went_well_the_old_elite_is_reviewed_too(rounds: Callable[..., Rounds]) -> None:
    run = rounds().block(0, None, None, 3.0, None).score(2, 2.0, 1, 1)
    run.block(1, None, 5.0, None, None).score(2, None, 1, 2)
    assert run.winner == 2
    assert run.score(5, 1.0, 1, 2).winner == 5
    alone = rounds(candidates=1).block(0, 1.0, 2.0, 3.0, 4.0).score(3, 1.0, 1, 1)
    assert alone.winner == 3
    assert alone.block(1, 5.0, 6.0, 7.0, 8.0).score(7, 9.0, 1, 2).winner == 3
    assert alone.score(3, 1.0, 1, 2).winner == 7


def test_a_birth_that_shares_the_outcome_of_the_elite_is_not_another(
    store: Store, rounds: Callable[..., Rounds], born: Born
) -> None:
    run = rounds().block(0, None, None, 3.0, None).score(2, 2.0, 1, 1)
    shared = [born(one, fingerprint="print-2", cached_from=2) for one in (4, 5, 6)]
    store.add_individuals(run.run.id, run.run.kind, [*shared, born(7)])
    run.score(7, 1.0, 0, 0).score(7, 9.0, 1, 2)
    assert run.winner == 2
    assert run.score(2, 1.0, 1, 2).winner == 7


def test_what_had_to_wait_for_a_round_tells_that_it_is_done(store: Store, rounds: Callable[..., Rounds]) -> None:
    bred, tested, ended, deep = (rounds(depth=depth).block(0, 1.0, 2.0, 3.0, 4.0) for depth in (0, 0, 0, 1))
    for run in (bred, tested, ended, deep):
        assert run.score(1, 1.0, 1, 1).winner == 3
    assert bred.block(1, 5.0).winner == tested.score(1, 0.5, 2, 1).winner == 1
    assert deep.block(1, 5.0).winner == 4 and deep.block(2, 6.0).winner == 1
    store.release(ended.run.id, "finished", 0.0)
    assert ended.winner == 1


def test_a_generation_that_is_asked_for_has_an_elite_before_its_round_is_done(
    store: Store, rounds: Callable[..., Rounds]
) -> None:
    run = rounds().block(0, 1.0, 2.0, 3.0, 4.0).score(1, 1.0, 1, 1)
    found = store.elite(run.run.name, 1)
    assert found is not None and found.individual.birth == 1 and store.elite(run.run.name) is None


def test_reviews_of_a_run_that_was_cut_in_its_first_generation_count(rounds: Callable[..., Rounds]) -> None:
    run = rounds().block(0, 1.0, 2.0).score(0, 5.0, 1, 0)
    assert run.winner == 0
    assert run.score(1, 9.0, 1, 1).winner == 0
