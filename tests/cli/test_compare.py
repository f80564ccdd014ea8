"""`compare`: runs that differ in their seed alone, summed up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from germline.cli.commands.compare import quartiles
from germline.cli.main import cli
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Runs of policies and of optimizers, with outcomes that are made up."""
    path = tmp_path / "germline.db"
    with Store(str(path)) as store:
        for seed, (small, large) in enumerate([(10.0, 50.0), (30.0, 60.0), (20.0, 100.0)]):
            policy(store, f"small-{seed}", seed, 0.05, fitness=500.0, test=small)
            policy(store, f"large-{seed}", seed, 0.5, fitness=100.0, review=large, births=200)
        policy(store, "empty", 9, 0.05)
        for seed, fitness in ((1, -0.3), (2, -0.1)):
            made = new(store, f"opt-{seed}", "optimizer", "digits-mlp", seed, {"population": 100})
            score(store, made, fitness, 0, 0)
    return path


def new(store: Store, name: str, kind: str, task: str, seed: int, settings: dict[str, Any], births: int = 100) -> Any:
    config = {"config_version": 1, "settings": settings, "births": births, "evaluations": None, "task_version": 1}
    run = store.create_run(name, kind, task, "quick", seed, config, {})
    store.add_individuals(run.id, kind, [Individual(0, 0, (), "random", name, name, None)])
    store.release(run.id, "finished", 1.0)
    return run


def score(store: Store, run: Any, fitness: float, rung: int, seed: int, episodes: float = 1.0) -> None:
    measures = {"episodes": episodes, "deviation": 1.0}
    outcome = ("ok", fitness, {"return": fitness}, measures, 0.1, "inline", None)
    store.add_evaluations(run.id, [EvaluationRecord(0, run.name, run.task, rung, seed, *outcome)])


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
    run = new(store, name, "policy", "gym:CartPole-v1", seed, settings, births)
    for rung, value, episodes in ((0, fitness, 1), (1, review, 30), (2, test, 200)):
        if value is not None:
            score(store, run, value, rung, 3 * (rung > 0), episodes)


def call(database: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *args], env={"GERMLINE_DB": str(database)})


