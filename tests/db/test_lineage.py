"""Best, top, lineage, failures, summaries and the views, on every database."""

from collections.abc import Callable

import pytest
import sqlalchemy

from germline.db.engine import Database
from germline.db.errors import NothingScored
from germline.db.location import locate
from germline.db.lock_retry import LockRetry
from germline.db.records import EvaluationRecord, Individual, RunRecord, RunSummary
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


@pytest.fixture
def family(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> RunRecord:
    """Seven births in two blocks: two tie for best, with a cache hit, two failures and reviews of a higher fitness."""
    other, run = make_run("other"), make_run("family")
    store.add_individuals(other.id, "optimizer", [born(0)])
    store.add_evaluations(other.id, [scored(0, 1000.0)])
    births = [
        born(0),
        born(1),
        born(2, 0),
        born(3, 1, 0, rejected=3),
        born(4, 3, fingerprint="print-2", cached_from=2),
        born(5, 4, 2),
        born(6, 5, rejected=2),
    ]
    store.add_individuals(run.id, "optimizer", births)
    store.add_evaluations(
        run.id,
        [
            scored(5, 3.0),
            scored(0, 1.0),
            scored(1, None),
            scored(2, 3.0),
            scored(3, None, status="rejected", error="no live statement"),
            scored(0, 50.0, rung=1),
            scored(0, 60.0, seed=1),
            scored(0, 70.0, task="mnist5k-conv"),
        ],
    )
    return run


def test_the_best_has_the_highest_fitness_and_among_equals_the_lowest_birth(store: Store, family: RunRecord) -> None:
    best = store.best("family")
    assert (best.run, best.individual.birth, best.evaluation and best.evaluation.fitness) == ("family", 2, 3.0)


def test_the_top_lists_each_fingerprint_once_by_its_first_birth(store: Store, family: RunRecord) -> None:
    assert [scored.individual.birth for scored in store.top("family", 10)] == [2, 5, 0]
    assert [scored.individual.birth for scored in store.top("family", 2)] == [2, 5]
    assert store.top("family", 1)[0].individual.parents == (0,)


def test_an_ok_outcome_without_fitness_comes_last(store: Store, family: RunRecord, born: Born, scored: Scored) -> None:
    store.add_individuals(family.id, "optimizer", [born(7)])
    store.add_evaluations(family.id, [scored(7, None, status="ok", objectives={"loss": 1.0, "size": 2.0}, error=None)])
    assert [scored.individual.birth for scored in store.top("family", 10)] == [2, 5, 0, 7]


def test_a_run_without_an_ok_outcome_has_no_best(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> None:
    run = make_run("empty")
    with pytest.raises(NothingScored, match="'empty' has no ok outcome yet"):
        store.best("empty")
    store.add_individuals(run.id, "optimizer", [born(0)])
    store.add_evaluations(run.id, [scored(0, None), scored(0, 9.0, rung=1)])
    with pytest.raises(NothingScored):
        store.best("empty")
    assert store.top("empty", 5) == []


def test_a_cache_hit_has_the_outcome_of_the_birth_it_was_cached_from(store: Store, family: RunRecord) -> None:
    hit = store.individual("family", 4)
    assert hit.individual.cached_from == 2
    assert hit.evaluation == store.individual("family", 2).evaluation
    assert hit.evaluation is not None
    assert hit.evaluation.birth == 2


def test_a_birth_that_is_not_scored_yet_has_no_outcome(store: Store, family: RunRecord) -> None:
    assert store.individual("family", 6).evaluation is None


def test_lineage_gives_the_individual_and_every_ancestor_once_oldest_first(store: Store, family: RunRecord) -> None:
    line = store.lineage("family", 6)
    assert [scored.individual.birth for scored in line] == [0, 1, 2, 3, 4, 5, 6]
    assert [scored.individual.parents for scored in line] == [(), (), (0,), (1, 0), (3,), (4, 2), (5,)]
    assert [scored.individual.birth for scored in store.lineage("family", 2)] == [0, 2]
    assert [scored.individual.birth for scored in store.lineage("family", 0)] == [0]


def test_lineage_follows_a_thousand_generations(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run("long")
    store.add_individuals(
        run.id, "optimizer", [born(0), born(1), *(born(birth, birth - 2) for birth in range(2, 2001))]
    )
    assert [scored.individual.birth for scored in store.lineage("long", 2000)] == list(range(0, 2001, 2))


def test_failures_are_counted_by_status(store: Store, family: RunRecord) -> None:
    assert store.failures("family") == {"diverged": 1, "rejected": 1}
    assert store.failures("other") == {}


def test_a_summary_counts_births_evaluations_cache_hits_and_failures(store: Store, family: RunRecord) -> None:
    other, summary = store.runs()
    assert other.name == "other"
    assert summary == RunSummary(
        name="family",
        kind="optimizer",
        task="digits-mlp",
        preset="quick",
        seed=7,
        status="running",
        births=7,
        evaluations=8,
        cache_hits=1,
        failures=2,
        rejected=5,
        seconds=0.0,
        best_birth=2,
        best_fitness=3.0,
        owner=family.owner,
        created=family.created,
    )


def test_the_views_return_the_same_to_any_sql_tool(url: str, store: Store, family: RunRecord) -> None:
    database = Database(locate(url), LockRetry())

    def rows_of(query: str) -> list[tuple[object, ...]]:
        return database.read(lambda connection: [tuple(row) for row in connection.execute(sqlalchemy.text(query))])

    assert rows_of("SELECT run, birth, fitness, objectives, operator, genome FROM v_best ORDER BY run") == [
        ("family", 2, 3.0, '{"loss":-3.0}', "modify", store.best("family").individual.genome),
        ("other", 0, 1000.0, '{"loss":-1000.0}', "seed", store.best("other").individual.genome),
    ]
    assert rows_of(
        "SELECT birth, parent, operator, fitness, parent_fitness FROM v_lineage WHERE run = 'family' ORDER BY 1, 2 DESC"
    ) == [
        (0, None, "seed", 1.0, None),
        (1, None, "seed", None, None),
        (2, 0, "modify", 3.0, 1.0),
        (3, 1, "modify", None, None),
        (3, 0, "modify", None, 1.0),
        (4, 3, "modify", 3.0, None),
        (5, 4, "modify", 3.0, 3.0),
        (5, 2, "modify", 3.0, 3.0),
        (6, 5, "modify", None, 3.0),
    ]
    assert rows_of("SELECT birth, status, error, rung, seed FROM v_failures WHERE run = 'family' ORDER BY birth") == [
        (1, "diverged", "loss is nan at step 3", 0, 0),
        (3, "rejected", "no live statement", 0, 0),
    ]
    assert rows_of("SELECT name, births, best_birth FROM v_runs ORDER BY name") == [("family", 7, 2), ("other", 1, 0)]
    database.close()
