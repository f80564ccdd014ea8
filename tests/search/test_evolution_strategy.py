"""Evolution strategies: means and their members, and runs that are the same however they are scored."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.evaluators.policy.parent_cache import ParentCache
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.evolution import Generation, Member, OpenAiEs, Rule, SeparableCma
from germline.programs.policy.genome import Policy, read
from germline.programs.policy.network import Network
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay as parameters_of
from germline.programs.policy.space import PolicySpace
from germline.search.individual import Block, Individual, Proposal, Reviewed, Scored
from germline.search.kinds import KINDS
from germline.search.loop import rng_for
from germline.search.policy_rungs import REVIEW, TEST
from germline.search.replay import replay
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting
from germline.search.strategies.evolution_strategy import EvolutionState, EvolutionStrategy
from germline.search.strategies.truncation import Sigma, Truncation

SPACE = PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)
POPULATION = 6


def search(candidates: int = 0, rule: Rule | None = None) -> EvolutionStrategy:
    return EvolutionStrategy(
        Truncation(SPACE, POPULATION, 0, Sigma(0.1, decay=0.5), candidates), rule or OpenAiEs("adam", 0.01)
    )


def bred(strategy: EvolutionStrategy, state: EvolutionState, generation: int) -> list[Proposal]:
    births = range(POPULATION * generation, POPULATION * (generation + 1))
    return [strategy.breed(state, birth, lambda each: rng_for(3, each)) for birth in births]


def scored(proposals: Sequence[Proposal], first: int, fitness: Sequence[float | None]) -> Block:
    births = []
    for number, (proposal, value) in enumerate(zip(proposals, fitness, strict=False)):
        text = SPACE.write(proposal.genome)
        outcome = Outcome("diverged") if value is None else Outcome("ok", value, {"return": value})
        fingerprint = SPACE.fingerprint(proposal.genome)
        individual = Individual(
            first + number, first // POPULATION, proposal.parents, proposal.operator, text, fingerprint
        )
        births.append(Scored(individual, outcome))
    return Block(births=tuple(births))


def after(strategy: EvolutionStrategy, *generations: Sequence[float | None]) -> EvolutionState:
    state = strategy.init()
    for number, fitness in enumerate(generations):
        state = strategy.advance(state, scored(bred(strategy, state, number), POPULATION * number, fitness))
    return state


def test_a_generation_is_a_mean_and_pairs_of_members_with_the_same_noise() -> None:
    strategy = search()
    mean, *members = bred(strategy, strategy.init(), 0)
    assert (mean.operator, mean.parents, mean.genome.mutations) == ("random", (), ())
    assert mean.genome.seed == SPACE.draw(rng_for(3, 0)).genome.seed, "the same first policy as other strategies"
    assert {(member.operator, member.parents) for member in members} == {("perturb", (0,))}
    steps = [member.genome.mutations[-1] for member in members]
    assert all(member.genome.parent == mean.genome for member in members)
    assert [type(step) for step in steps] == [Member] * 5 and [step.number for step in steps] == [0, 1, 2, 3, 4]
    assert {(step.seed, step.sigma) for step in steps} == {(steps[0].seed, 0.1)}
    assert steps[0].seed != mean.genome.seed


def test_the_next_mean_is_the_last_with_the_ranks_of_its_members() -> None:
    strategy = search()
    state = after(strategy, [9.0, 1.0, 5.0, None, 4.0, 2.0])
    first = bred(strategy, strategy.init(), 0)
    mean, *members = bred(strategy, state, 1)
    assert (mean.operator, mean.parents) == ("mean", (2, 0)), "the best member, whatever the mean has, and the mean"
    assert mean.genome.parent == first[0].genome
    seed = first[1].genome.mutations[-1].seed
    assert mean.genome.mutations == (Generation(seed, 0.1, (-6, -6, 0)),)
    assert {member.parents for member in members} == {(6,)}
    assert {member.genome.mutations[-1].sigma for member in members} == {0.05}
    assert members[0].genome.mutations[-1].seed != seed
    third = bred(strategy, after(strategy, [9.0, 1.0, 5.0, None, 4.0, 2.0], [0.0] * 6), 2)[0]
    assert third.genome.parent == mean.genome and third.genome.mutations[-1].ranks == (0, 0, 0)


def test_a_mean_stays_where_it_is_if_no_member_could_be_scored() -> None:
    strategy = search()
    state = after(strategy, [1.0, None, None, None, None, None])
    mean, member, *_ = bred(strategy, state, 1)
    assert (mean.operator, mean.parents, mean.genome.mutations) == ("mean", (0,), ())
    assert member.parents == (6,) and member.genome.mutations[-1].seed != bred(strategy, strategy.init(), 0)[1]
    later = after(strategy, [1.0, None, None, None, None, None], [None, 3.0, None, None, None, None])
    (step,) = bred(strategy, later, 2)[0].genome.mutations
    assert (step.seed, step.ranks) == (member.genome.mutations[-1].seed, (5, 0, -1))


def test_the_mean_is_reviewed_first_whatever_its_return_and_the_reviews_choose_the_winner() -> None:
    strategy = search(candidates=3)
    state = after(strategy, [0.0, 1.0, 5.0, 3.0, 4.0, 2.0])
    asked = strategy.reviews(state)
    assert [(review.individual.birth, review.rung, review.seed) for review in asked] == [
        (0, REVIEW, 1), (2, REVIEW, 1), (4, REVIEW, 1)
    ]  # fmt: skip
    answers = tuple(Reviewed(review, Outcome("ok", -float(review.individual.birth))) for review in asked)
    state = strategy.advance(state, Block(reviews=answers))
    assert not strategy.reviews(state)
    assert (best := strategy.winner(state)) is not None and best.birth == 0
    state = strategy.advance(state, scored(bred(strategy, state, 1), 6, [None, 1.0, 7.0, 3.0, 4.0, 2.0]))
    assert [review.individual.birth for review in strategy.reviews(state)] == [0, 8, 10], "a mean that failed is none"
    assert [review.rung for review in strategy.closing(state)] == [TEST]


def test_without_reviews_the_winner_is_the_fittest_of_the_run_mean_or_member() -> None:
    strategy = search()
    for first, second, expected in (([9.0, 1, 2, 3, 4, 5], [0.0] * 6, 0), ([0.0] * 6, [1.0, 1, 1, 2, 1, 1], 9)):
        best = strategy.winner(after(strategy, first, second))
        assert best is not None and best.birth == expected


@pytest.mark.parametrize("fitness", [[2.0], [None], [1.0, 2.0], [1.0, None], [None, 1.0, 3.0]])
def test_a_generation_that_a_budget_cut_short_can_be_closed(fitness: list[float | None]) -> None:
    for candidates in (0, 2):
        strategy = search(candidates)
        state = after(strategy, fitness)
        assert len(strategy.closing(state)) == (
            min(2, len([1 for f in fitness if f is not None])) if candidates else any(f is not None for f in fitness)
        )


def climbed(rule: Rule, generations: int = 60) -> tuple[float, float]:
    """How far the mean is from a goal at first and at last, if the return of a policy is minus its distance."""
    strategy = EvolutionStrategy(Truncation(SPACE, 41, 0, Sigma(0.1), 0), rule)
    goal = parameters_of(SPACE.draw(rng_for(9, 0)).genome) + np.float32(0.5)
    distances = []
    state, cache = strategy.init(), ParentCache()
    for number in range(generations):
        proposals = [
            strategy.breed(state, birth, lambda each: rng_for(3, each))
            for birth in range(41 * number, 41 * (number + 1))
        ]
        rows: list[Floats] = [np.empty_like(goal) for _ in proposals]
        for proposal, row in zip(proposals, rows, strict=True):
            cache.write(proposal.genome, row)
        fitness = [-float(np.linalg.norm(row - goal)) for row in rows]
        births = []
        for place, (proposal, value) in enumerate(zip(proposals, fitness, strict=True)):
            individual = Individual(
                41 * number + place, number, (), "", SPACE.write(proposal.genome), f"{number}-{place}"
            )
            births.append(Scored(individual, Outcome("ok", value)))
        state = strategy.advance(state, Block(births=tuple(births)))
        distances.append(-fitness[0])
    return distances[0], fmean(distances[-5:])


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [OpenAiEs("adam", 0.05), OpenAiEs("sgd", 0.5), OpenAiEs("adam", 0.05, rank=1), SeparableCma(40)],
    ids=["adam", "sgd", "low rank", "sep-cma-es"],
)
def test_the_mean_climbs_a_hill(rule: Rule) -> None:
    first, last = climbed(rule)
    assert last < 0.25 * first


def test_weight_decay_pulls_the_mean_to_zero() -> None:
    mean = SPACE.draw(rng_for(9, 0)).genome
    ends = []
    for decay in (0.0, 1.0):
        policy = Policy(mean.network, mean.seed, (), OpenAiEs("sgd", 0.1, decay))
        for seed in range(20):
            policy = policy.after(Generation(seed, 0.1, (0, 0)))
        ends.append(float(np.abs(parameters_of(policy)).mean()))
    assert 0 < ends[1] < 0.5 * ends[0] and ends[0] == float(np.abs(parameters_of(mean)).mean())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["depth=1"], "expected depth=0 for strategy=openai-es, whose generations each need the last, got depth=1"),
        (["population=20002"], "expected a population of 3 to 20,001 for strategy=openai-es, got 20,002"),
        (["strategy=sep-cma-es", "depth=2"], "expected depth=0 for strategy=sep-cma-es"),
        (
            ["strategy=sep-cma-es", "population=2"],
            "expected a population of 3 to 20,001 for strategy=sep-cma-es, got 2",
        ),
        (
            ["strategy=sep-cma-es", "operators=mine.py:f:0.5"],
            "expected a strategy that varies parents for the operator",
        ),
        (["operators=mine.py:f:0.5"], "expected a strategy that varies parents for the operator"),
        (
            ["strategy=sep-cma-es", "decay=0.1"],
            "expected decay=0.0 for strategy=sep-cma-es, which does not use it, got decay=0.1; --set strategy=openai",
        ),
        (["strategy=truncation", "optimizer=sgd"], "expected optimizer=adam for strategy=truncation"),
        (["rank=65"], "expected rank to be a whole number from 0 to 64"),
        (["optimizer=lion"], "expected optimizer to be one of adam, sgd, got 'lion'"),
        (["rate=0"], "expected rate to be a number from 1e-09"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: list[str], message: str) -> None:
    kind = KINDS["policy"]
    with pytest.raises(BadSetting, match=message):
        kind.prepare(kind.resolve({}, ["strategy=openai-es", *settings]), task_class("gym:CartPole-v1"))


SMALL = (
    "strategy=openai-es",
    "population=11",
    "pack=4",
    "hidden=4",
    "steps=60",
    "review_episodes=2",
    "test_episodes=2",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("candidates=0",),
        ("candidates=3",),
        ("strategy=sep-cma-es", "candidates=2"),
        ("candidates=2", "rank=1", "optimizer=sgd", "decay=0.1"),
    ],
    ids=str,
)
def test_a_run_that_was_cut_anywhere_equals_a_run_that_was_not(tmp_path: Path, settings: tuple[str, ...]) -> None:
    store = Store(str(tmp_path / "runs.db"), create=True)
    runs = [
        new_run(store, "policy", settings=[*SMALL, *settings], seed=3, births=66, name=name)
        for name in ("whole", "cut")
    ]
    whole = [*evolve(store, "whole", executor="inline")][-1]
    for births in (1, 2, 11, 12, 18, 22, 43, 66):
        cut = [*evolve(store, "cut", executor="inline", births=births)][-1]
    first, second = (list(store.individuals(run.id)) for run in runs)
    assert [(each.genome, each.parents) for each in first] == [(each.genome, each.parents) for each in second]
    assert [each.operator for each in first[::11]] == ["random", *["mean"] * 5]
    assert len(first) == 66 and {each.operator for each in first} == {"random", "mean", "perturb"}
    assert cut.winner == whole.winner
    for name in ("whole", "cut"):
        derived = replay(store, name)
        assert (derived.difference, derived.births) == (None, 66)
    assert store.check() == []


@pytest.mark.slow
def test_a_member_takes_as_much_room_in_the_last_generation_as_in_the_first(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = Store(str(path), create=True)
    run = new_run(store, "policy", settings=[*SMALL, "population=21"], seed=3, births=21 * 40, name="long")
    for _ in evolve(store, "long", executor="inline"):
        pass
    texts = [len(each.genome) for each in store.individuals(run.id)]
    with sqlite3.connect(path) as connection:
        rows = [length for (length,) in connection.execute("SELECT length(text) FROM genome ORDER BY rowid")]
    members = [length for birth, length in enumerate(rows) if birth % 21]
    assert max(members) < 40 < sum(texts) / len(texts) / 20, "the seed, sigma and the number of the member"
    assert sum(rows) < 50 * len(rows)


@pytest.mark.slow
def test_cart_pole_is_solved(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "runs.db"), create=True)
    settings = ["strategy=openai-es", "population=41", "rate=0.1", "sigma=0.2", "hidden=8", "test_episodes=50"]
    new_run(store, "policy", settings=settings, seed=3, births=41 * 20, name="poles")
    *_, last = evolve(store, "poles", executor="inline")
    means = [each for each in store.individuals(store.run("poles").id) if each.birth % 41 == 0]
    assert [read(mean.genome).generations for mean in means] == list(range(20))
    fitness = {each.individual.birth: each.evaluation.fitness for each in store.top("poles", None) if each.evaluation}
    assert fmean(fitness[mean.birth] or 0.0 for mean in means[-5:]) > 400 > 100 > (fitness[0] or 0.0)
    (test,) = [each.fitness for each in store.evaluations(store.run("poles").id) if each.rung == TEST]
    assert last.winner is not None and test is not None and test > 400
