"""The block loop on real searches: what it records, what it reuses, and that nothing but the config decides."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from whole_runs import SESSION, essence, last, lineage

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.search.failures import SearchFailed
from germline.search.journal import StoreJournal
from germline.search.replay import replay
from germline.search.run import evolve

Create = Callable[..., RunRecord]


def births_and_outcomes(store: Store, run: RunRecord) -> list[object]:
    """As `lineage`, without reviews, because each session reviews its winner when it ends."""
    outcomes = [evaluation for evaluation in store.evaluations(run.id) if (evaluation.rung, evaluation.seed) == (0, 0)]
    return [*store.individuals(run.id), *sorted((essence(outcome) for outcome in outcomes), key=repr)]


def replayed(store: Store, run: RunRecord) -> tuple[int, str | None]:
    """The births that a replay derives, and the first difference."""
    result = replay(store, run.name)
    return result.births, result.difference


@pytest.mark.slow
def test_births_are_numbered_parents_come_first_and_the_count_is_what_was_asked(
    store: Store, small_run: Create
) -> None:
    run = small_run(births=70)
    progress = last(store, run)
    individuals = list(store.individuals(run.id))
    assert [individual.birth for individual in individuals] == list(range(70))
    assert individuals[0].operator == "seed" and not individuals[0].parents
    assert all(parent < individual.birth for individual in individuals for parent in individual.parents)
    assert (progress.births, store.runs()[0].births, store.runs()[0].status) == (70, 70, "finished")
    assert store.check() == []


@pytest.mark.slow
def test_a_known_fingerprint_is_a_cache_hit_and_is_not_scored_again(store: Store, small_run: Create) -> None:
    run = small_run("warmup=0", "litter=1", births=160)
    progress = last(store, run)
    hits = [individual for individual in store.individuals(run.id) if individual.cached_from is not None]
    scored = [evaluation.fingerprint for evaluation in store.evaluations(run.id)]
    assert progress.cache_hits == len(hits) > 0
    assert len(scored) == len(set(scored)) == 160 - len(hits) == progress.evaluations
    first = {individual.birth: individual for individual in store.individuals(run.id)}
    assert all(first[hit.cached_from].fingerprint == hit.fingerprint for hit in hits if hit.cached_from is not None)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_lineage_and_another_seed_another(store: Store, small_run: Create) -> None:
    runs = [small_run(seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        last(store, run)
    first, same, other = (lineage(store, run) for run in runs)
    assert first == same != other


@pytest.mark.slow
def test_a_run_in_pieces_equals_a_run_in_one(store: Store, small_run: Create) -> None:
    straight, pieces = small_run("review_every=32"), small_run("review_every=32")
    last(store, straight)
    for births in (7, 16, 41, 64, 80):
        progress = last(store, pieces, births=births)
    assert births_and_outcomes(store, straight) == births_and_outcomes(store, pieces)
    best = store.best(pieces.name)
    assert progress.best is not None and progress.best.individual.birth == best.individual.birth
    assert progress.start is not None and progress.start.fitness == store.individual(pieces.name, 0).evaluation.fitness  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_run_with_all_operators_is_the_same_in_pieces_and_is_replayed(store: Store, small_run: Create) -> None:
    settings = (
        "operators=insert,delete,modify,tune,rate,replace,wrap,unwrap,idiom,graft,cross",
        "functions=extended",
        "keep_size=on",
        "donors=population,library",
        "warmup=0",
    )
    whole, pieces = small_run(*settings, births=112), small_run(*settings, births=112)
    last(store, whole)
    for births in (50, 80, 112):
        last(store, pieces, births=births)
    assert births_and_outcomes(store, pieces) == births_and_outcomes(store, whole)
    assert replayed(store, pieces) == (112, None)
    individuals = list(store.individuals(whole.id))
    operators = {individual.operator.partition("+")[0].partition("(")[0] for individual in individuals}
    assert operators >= {"replace", "wrap", "unwrap", "idiom", "graft", "cross"}
    assert {len(individual.parents) for individual in individuals} == {0, 1, 2}
    ok = [evaluation for evaluation in store.evaluations(whole.id) if evaluation.status == "ok"]
    assert len(ok) > 30
    assert len({text.partition(")")[0] for text in (individual.genome for individual in individuals)}) > 3


@pytest.mark.slow
def test_a_run_on_islands_is_the_same_in_pieces_and_is_replayed(store: Store, small_run: Create) -> None:
    settings = ("strategy=islands", "islands=lion,sgd_momentum", "migrate_every=32", "review_every=32", "hurdle=0.3")
    whole, pieces = small_run(*settings, births=160), small_run(*settings, births=160)
    last(store, whole)
    for births in (20, 90, 160):
        last(store, pieces, births=births)
    assert births_and_outcomes(store, pieces) == births_and_outcomes(store, whole)
    assert replayed(store, pieces) == (160, None)
    assert [each.operator for each in store.individuals(whole.id)].count("seed") == 3
    assert store.check() == []


@pytest.mark.slow
def test_the_progress_of_a_run_agrees_with_its_records_however_it_was_cut(store: Store, small_run: Create) -> None:
    run = small_run("review_every=16", "depth=0", "pack=8")
    for births in (3, 30, 80):
        progress = last(store, run, births=births)
        summary = store.runs()[0]
        assert progress.best is not None
        assert (progress.best.individual.birth, progress.best.fitness) == (summary.best_birth, summary.best_fitness)
        assert (progress.births, progress.cache_hits) == (summary.births, summary.cache_hits)
        assert progress.evaluations <= summary.evaluations


@pytest.mark.slow
def test_what_is_handed_over_has_been_reviewed(store: Store, small_run: Create) -> None:
    run = small_run("review_every=64", births=40)
    winner = last(store, run).winner
    assert winner is not None
    reviews = {(review.rung, review.seed) for review in store.reviews(run.id, winner.fingerprint)}
    assert reviews == {(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)}
    best = store.best(run.name).individual.fingerprint
    assert len(store.reviews(run.id, best)) == 5


@pytest.mark.slow
def test_a_run_with_hurdles_drops_some_and_is_the_same_in_pieces(store: Store, small_run: Create) -> None:
    hurdles = ("hurdle=0.5", "passing=0.5", "population=10", "lengths=0.2", "warmup=0", "litter=1")
    straight, pieces = small_run(*hurdles, births=160), small_run(*hurdles, births=160)
    last(store, straight)
    for births in (16, 41, 100, 160):
        last(store, pieces, births=births)
    assert births_and_outcomes(store, straight) == births_and_outcomes(store, pieces)
    dropped = [evaluation for evaluation in store.evaluations(straight.id) if evaluation.status == "rejected"]
    assert dropped and all("hurdle" in str(evaluation.error) for evaluation in dropped)
    assert all(
        evaluation.measures["hurdle"] > 0 for evaluation in store.evaluations(straight.id) if evaluation.status == "ok"
    )


@pytest.mark.slow
@pytest.mark.parametrize("events", [1, 2, 5, 9])
def test_a_run_that_is_left_at_any_event_and_resumed_equals_a_run_in_one(
    store: Store, small_run: Create, events: int
) -> None:
    straight, broken = small_run("review_every=32"), small_run("review_every=32")
    last(store, straight)
    session = evolve(store, broken.name)
    for _ in range(events):
        next(session)
    session.close()  # type: ignore[attr-defined]
    assert store.run(broken.name).status == "stopped"
    last(store, broken)
    assert lineage(store, straight) == lineage(store, broken)


@pytest.mark.slow
def test_ray_workers_give_the_lineage_that_this_process_gives(local_ray: None, store: Store, small_run: Create) -> None:
    runs = {
        "inline": small_run("review_every=32"),
        "1": small_run("review_every=32"),
        "2": small_run("review_every=32"),
    }
    last(store, runs["inline"], executor="inline")
    last(store, runs["1"], executor="ray", workers=1)
    last(store, runs["2"], executor="ray", workers=2)
    assert lineage(store, runs["inline"]) == lineage(store, runs["1"]) == lineage(store, runs["2"])


@pytest.mark.slow
def test_a_killed_run_that_is_resumed_equals_one_that_was_not_and_hash_seeds_do_not_matter(
    store: Store, small_run: Create, tmp_path: Path
) -> None:
    straight = small_run(births=160)
    last(store, straight)
    killed = small_run(births=160)
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SESSION, str(tmp_path / "runs.db"), killed.name],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": str(number)},
        )
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(0.02 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        recorded = sum(1 for _ in store.evaluations(killed.id))
        assert recorded >= acknowledged
        assert store.run(killed.name).status in ("interrupted", "finished")
        assert store.check() == []
    last(store, killed)
    assert lineage(store, straight) == lineage(store, killed)


@pytest.mark.slow
def test_a_stop_request_from_elsewhere_ends_the_session_and_loses_nothing(store: Store, small_run: Create) -> None:
    run = small_run()
    session = evolve(store, run.name)
    next(session)
    store.request_stop(run.name)
    assert len(list(session)) <= 1
    assert store.run(run.name).status == "stopped"
    assert last(store, run).births == 80


def test_the_database_is_asked_for_a_stop_no_more_often_than_allowed(store: Store, small_run: Create) -> None:
    run = small_run()
    journal = StoreJournal(store, run)
    assert not journal.stop_requested(poll=1e9)
    store.request_stop(run.name)
    assert not journal.stop_requested(poll=1e9)
    assert journal.stop_requested(poll=0.0)


@pytest.mark.slow
def test_an_evaluation_budget_ends_at_the_same_birth_for_any_number_of_workers(
    local_ray: None, store: Store, small_run: Create
) -> None:
    first_run, second_run = small_run(), small_run()
    first = last(store, first_run, evaluations=30, executor="inline")
    second = last(store, second_run, evaluations=30, executor="ray", workers=2)
    assert 30 <= first.evaluations <= 30 + 3 * 16
    assert lineage(store, first_run) == lineage(store, second_run) and second.evaluations == first.evaluations


FAILING = """
from germline.evaluators.tasks.digits_mlp import DigitsMLP
class Failing(DigitsMLP):
    name = "failing"
    def measure(self, params, split):
        raise RuntimeError("no such sensor")
