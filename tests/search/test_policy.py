"""Searches for policies from end to end: determinism, kill and resume, budgets, reviews, settings."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from germline.db.store import Store
from germline.programs.policy.genome import read
from germline.search.kinds.policy import PRESETS, PolicyKind
from germline.search.progress import Progress
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting
from germline.search.winner import winner

SMALL = ("population=12", "parents=4", "pack=5", "candidates=3", "review_episodes=2", "test_episodes=3", "hidden=6")

MAPPED = ("strategy=map-elites", "behaviours=0,2", "cells=5,4")
EVOLVED = ("strategy=openai-es", "population=15", "rate=0.05")
ADAPTED = ("strategy=sep-cma-es", "population=14")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"), create=True)


def create(store: Store, name: str, *settings: str, births: int = 60, seed: int = 3, task: str | None = None) -> None:
    new_run(store, "policy", task=task, settings=(*SMALL, *settings), births=births, seed=seed, name=name)


def born(store: Store, name: str) -> list[tuple[object, ...]]:
    rows = store.individuals(store.run(name).id)
    return [(row.birth, row.parents, row.operator, row.genome, row.fingerprint) for row in rows]


def scored(store: Store, name: str) -> dict[tuple[str, int, int], object]:
    return {
        (evaluation.fingerprint, evaluation.rung, evaluation.seed): (
            evaluation.status,
            evaluation.fitness,
            evaluation.objectives,
            evaluation.measures,
        )
        for evaluation in store.evaluations(store.run(name).id)
    }


def last(events: object) -> Progress:
    *_, final = events  # type: ignore[misc]
    return final  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_run_that_was_cut_anywhere_equals_a_run_that_was_not(store: Store) -> None:
    for name in ("whole", "cut"):
        create(store, name)
    whole = last(evolve(store, "whole"))
    for births in (5, 12, 13, 30, 60):
        final = last(evolve(store, "cut", births=births))
    assert born(store, "cut") == born(store, "whole")
    assert final.winner == whole.winner
    # Each session ends with its own test, or with reviews if no generation was complete.
    ends = {key for key in scored(store, "cut") if key[1] == 2 or key[1:] == (1, 0)}
    assert {
        key: outcome
        for key, outcome in scored(store, "cut").items()
        if key not in ends or key in scored(store, "whole")
    } == (scored(store, "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [("starts=own",), ("starts=common",), MAPPED, EVOLVED, ADAPTED], ids=",".join)
def test_the_lineage_is_the_same_for_any_number_of_workers(
    store: Store, local_ray: None, settings: tuple[str, ...]
) -> None:
    for workers in (0, 1, 2):
        create(store, f"with-{workers}", "normalise=on", *settings, births=36)
        executor = "ray" if workers else "inline"
        last(evolve(store, f"with-{workers}", workers=workers or 1, executor=executor))  # type: ignore[arg-type]
    assert born(store, "with-0") == born(store, "with-1") == born(store, "with-2")
    assert scored(store, "with-0") == scored(store, "with-1") == scored(store, "with-2")


@pytest.mark.parametrize(("population", "pack", "sizes"), [(64, 50, 32), (12, 5, 4), (200, 50, 50), (7, 50, 7)])
def test_a_generation_is_divided_evenly(population: int, pack: int, sizes: int) -> None:
    settings = PolicyKind().resolve({"population": population, "pack": pack}, ())
    loop_settings = PolicyKind().loop_settings(settings, 1)
    assert (loop_settings.block, loop_settings.pack) == (population, sizes)


@pytest.mark.slow
def test_neither_packs_nor_slots_change_outcomes(store: Store) -> None:
    for name, settings in (("a", ("pack=5",)), ("b", ("pack=12", "slots=3")), ("c", ("pack=1", "slots=1"))):
        create(store, name, *settings, births=24)
        last(evolve(store, name))
    assert scored(store, "a") == scored(store, "b") == scored(store, "c")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [(), MAPPED, EVOLVED], ids=["truncation", "map-elites", "openai-es"])
def test_a_killed_run_goes_on_as_if_nothing_had_been(store: Store, tmp_path: Path, settings: tuple[str, ...]) -> None:
    for name in ("whole", "killed"):
        create(store, name, "episodes=30", "review_episodes=30", *settings, births=240)
    last(evolve(store, "whole"))
    script = (
        "import sys; from germline.db.store import Store; from germline.search.run import evolve\n"
        "for _ in evolve(Store(sys.argv[1]), 'killed'): print('.', flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "runs.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before, until = len(born(store, "killed")), monotonic() + 5
    assert 0 < before < 240
    while store.run("killed").status != "running" and monotonic() < until:
        sleep(0.1)
    last(evolve(store, "killed"))
    assert born(store, "killed") == born(store, "whole")
    assert scored(store, "killed") == scored(store, "whole")


@pytest.mark.slow
def test_the_announced_winner_is_the_winner_in_the_database(store: Store) -> None:
    create(store, "cut")
    for births in (7, 12, 15, 24, 31, 60):
        final = last(evolve(store, "cut", births=births))
        assert final.winner is not None
        assert winner(store, "cut").individual.birth == final.winner.birth


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_a_run_with_generations_in_flight_resumes_as_it_was(store: Store, depth: int) -> None:
    for name in ("whole", "cut"):
        create(store, name, f"depth={depth}", "sigma_decay=0.9")
    last(evolve(store, "whole"))
    for births in (13, 29, 60):
        last(evolve(store, "cut", births=births))
    assert born(store, "cut") == born(store, "whole")


def test_frames_are_no_budget_of_other_kinds(store: Store) -> None:
    new_run(store, "architecture", task="nb201-cifar10", preset="nb201", births=5, name="cells")
    with pytest.raises(BadSetting, match="policies play them"):
        next(iter(evolve(store, "cells", frames=5)))


@pytest.mark.slow
def test_the_elite_is_reviewed_with_fresh_episodes_each_generation_and_tested_in_the_end(store: Store) -> None:
    create(store, "reviewed", births=48)
    final = last(evolve(store, "reviewed"))
    found = scored(store, "reviewed")
    assert {seed for _, rung, seed in found if rung == 1} == {1, 2, 3, 4}
    assert [sum(key[1:] == (1, seed) for key in found) for seed in (1, 2, 3, 4)] == [3, 3, 3, 3]
    assert final.winner is not None
    assert [key for key in found if key[1] == 2] == [(final.winner.fingerprint, 2, 4)]
    _, _, _, measures = found[final.winner.fingerprint, 2, 4]  # type: ignore[misc]
    assert measures["episodes"] == 3  # type: ignore[index]


@pytest.mark.slow
def test_children_have_one_mutation_more_than_their_parent(store: Store) -> None:
    create(store, "grown", "sigma=0.1", "sigma_decay=0.5")
    last(evolve(store, "grown"))
    records = list(store.individuals(store.run("grown").id))
    for record in records[12:]:
        assert record.operator == "mutate"
        child, parent = read(record.genome), read(records[record.parents[0]].genome)
        assert child.parent == parent
        assert child.mutations[-1][1] == 0.1 * 0.5 ** (record.birth // 12)


@pytest.mark.slow
def test_random_search_draws_everything(store: Store) -> None:
    create(store, "drawn", "strategy=random")
    last(evolve(store, "drawn"))
    assert {(individual.operator, individual.parents) for individual in store.individuals(store.run("drawn").id)} == {
        ("random", ())
    }


@pytest.mark.slow
def test_a_budget_in_frames_counts_reviews_and_begins_no_generation_after_it(store: Store) -> None:
    new_run(store, "policy", settings=SMALL, frames=6_000, name="frames", seed=1)
    final = last(evolve(store, "frames"))
    found = scored(store, "frames")
    played = [measures["frames"] for (_, rung, _), (_, _, _, measures) in found.items() if rung < 2]  # type: ignore[misc]
    assert sum(played) >= 6_000
    assert final.births % 12 == 0
    assert final.frames == sum(measures["frames"] for _, _, _, measures in found.values())  # type: ignore[misc]
    new_run(store, "policy", settings=SMALL, births=final.births - 12, name="before", seed=1)
    last(evolve(store, "before"))
    earlier = [m["frames"] for (_, rung, _), (_, _, _, m) in scored(store, "before").items() if rung < 2]  # type: ignore[misc]
    assert sum(earlier) < 6_000


@pytest.mark.slow
def test_a_network_without_hidden_layers_is_searched(store: Store) -> None:
    create(store, "linear", "hidden=none", births=36)
    assert last(evolve(store, "linear", executor="inline")).failures == {}
    [network] = {read(individual.genome).network for individual in store.individuals(store.run("linear").id)}
    assert network.parameter_count == 10
    create(store, "other", "hidden=none", "activation=relu", births=12)  # of what is not there
    assert {read(individual[3]).network for individual in born(store, "other")} <= {network}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda store: create(store, "x", "actions=discrete", task="gym:Pendulum-v1"),
            "expected discrete actions, got",
        ),
        (lambda store: create(store, "x", "actions=continuous"), "expected continuous actions, got gym:CartPole-v1"),
        (lambda store: create(store, "x", "network=conv"), "expected images for network=conv"),
        (lambda store: create(store, "x", "hidden=0"), "a whole number from 1 to 10000, or several .*, or none"),
        (
            lambda store: create(store, "x", "episodes=3"),
            "expected review_episodes of at least episodes, which is 3, got 2: .* --set review_episodes=6",
        ),
        (
            lambda store: create(store, "x", "hidden=none", task="hard-maze-pixels"),
            "expected network=mlp for hidden=none, got conv",
        ),
        (lambda store: create(store, "x", "hidden=8,none"), "or several .*, or none, got '8,none'"),
        (lambda store: create(store, "x", "sigma=-1"), "expected sigma to be a number from 1e-09"),
        (lambda store: create(store, "x", "sigma=5e-324"), "expected sigma to be a number from 1e-09"),
        (lambda store: create(store, "x", task="digits-mlp"), "expected a task for kind policy"),
        (lambda store: new_run(store, "optimizer", frames=5), "got frames"),
        (
            lambda store: create(store, "x", "strategy=novelty", task="gym:CarRacing-v3"),
            "expected a task that reports behaviour descriptors.*got gym:CarRacing-v3; --set strategy=truncation",
        ),
        (
            lambda store: create(store, "x", "strategy=map-elites", task="gym:CarRacing-v3"),
            "expected a task that reports behaviour descriptors, got gym:CarRacing-v3, which reports none; --set stra",
        ),
        (
            lambda store: create(store, "x", "strategy=map-elites", "behaviours=1,4"),
            "expected a task that reports behaviour 4, got gym:CartPole-v1, which reports behaviours 0 to 3",
        ),
        (lambda store: create(store, "x", "behaviours=0,0"), "expected behaviours to be different numbers"),
        (lambda store: create(store, "x", "behaviours="), "expected behaviours to be different numbers"),
        (lambda store: create(store, "x", "cells=0"), "expected cells to be a whole number from 1 to 100000, or sev"),
        (
            lambda store: create(store, "x", "strategy=map-elites", "cells=3,3"),
            "expected cells for each mapped behaviour \\(4\\), or one number for all, got cells=3,3",
        ),
        (
            lambda store: create(store, "x", "strategy=map-elites", "cells=18,18,18,18"),
            "expected at most 100,000 cells, got 104,976 of cells=18,18,18,18; --set voronoi=1000",
        ),
        (lambda store: create(store, "x", "bounds=1:1"), "expected bounds to be a range LOW:HIGH"),
        (lambda store: create(store, "x", "bounds=0:inf"), "expected bounds to be a range LOW:HIGH"),
        (lambda store: create(store, "x", "bounds=0:1,nan:2"), "expected bounds to be a range LOW:HIGH"),
        (lambda store: create(store, "x", "bounds=0"), "expected bounds to be a range LOW:HIGH"),
        (
            lambda store: create(store, "x", "strategy=map-elites", "behaviours=1", "bounds=0:1,0:1"),
            "expected bounds=auto, or a range for each mapped behaviour \\(1\\), got bounds=0:1,0:1",
        ),
        (lambda store: create(store, "x", "voronoi=5000"), "expected voronoi to be a whole number from 0 to 4000"),
        (lambda store: create(store, "x", "qd_offset=nan"), "expected qd_offset to be a number up to 1e12, or auto"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_recorded(
    store: Store, make: Callable[[Store], object], message: str
) -> None:
    with pytest.raises(BadSetting, match=message):
        make(store)
    assert store.runs() == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_begun_on_its_task(store: Store, name: str) -> None:
    run = new_run(store, "policy", preset=name)
    assert run.config["settings"]["population"] > 0
    assert run.task == {"quick": "gym:CartPole-v1", "paper": "atari:frostbite", "maze": "hard-maze"}[name]
    assert new_run(store, "policy", preset=name, task="gym:Acrobot-v1").task == "gym:Acrobot-v1"


@pytest.mark.slow
def test_a_run_without_reviews_that_goes_on_after_its_test_hands_over_the_fittest(store: Store) -> None:
    create(store, "on", "candidates=0", births=24)
    last(evolve(store, "on"))
    final = last(evolve(store, "on", births=120))
    assert final.best is not None and final.winner == final.best.individual
    assert winner(store, "on").individual.birth == final.best.individual.birth


def test_a_run_is_not_resumed_to_fewer_births_than_it_has(store: Store) -> None:
    create(store, "more", births=24)
    last(evolve(store, "more"))
    with pytest.raises(BadSetting, match="expected at least 24 births, which more has, got 12"):
        last(evolve(store, "more", births=12))
    assert store.run("more").status == "finished"