@pytest.fixture
def data(database: Path) -> Callable[..., Any]:
    def ask(*args: str) -> Any:
        done = call(database, *args, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return ask


def test_runs_that_differ_in_seed_and_budget_alone_are_one_group(data: Callable[..., Any]) -> None:
    large, small = data("small-*", "large-*")
    assert [one["name"] for one in small["runs"]] == ["small-0", "small-1", "small-2"]
    assert (small["differs"], large["differs"]) == ({"sigma": 0.05}, {"sigma": 0.5})
    assert (small["median"], small["quartiles"], small["least"], small["most"]) == (20.0, [15.0, 25.0], 10.0, 30.0)
    assert (small["seeds"], small["births"], small["evaluations"]) == (3, 1, 2)


def test_of_policies_counts_the_test_or_else_the_review(data: Callable[..., Any]) -> None:
    large, small = data("small-*", "large-*")
    assert (small["of"], large["of"]) == (["test"], ["review"])
    assert [one["value"] for one in large["runs"]] == [50.0, 60.0, 100.0]
    assert {one["episodes"] for one in small["runs"]} == {200}


def test_of_other_kinds_counts_the_fitness_of_the_best(data: Callable[..., Any]) -> None:
    [group] = data("opt-*")
    assert (group["kind"], group["of"], group["median"], group["differs"]) == ("optimizer", ["fitness"], -0.2, {})


def test_kinds_are_never_mixed(data: Callable[..., Any]) -> None:
    groups = data("*")
    assert [(one["kind"], len(one["runs"])) for one in groups] == [("optimizer", 2), ("policy", 3), ("policy", 4)]
    assert groups[0]["differs"] == {"kind": "optimizer", "task": "digits-mlp"}
    assert groups[1]["differs"] == {"kind": "policy", "task": "gym:CartPole-v1", "sigma": 0.5}


def test_a_run_without_an_outcome_is_counted_but_not_summed_up(database: Path, data: Callable[..., Any]) -> None:
    [group] = data("small-*", "empty")
    assert len(group["runs"]) == 4 and group["median"] == 20.0
    assert "1 of the runs had nothing scored well" in call(database, "small-*", "empty").stdout
    [alone] = data("empty")
    assert alone["median"] is None and alone["quartiles"] is None
    assert "nothing scored" in call(database, "empty").stdout


def test_a_run_is_counted_once_however_often_it_is_named(data: Callable[..., Any]) -> None:
    [group] = data("small-1", "small-*", "small-?")
    assert [one["name"] for one in group["runs"]] == ["small-1", "small-0", "small-2"]


def test_as_text_a_group_is_named_by_what_differs(database: Path) -> None:
    lines = call(database, "small-*", "large-*").stdout.splitlines()
    assert lines[1].split()[:3] == ["sigma=0.5", "3", "60.0000"]
    assert lines[2].split()[0] == "sigma=0.05" and lines[2].endswith("test of 200 episodes")
    assert lines[3] == "policy on gym:CartPole-v1, preset quick; quartiles are over runs"
    assert call(database, "small-*").stdout.splitlines()[1].startswith("small-0 … small-2")


def test_equal_seeds_are_told_to_be_one_search(database: Path) -> None:
    with Store(str(database)) as store:
        policy(store, "small-again", 1, 0.05, test=30.0)
    assert "4 runs of 3 seeds; equal seeds are one search" in call(database, "small-*").stdout


def test_runs_that_are_not_measured_alike_are_told(database: Path) -> None:
    with Store(str(database)) as store:
        policy(store, "small-9", 9, 0.05, fitness=30.0)
    assert "its runs are not measured alike (test of 200 episodes, fitness of 1 episode)" in (
        call(database, "small-?").stdout
    )


def test_runs_with_other_budgets_are_told(database: Path, data: Callable[..., Any]) -> None:
    assert "budgets" not in call(database, "small-*", "large-*").stdout
    with Store(str(database)) as store:
        policy(store, "small-long", 7, 0.05, test=30.0, births=20_000)
    large, small = data("small-*", "large-*")
    assert (large["budgets"], small["budgets"]) == ([{"births": 200}], [{"births": 100}, {"births": 20_000}])
    assert {one["name"]: one["budget"] for one in small["runs"]}["small-long"] == {"births": 20_000}
    said = "small-0 … small-long: its runs have different budgets (100 births, 20,000 births)"
    assert said in call(database, "small-*").stdout.splitlines()


def test_a_run_that_went_on_beyond_its_budget_has_another(database: Path) -> None:
    with Store(str(database)) as store:
        made = new(store, "opt-3", "optimizer", "digits-mlp", 3, {"population": 100}, births=1)
        policy(store, "small-short", 8, 0.05, test=5.0, births=1)
        births = [Individual(one, 0, (), "random", f"opt {one}", f"opt {one}", None) for one in range(1, 100)]
        store.add_individuals(made.id, "optimizer", births)
    assert "budgets" not in call(database, "opt-*").stdout
    assert "different budgets (1 birth, 100 births)" in call(database, "small-*").stdout


def test_runs_that_are_not_finished_are_told(database: Path, data: Callable[..., Any]) -> None:
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


def test_quartiles_lie_between_neighbours() -> None:
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
    assert quartiles([1.0, 2.0]) == (1.25, 1.75)
    assert quartiles([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize("name", ["smal-0", "frost-*", "small-[9]"])
def test_a_name_that_fits_nothing_is_refused_in_a_line(database: Path, name: str) -> None:
    done = call(database, "opt-1", name)
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "expected a run, or a pattern that fits one" in done.stderr
    if name == "smal-0":
        assert "did you mean 'small-0'?" in done.stderr