"""


@pytest.mark.slow
def test_a_search_in_which_everything_fails_ends_with_the_cause(
    store: Store, small_run: Create, tmp_path: Path
) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    task = f"{tmp_path / 'failing.py'}:Failing"
    run = small_run("max_failures=10", task=task)
    with pytest.raises(SearchFailed, match=r"the last 1\d scorings failed.*RuntimeError: no such sensor"):
        last(store, run, task=task)
    assert store.run(run.name).status == "failed"


@pytest.mark.slow
def test_searches_that_overlap_leave_the_garbage_collector_as_they_found_it(store: Store, small_run: Create) -> None:
    before = gc.get_threshold()
    first, second = (evolve(store, small_run().name) for _ in range(2))
    next(first)
    next(second)
    assert gc.get_threshold() != before
    first.close()  # type: ignore[attr-defined]
    assert gc.get_threshold() != before
    second.close()  # type: ignore[attr-defined]
    assert gc.get_threshold() == before


@pytest.mark.slow
def test_a_run_whose_budget_ends_before_births_without_outcome_is_stopped_and_goes_on_later(
    store: Store, small_run: Create
) -> None:
    run, straight = small_run(name="cut"), small_run(name="straight")
    last(store, straight, executor="inline")
    for progress in evolve(store, run.name, executor="inline"):
        if progress.births == 48:  # the third block is bred, and not yet scored
            break
    assert replayed(store, run) == (48, None)
    shorter = last(store, run, executor="inline", evaluations=1)
    assert shorter.unscored > 0
    assert store.run(run.name).status == "stopped" and store.check() == []
    assert replayed(store, run) == (48, None)
    assert last(store, run, executor="inline").unscored == 0
    assert replayed(store, run) == (80, None)
    assert store.run(run.name).status == "finished" and store.check() == []
    assert births_and_outcomes(store, run) == births_and_outcomes(store, straight)
