"""`germline compare`: statistics of runs that differ in their seed alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from invented_runs import InventedRun

from germline.cli.main import cli
from germline.db.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Runs of policies and of optimizers, with invented outcomes."""
    path = tmp_path / "germline.db"
    with Store(str(path)) as store:
        for seed, (small, large) in enumerate([(10.0, 50.0), (30.0, 60.0), (20.0, 100.0)]):
            policy(store, f"small-{seed}", seed, 0.05, fitness=500.0, test=small)
            policy(store, f"large-{seed}", seed, 0.5, fitness=100.0, review=large, births=200)
        policy(store, "empty", 9, 0.05)
        for seed, fitness in ((1, -0.3), (2, -0.1)):
            optimizer(store, f"opt-{seed}", seed).block(0, [fitness]).end()
    return path


def optimizer(store: Store, name: str, seed: int, births: int = 100) -> InventedRun:
    return InventedRun(store, name, "optimizer", {"population": 100}, seed, births)


def policy(
    store: Store,
    name: str,
    seed: int,
    sigma: float,
    fitness: float | None = None,
    review: float | None = None,
    test: float | None = None,
    births: int = 100,
) -> None:
    settings = {"sigma": sigma, "hidden": [32, 32], "network_data": {"made of": "the settings"}}
    run = InventedRun(store, name, "policy", settings, seed, births).waiting(0, 1)
    for rung, value, episodes in ((0, fitness, 1), (1, review, 30), (2, test, 200)):
        if value is not None:
            run.score(0, value, rung, 3 * (rung > 0), 1.0, episodes)
    run.end()


def call(database: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *args], env={"GERMLINE_DB": str(database)})


