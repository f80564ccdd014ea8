"""Searches for architectures from end to end: limits, determinism, kill and resume, strategies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from germline.db.store import Store
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import read
from germline.programs.architecture.skeleton import Skeleton
from germline.search.kinds.architecture import PRESETS, STRATEGIES
from germline.search.progress import Progress
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting

TABLE = {"kind": "architecture", "task": "nb201-cifar10", "preset": "nb201"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"), create=True)


def born(store: Store, name: str) -> list[tuple[object, ...]]:
    rows = store.individuals(store.run(name).id)
    return [
        (row.birth, row.parents, row.operator, row.genome, row.fingerprint, row.cached_from, row.rejected)
        for row in rows
    ]


def scored(store: Store, name: str) -> dict[str, object]:
    return {
        evaluation.fingerprint: (evaluation.status, evaluation.fitness, evaluation.objectives)
        for evaluation in store.evaluations(store.run(name).id)
    }


def last(events: object) -> Progress:
    *_, final = events  # type: ignore[misc]
    return final  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_searches_and_resumes_where_it_stopped(store: Store, strategy: str) -> None:
    settings = (f"strategy={strategy}", "population=10", "block=5", "max_params=1.2M", "enforce=first")
    for name in ("whole", "parts"):
        new_run(store, **TABLE, settings=settings, seed=3, births=60, name=name)  # type: ignore[arg-type]
    final = last(evolve(store, "whole"))
    assert final.best is not None and final.best.fitness is not None and final.best.fitness > -12
    for births in (7, 23, 60):
        last(evolve(store, "parts", births=births))
    assert born(store, "parts") == born(store, "whole")
    assert scored(store, "parts") == scored(store, "whole")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_was_cut_anywhere_equals_a_run_that_was_not(store: Store, strategy: str) -> None:
    for block in (1, 4):
        settings = (f"strategy={strategy}", "population=10", f"block={block}", "pool=1")
        for name in (f"whole-{block}", f"cut-{block}"):
            new_run(store, **TABLE, settings=settings, seed=5, births=48, name=name)  # type: ignore[arg-type]
        last(evolve(store, f"whole-{block}"))
        for births in (13, 20, 27, 36, 48):
            last(evolve(store, f"cut-{block}", births=births))
        assert born(store, f"cut-{block}") == born(store, f"whole-{block}")


@pytest.mark.slow
def test_local_search_finds_the_best_cell_of_the_table(store: Store) -> None:
    """Its mean validation accuracy over three seeds is 91.607 %."""
    new_run(store, **TABLE, seed=0, births=300, name="local")  # type: ignore[arg-type]
    best = last(evolve(store, "local")).best
    assert best is not None and best.fitness is not None
    assert 100 + best.fitness == pytest.approx(91.607, abs=0.001)
    assert best.outcome.objectives["params"] == 1_073_466


@pytest.mark.slow
def test_nsga2_hands_over_a_network_of_its_front_and_limits_hold(store: Store) -> None:
    settings = ("strategy=nsga2", "population=12", "block=12", "max_params=800k")
    new_run(store, **TABLE, settings=settings, births=120, name="front")  # type: ignore[arg-type]
    final = last(evolve(store, "front"))
    skeleton = Skeleton(16, 15)
    records = list(store.individuals(store.run("front").id))
    assert len(records) == 120
    assert final.rejected == sum(record.rejected for record in records) == store.runs()[0].rejected > 0
    assert all(count(read(record.genome), skeleton).params <= 800_000 for record in records)
    assert final.winner is not None
    outcomes = {
        evaluation.fingerprint: evaluation.objectives for evaluation in store.evaluations(store.run("front").id)
    }
    mine = outcomes[final.winner.fingerprint]
    assert not any(
        outcome["validation_error"] < mine["validation_error"] and outcome["params"] < mine["params"]
        for outcome in outcomes.values()
    )


@pytest.mark.slow
def test_a_real_training_gives_the_same_lineage_twice(store: Store) -> None:
    small = ("cells=2", "channels=4", "full_cells=2", "full_channels=4", "population=3", "block=3", "space=darts")
    for name in ("one", "two"):
        new_run(store, "architecture", task="digits-cells", settings=small, births=4, name=name)
        last(evolve(store, name))
    assert born(store, "one") == born(store, "two")
    assert scored(store, "one") == scored(store, "two")
    assert all(status == "ok" for status, *_ in scored(store, "one").values())  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda store: new_run(store, **{**TABLE, "preset": "quick"}), "expected space nb201 for nb201-cifar10"),
        (lambda store: new_run(store, "architecture", task="digits-mlp"), "expected a task for kind architecture"),
        (lambda store: new_run(store, "optimizer", task="digits-cells"), "expected a task for kind optimizer"),
        (lambda store: new_run(store, **TABLE, settings=["depth=1"]), "expected depth 0 for strategy=local"),
        (lambda store: new_run(store, **TABLE, settings=["hurdle=0.5"]), "expected hurdle 0 for strategy=local"),
        (
            lambda store: new_run(store, **TABLE, settings=["strategy=eeea", "max_params=1M"]),
            "expected enforce=first for strategy=eeea, got always",
        ),
        (
            lambda store: new_run(store, "architecture", settings=["max_params=10"]),
            r"no architecture .* for the smallest",
        ),
        (lambda store: new_run(store, "architecture", settings=["max_params=big"]), "a positive number such as 3M"),
        (lambda store: new_run(store, "architecture", settings=["objectives=params,params"]), "different names out of"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_recorded(
    store: Store, make: Callable[[Store], object], message: str
) -> None:
    with pytest.raises(BadSetting, match=message):
        make(store)
    assert store.runs() == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_begun(store: Store, name: str) -> None:
    task = "nb201-cifar100" if name == "nb201" else "mnist5k-cells"
    run = new_run(store, "architecture", task=task, preset=name)
    assert run.config["settings"]["classes"] == task_class(task).classes  # type: ignore[attr-defined]
