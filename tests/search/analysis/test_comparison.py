"""Runs in groups of equal settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from invented_runs import InventedRun

from germline.db.store import Store
from germline.search.analysis.comparison import Group, compare, settings_of
from germline.search.kinds import KINDS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Runs of policies and of optimizers."""
    with Store(str(tmp_path / "runs.db")) as store:
        for seed, (small, large) in enumerate([(10.0, 50.0), (30.0, 60.0), (20.0, 100.0)]):
            policy(store, f"small-{seed}", seed, 0.05, fitness=500.0, test=small)
            policy(store, f"large-{seed}", seed, 0.5, fitness=100.0, review=large)
        policy(store, "empty", 9, 0.05)
        for seed, fitness in ((1, -0.3), (2, -0.1)):
            InventedRun(store, f"opt-{seed}", "optimizer", {"population": 100}, seed).block(0, [fitness]).end()
        yield store


def policy(
    store: Store,
    name: str,
    seed: int,
    sigma: float,
    fitness: float | None = None,
    review: float | None = None,
    test: float | None = None,
) -> None:
    run = InventedRun(store, name, "policy", {"sigma": sigma, "hidden": [32, 32]}, seed).waiting(0, 1)
    for rung, value, episodes in ((0, fitness, 1), (1, review, 30), (2, test, 200)):
        if value is not None:
            run.score(0, value, rung, 3 * (rung > 0), 1.0, episodes)
    run.end()


def groups(store: Store, *prefixes: str) -> list[Group]:
    return compare(store, [run for run in store.runs() if run.name.startswith(prefixes)])


@pytest.mark.slow
def test_runs_that_differ_in_seed_and_budget_alone_are_one_group(store: Store) -> None:
    InventedRun(store, "opt-3", "optimizer", {"population": 100}, 3, births=7).block(0, [-0.2]).end()
    InventedRun(store, "opt-4", "optimizer", {"population": 50}, 3).block(0, [-0.9]).end()
    same, other = groups(store, "opt")
    assert [result.run.name for result in same.results] == ["opt-1", "opt-2", "opt-3"]
    assert [dict(result.budget) for result in same.results] == [{"births": 100}, {"births": 100}, {"births": 7}]
    assert (same.differs, other.differs) == ({"population": 100}, {"population": 50})
    assert same.values == [-0.3, -0.2, -0.1]


@pytest.mark.slow
def test_the_score_of_a_policy_is_its_test_or_else_its_review(store: Store) -> None:
    large, small = groups(store, "large", "small")
    assert {result.source for result in large.results} == {"review"} and large.values == [50.0, 60.0, 100.0]
    assert {(result.source, result.episodes) for result in small.results} == {("test", 200)}
    assert small.values == [10.0, 20.0, 30.0]


@pytest.mark.slow
def test_the_score_of_another_kind_is_the_fitness_of_its_best(store: Store) -> None:
    [group] = groups(store, "opt")
    assert {(result.source, result.episodes) for result in group.results} == {("fitness", None)}
    assert group.values == [-0.3, -0.1] and group.differs == {}


@pytest.mark.slow
def test_kinds_are_never_mixed(store: Store) -> None:
    found = groups(store, "")
    assert [group.results[0].run.kind for group in found] == ["optimizer", "policy", "policy"]
    assert found[0].differs == {"kind": "optimizer", "task": "digits-mlp"}
    assert found[1].differs == {"kind": "policy", "task": "gym:CartPole-v1", "sigma": 0.5}


@pytest.mark.slow
def test_a_run_without_an_outcome_is_in_its_group_without_a_value(store: Store) -> None:
    [group] = groups(store, "small", "empty")
    assert len(group.results) == 4 and group.values == [10.0, 20.0, 30.0]
    [alone] = groups(store, "empty")
    assert alone.values == [] and alone.results[0].value is None


def test_births_beyond_the_budget_are_the_budget(store: Store) -> None:
    InventedRun(store, "long", "optimizer", {}, births=2).block(0, [-1.0, -2.0, -3.0]).end()
    [group] = groups(store, "long")
    assert group.results[0].budget == {"births": 3}


@pytest.mark.slow
def test_settings_younger_than_a_run_have_their_default_and_derived_values_are_left_out(store: Store) -> None:
    run = InventedRun(store, "old", "policy", {"sigma": 0.5, "network_data": {"derived": "from the settings"}}).run
    settings = settings_of(run)
    assert settings["sigma"] == 0.5 and "network_data" not in settings and "births" not in settings
    defaults = {setting.name: setting.default for setting in KINDS["policy"].settable}
    assert {name: settings[name] for name in defaults} == {**defaults, "sigma": 0.5}