@pytest.fixture
def data(database: Path) -> Callable[..., Any]:
    def ask(*args: str) -> Any:
        done = call(database, *args, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return ask


@pytest.mark.slow
def test_runs_that_differ_in_seed_and_budget_alone_are_one_group(data: Callable[..., Any]) -> None:
    large, small = data("small-*", "large-*")
    assert [run["name"] for run in small["runs"]] == ["small-0", "small-1", "small-2"]
    assert (small["differs"], large["differs"]) == ({"sigma": 0.05}, {"sigma": 0.5})
    assert (small["median"], small["quartiles"], small["least"], small["most"]) == (20.0, [15.0, 25.0], 10.0, 30.0)
    assert (small["seeds"], small["births"], small["evaluations"]) == (3, 1, 2)


@pytest.mark.slow
def test_of_policies_counts_the_test_or_else_the_review(data: Callable[..., Any]) -> None:
    large, small = data("small-*", "large-*")
    assert (small["of"], large["of"]) == (["test"], ["review"])
    assert [run["value"] for run in large["runs"]] == [50.0, 60.0, 100.0]
    assert {run["episodes"] for run in small["runs"]} == {200}


def test_of_other_kinds_counts_the_fitness_of_the_best(data: Callable[..., Any]) -> None:
    [group] = data("opt-*")
    assert (group["kind"], group["of"], group["median"], group["differs"]) == ("optimizer", ["fitness"], -0.2, {})


@pytest.mark.slow
def test_kinds_are_never_mixed(data: Callable[..., Any]) -> None:
    groups = data("*")
    assert [(group["kind"], len(group["runs"])) for group in groups] == [("optimizer", 2), ("policy", 3), ("policy", 4)]
    assert groups[0]["differs"] == {"kind": "optimizer", "task": "digits-mlp"}
    assert groups[1]["differs"] == {"kind": "policy", "task": "gym:CartPole-v1", "sigma": 0.5}


@pytest.mark.slow
def test_a_run_without_an_outcome_is_counted_but_not_in_the_numbers(database: Path, data: Callable[..., Any]) -> None:
    [group] = data("small-*", "empty")
    assert len(group["runs"]) == 4 and group["median"] == 20.0
    assert "runs without an ok outcome, which are not in the numbers: 1" in call(database, "small-*", "empty").stdout
    [alone] = data("empty")
    assert alone["median"] is None and alone["quartiles"] is None
    assert "no ok outcome" in call(database, "empty").stdout


@pytest.mark.slow
def test_a_run_is_counted_once_however_often_it_is_named(data: Callable[..., Any]) -> None:
    [group] = data("small-1", "small-*", "small-?")
    assert [run["name"] for run in group["runs"]] == ["small-1", "small-0", "small-2"]


@pytest.mark.slow
def test_as_text_a_group_is_named_by_what_differs(database: Path) -> None:
    lines = call(database, "small-*", "large-*").stdout.splitlines()
    assert lines[1].split()[:3] == ["sigma=0.5", "3", "60.0000"]
    assert lines[2].split()[0] == "sigma=0.05" and lines[2].endswith("test of 200 episodes")
    assert lines[3] == "policy on gym:CartPole-v1, preset quick; quartiles are over runs"
    assert call(database, "small-*").stdout.splitlines()[1].startswith("small-0 … small-2")


@pytest.mark.slow
def test_equal_seeds_are_noted_as_the_same_search(database: Path) -> None:
    with Store(str(database)) as store:
        policy(store, "small-again", 1, 0.05, test=30.0)
    assert "4 runs of 3 seeds; runs with equal seeds are the same search" in call(database, "small-*").stdout


@pytest.mark.slow
def test_runs_with_different_scores_are_noted(database: Path) -> None:
    with Store(str(database)) as store:
        policy(store, "small-9", 9, 0.05, fitness=30.0)
    assert "its runs have different scores (test of 200 episodes, fitness of 1 episode)" in (
        call(database, "small-?").stdout
    )


@pytest.mark.slow
def test_runs_with_different_budgets_are_noted(database: Path, data: Callable[..., Any]) -> None:
    assert "budgets" not in call(database, "small-*", "large-*").stdout
    with Store(str(database)) as store:
        policy(store, "small-long", 7, 0.05, test=30.0, births=20_000)
    large, small = data("small-*", "large-*")
    assert (large["budgets"], small["budgets"]) == ([{"births": 200}], [{"births": 100}, {"births": 20_000}])
    assert {run["name"]: run["budget"] for run in small["runs"]}["small-long"] == {"births": 20_000}
    said = "small-0 … small-long: its runs have different budgets (100 births, 20,000 births)"
    assert said in call(database, "small-*").stdout.splitlines()


@pytest.mark.slow
def test_a_run_that_went_on_beyond_its_budget_has_another(database: Path) -> None:
    with Store(str(database)) as store:
        optimizer(store, "opt-3", 3, births=1).waiting(0, 100).end()
        policy(store, "small-short", 8, 0.05, test=5.0, births=1)
    assert "budgets" not in call(database, "opt-*").stdout
    assert "different budgets (1 birth, 100 births)" in call(database, "small-*").stdout


@pytest.mark.slow
def test_runs_that_are_not_finished_are_noted(database: Path, data: Callable[..., Any]) -> None:
    with Store(str(database)) as store:
        for name, status in (("small-1", "failed"), ("small-2", "stopped"), ("opt-2", "running")):
            run = store.run(name)
            store.claim(run.id)
            if status != "running":
                store.release(run.id, status, 1.0)
        [group] = data("small-*")
        assert group["statuses"] == {"finished": 1, "failed": 1, "stopped": 1}
        said = "small-0 … small-2: not all of its runs are finished (1 failed, 1 finished, 1 stopped)"
        assert said in call(database, "small-*").stdout.splitlines()
        assert "not all of its runs are finished (1 finished, 1 running)" in call(database, "opt-*").stdout
    assert "are finished" not in call(database, "large-*").stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smal-0", "frost-*", "small-[9]"])
def test_a_name_that_fits_nothing_is_refused_in_a_line(database: Path, name: str) -> None:
    done = call(database, "opt-1", name)
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "expected a run, or a pattern that matches a run" in done.stderr
    if name == "smal-0":
        assert "did you mean 'small-0'?" in done.stderr


def cells(store: Store, name: str, seed: int, params: float, objectives: tuple[str, ...]) -> None:
    values = {"validation_error": 50.0, "params": params, "macs": 10.0}
    settings = {"objectives": list(objectives)}
    InventedRun(store, name, "architecture", settings, seed).front(0, [values]).end()


@pytest.mark.slow
def test_runs_with_several_objectives_have_a_hypervolume(database: Path, data: Callable[..., Any]) -> None:
    with Store(str(database)) as store:
        for seed, params in enumerate((100.0, 200.0, 400.0)):
            cells(store, f"cells-{seed}", seed, params, ("validation_error", "params"))
        cells(store, "single", 0, 800.0, ("validation_error",))
    groups = {row["runs"][0]["name"]: row for row in data("cells-*", "single", "small-0")}
    several = groups["cells-0"]["hypervolume"]
    assert (several["median"], several["quartiles"]) == (0.25, [0.125, 0.3125])
    assert (several["least"], several["most"]) == (0.0, 0.375)
    assert several["reference"] == {"validation_error": 100.0, "params": 400.0}
    assert [run["hypervolume"] for run in groups["cells-0"]["runs"]] == [0.375, 0.25, 0.0]
    assert groups["single"]["hypervolume"] is None and groups["small-0"]["hypervolume"] is None
    text = call(database, "cells-*", "single").stdout
    assert "hypervolume" in text.splitlines()[0] and "0.2500" in text
    note = "hypervolume on digits-cells: median over runs, share of the box up to validation_error 100, params 400"
    assert note in text.splitlines()
    assert "hypervolume" not in call(database, "small-*").stdout


def test_the_first_group_is_compared_with_others_seed_by_seed(database: Path, data: Callable[..., Any]) -> None:
    with Store(str(database)) as store:
        for seed, (few, many) in enumerate([(-0.5, -0.4), (-0.9, -0.7), (-0.3, -0.2), (-0.6, -0.65)]):
            optimizer(store, f"few-{seed}", seed).block(0, [few]).end()
            run = InventedRun(store, f"many-{seed}", "optimizer", {"population": 300}, seed, 100)
            run.block(0, [many]).end()
    first, second = data("few-*", "many-*")
    assert first["first_against"] is None
    assert first["differs"] == {"population": 300}
    against = second["first_against"]
    assert (against["seeds"], against["higher"]) == (4, 3)
    assert against["difference"] == pytest.approx((0.1 + 0.2 + 0.1 - 0.05) / 4)
    assert against["p"] == 4 / 16  # of 16 assignments of signs four have a sum of at least 0.35 or at most -0.35
    text = call(database, "few-*", "many-*").output
    assert "population=300 against population=100: higher in 3 of 4 seeds" in " ".join(text.split())
    assert "p = 0.25 by the exact sign-flip test" in " ".join(text.split())


def test_runs_whose_trainings_are_of_other_lengths_are_not_compared(database: Path, data: Callable[..., Any]) -> None:
    with Store(str(database)) as store:
        for seed, (short, long) in enumerate([(-0.5, -0.4), (-0.9, -0.7)]):
            optimizer(store, f"short-{seed}", seed).block(0, [short]).end()
            InventedRun(store, f"long-{seed}", "optimizer", {"lengths": [3.0]}, seed, 100).block(0, [long]).end()
    _, second = data("short-*", "long-*")
    assert second["first_against"] is None and second["scored_otherwise"] == ["lengths"]
    text = " ".join(call(database, "short-*", "long-*").output.split())
    assert "are not compared: their scores depend on lengths" in text and "p = " not in text


def test_groups_without_common_seeds_or_of_other_tasks_have_no_p(data: Callable[..., Any]) -> None:
    assert [row["first_against"] for row in data("opt-*", "small-*", "large-*")] == [None] * 3
