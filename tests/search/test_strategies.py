"""Strategies as pure folds: no evaluator, only outcomes that the test makes up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from germline.evaluators.outcome import Objective, Outcome
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.policy.network import Network
from germline.programs.policy.space import PolicySpace
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Reviewed, Scored
from germline.search.loop import rng_for
from germline.search.strategies.aging import AgingEvolution, AgingState
from germline.search.strategies.funnel import Funnel
from germline.search.strategies.local_search import LocalSearch
from germline.search.strategies.novelty import Novelty
from germline.search.strategies.pareto_local import ParetoLocalSearch
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategies.truncation import Sigma, Truncation
from germline.search.strategy import Strategy

SPACE = OptimizerSpace(parse(library()["adamw_plain"]))
START = SPACE.write(SPACE.start)
KEY = SPACE.fingerprint(SPACE.start)


def aging(**options: Any) -> AgingEvolution:
    values = {"population": 5, "tournament": 2, "operators": {"insert": 1.0, "modify": 1.0, "tune": 1.0}, **options}
    return AgingEvolution(START, KEY, **values)


STARTED: dict[str, Strategy[Any]] = {
    "aging": aging(warmup=4, litter=2, patience=6, restart="alternate"),
    "random": RandomSearch(START, KEY),
    "funnel": Funnel(aging(), rung=1, every=4, seeds=2),
}
POLICIES = PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)
STRATEGIES: dict[str, Strategy[Any]] = {
    **STARTED,
    "truncation": Truncation(5, 3, Sigma(0.1, decay=0.9), candidates=2),
    "novelty": Novelty(Truncation(5, 3, Sigma(0.1), candidates=0), neighbours=2, archive=0.3),
}


def roll(birth: int) -> np.random.Generator:
    return rng_for(3, birth)


def scored(birth: int, fitness: float | None, proposal: Proposal | None = None) -> Scored:
    did = {"behaviour_0": birth * 0.7 % 1.0}
    outcome = Outcome("ok", fitness, {"loss": -fitness}, did) if fitness is not None else Outcome("diverged")
    chosen = proposal or Proposal(START, (), "seed")
    individual = Individual(birth, 0, chosen.parents, chosen.operator, chosen.genome, f"f{birth}")
    return Scored(individual, outcome)


def live(strategy: Strategy[Any], births: int) -> tuple[list[Proposal], Any]:
    """Breeds one at a time; fitness is a made-up function of the birth number, every third birth fails."""
    space: Space[Any] = POLICIES if isinstance(strategy, Truncation | Novelty) else SPACE
    state, proposals = strategy.init(), []
    for birth in range(births):
        proposal = strategy.breed(state, birth, space, roll)
        proposals.append(proposal)
        fitness = None if birth % 3 == 2 else float((birth * 7919) % 101)
        state = strategy.advance(state, Block(births=(scored(birth, fitness, proposal),)))
        asked = strategy.reviews(state)
        if asked:
            state = strategy.advance(state, Block(reviews=tuple(Reviewed(one, Outcome("ok", 0.0)) for one in asked)))
    return proposals, state


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_news_give_the_same_proposals_and_the_same_state(name: str) -> None:
    assert live(STRATEGIES[name], 30) == live(STRATEGIES[name], 30)


@pytest.mark.parametrize("name", STARTED)
def test_birth_zero_is_the_start_genome_and_every_proposal_is_valid(name: str) -> None:
    proposals, _ = live(STARTED[name], 30)
    assert proposals[0] == Proposal(START, (), "seed")
    assert all(SPACE.check(SPACE.read(proposal.genome)) is None for proposal in proposals)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_failed_individual_is_never_the_best_nor_a_parent(name: str) -> None:
    proposals, state = live(STRATEGIES[name], 40)
    assert STRATEGIES[name].best(state).birth % 3 != 2
    assert all(parent % 3 != 2 for proposal in proposals for parent in proposal.parents)


def test_the_oldest_dies_and_failures_push_nobody_out() -> None:
    strategy = aging()
    state = strategy.init()
    for birth, fitness in enumerate([1.0, 2.0, None, 3.0, 0.5, None, 0.1, 0.2, 0.3]):
        state = strategy.advance(state, Block(births=(scored(birth, fitness),)))
    assert [member.individual.birth for member in state.population] == [3, 4, 6, 7, 8]
    assert strategy.best(state).birth == 3


def test_a_tournament_prefers_the_fitter() -> None:
    strategy = aging(tournament=5)
    state = strategy.advance(strategy.init(), Block(births=tuple(scored(b, float(b)) for b in range(6))))
    parents = [strategy.breed(state, birth, SPACE, roll).parents[0] for birth in range(6, 206)]
    counts = [parents.count(birth) for birth in range(1, 6)]
    assert counts == sorted(counts) and counts[-1] > 100


def test_a_population_without_gains_restarts_from_the_best_and_from_the_start_in_turn() -> None:
    strategy = aging(patience=4, restart="alternate")
    state = strategy.advance(strategy.init(), Block(births=(scored(0, 1.0), scored(1, 9.0))))
    seen: list[AgingState] = []
    for birth in range(2, 14):
        state = strategy.advance(state, Block(births=(scored(birth, 0.0),)))
        seen.append(state)
    assert [one.restarts for one in seen].index(1) == 3
    assert {member.individual.birth for member in seen[3].population} == {1}
    assert {member.individual.birth for member in seen[7].population} == {0}
    assert strategy.best(state).birth == 1


def test_a_litter_is_one_structure_with_different_constants() -> None:
    strategy = aging(operators={"insert": 1.0}, litter=3, sibling_operators={"tune": 1.0})
    state = strategy.init()
    leader, *siblings = (strategy.breed(state, birth, SPACE, roll) for birth in (6, 7, 8))
    assert [one.operator for one in (leader, *siblings)] == ["insert", "insert+tune", "insert+tune"]

    def shape(proposal: Proposal) -> list[tuple[str, str]]:
        return [(line.target, line.function) for line in SPACE.read(proposal.genome).body]

    assert shape(leader) == shape(siblings[0]) == shape(siblings[1])
    assert len({leader.genome, *(one.genome for one in siblings)}) == 3


def test_the_warmup_tunes_constants_only() -> None:
    strategy = aging(operators={"insert": 1.0}, warmup=10, warmup_operators={"tune": 1.0})
    operators = [strategy.breed(strategy.init(), birth, SPACE, roll).operator for birth in range(1, 14)]
    assert operators == ["tune"] * 9 + ["insert"] * 4


def test_the_funnel_reviews_each_new_best_once_and_hands_over_what_is_real_and_lasts() -> None:
    strategy = Funnel(aging(), rung=1, every=2, seeds=2)
    state = strategy.init()
    asked_for = []
    # The proxy's fitness, the mean over fresh seeds, the longer rung: birth 2 is real and lasts, 4 was lucky, 6 is not
    # reviewed because 4 is still the best, and 8 does not last.
    births = [(1.0, 1.0, 1.0), (0.0, 0, 0), (3.0, 2.0, 1.5), (0.0, 0, 0), (4.0, 1.0, 2.0), (0.0, 0, 0), (3.5, 9.0, 9.0)]
    births += [(0.0, 0, 0), (5.0, 8.0, 0.5)]
    for birth, (proxy, fresh, longer) in enumerate(births):
        state = strategy.advance(state, Block(births=(scored(birth, proxy),)))
        if asked := strategy.reviews(state):
            asked_for += [(one.individual.birth, one.rung, one.seed) for one in asked]
            worth = {(0, 1): fresh - 0.5, (0, 2): fresh + 0.5, (1, 0): longer}
            answers = tuple(Reviewed(one, Outcome("ok", worth[one.rung, one.seed])) for one in asked)
            state = strategy.advance(state, Block(reviews=answers))
            assert not strategy.reviews(state)
    levels = [(0, 1), (0, 2), (1, 0)]
    assert asked_for == [(birth, *level) for birth in (0, 2, 4, 8) for level in levels]
    assert strategy.inner.best(state.inner).birth == 8
    assert strategy.best(state).birth == 2


def test_the_hurdle_follows_the_living_and_waits_until_they_are_a_population() -> None:
    strategy = aging(passing=0.6)
    state = strategy.init()
    assert strategy.limit(state) is None
    for birth in range(5):
        one = scored(birth, float(birth))
        shown = replace(one, outcome=replace(one.outcome, measures={"hurdle": 10.0 + birth}))
        state = strategy.advance(state, Block(births=(shown,)))
        # Birth 0 only tells the copies of the start what they are worth.
        assert (strategy.limit(state) is None) == (birth < 4)
    living = sorted(member.hurdle or 0.0 for member in state.population)
    assert strategy.limit(state) == living[2]
    assert aging(passing=1.0).limit(state) is None
    assert Funnel(strategy, rung=1, every=4, seeds=2).limit(Funnel(strategy, 1, 4, 2).init()) is None


@pytest.mark.parametrize("strategy", ["local", "pareto"])
def test_a_genome_without_neighbours_is_left_for_a_random_one(strategy: str) -> None:
    class Alone(ArchitectureSpace):
        def neighbours(self, genome: Architecture) -> list[Architecture]:
            return []

    space = Alone(SPACES["nb201"], Skeleton(16, 15))
    objectives = [Objective("validation_error", "min")]
    local: Strategy[Any] = LocalSearch(space, 2) if strategy == "local" else ParetoLocalSearch(space, objectives, 2)
    state, operators = local.init(), []
    for birth in range(8):
        proposal = local.breed(state, birth, space, lambda b: rng_for(3, b))
        operators.append(proposal.operator)
        one = Individual(birth, birth, proposal.parents, proposal.operator, proposal.genome, f"print-{birth}")
        outcome = Outcome("ok", -float(birth), {"validation_error": float(birth)})
        state = local.advance(state, Block(births=(Scored(one, outcome),)))
    assert operators == ["random"] * 8
