"""One battery for all strategies, as pure folds over made-up outcomes; then what is particular to some of them."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from germline.evaluators.outcome import Objective, Outcome
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace, Limits
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.policy.evolution import OpenAiEs, SeparableCma
from germline.programs.policy.network import Network
from germline.programs.policy.space import PolicySpace
from germline.programs.space import NewGenome, Space
from germline.search import snapshot
from germline.search.behaviour_map import MapLayout
from germline.search.individual import Block, Individual, Proposal, Review, Reviewed, Scored
from germline.search.kinds import KINDS
from germline.search.loop import rng_for
from germline.search.map_cells import GridCells, VoronoiCells
from germline.search.strategies.aging import AgingEvolution, AgingState
from germline.search.strategies.constant_tuning import ConstantTuning
from germline.search.strategies.eeea import EEEA
from germline.search.strategies.evolution_strategy import EvolutionStrategy
from germline.search.strategies.funnel import Funnel
from germline.search.strategies.islands import Islands
from germline.search.strategies.local_search import LocalSearch
from germline.search.strategies.map_elites import MapElites
from germline.search.strategies.novelty import Novelty
from germline.search.strategies.nsga2 import NSGA2
from germline.search.strategies.outside import OutsideOperators
from germline.search.strategies.pareto_local import ParetoLocalSearch
from germline.search.strategies.program_front import ProgramFront
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategies.truncation import Sigma, Truncation
from germline.search.strategy import Strategy

BLOCK, BLOCKS = 5, 6
OBJECTIVES = [Objective("validation_error", "min"), Objective("params", "min")]
SPACE = OptimizerSpace(parse(library()["adamw_plain"]))
START = Proposal(SPACE.start, (), "seed")
LION, SGD = (parse(library()[name]) for name in ("lion", "sgd_momentum"))


def aging(space: OptimizerSpace = SPACE, **options: Any) -> AgingEvolution:
    defaults = {"population": 5, "tournament": 2, "operators": {"insert": 1.0, "modify": 1.0, "tune": 1.0}}
    return AgingEvolution(space, space.start, **{**defaults, **options})


def archipelago(space: OptimizerSpace = SPACE, every: int = 10, islands: int = 3, **options: Any) -> Islands:
    options = {"population": 3, "tournament": 2, "operators": {"insert": 1.0, "tune": 1.0}, "variants": 2, **options}
    starts = (space.start, LION, SGD)[:islands]
    return Islands([AgingEvolution(space, start, seed_birth=i, **options) for i, start in enumerate(starts)], every)


def programs() -> OptimizerSpace:
    return OptimizerSpace(SPACE.start)


def cells(children: bool = True) -> ArchitectureSpace:
    return ArchitectureSpace(SPACES["nb201"], Skeleton(16, 15), Limits(params=900_000, children=children))


def policies() -> PolicySpace:
    return PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)


@dataclass(frozen=True)
class Case:
    """A strategy under test: how its space and the strategy are made, and the hash of its first 30 proposals."""

    space: Callable[[], Space[Any]]
    strategy: Callable[[Any], Strategy[Any]]
    golden: str


CASES = {
    "aging": Case(
        programs,
        lambda space: aging(
            space, warmup=4, variants=2, patience=6, restart="alternate", sibling_operators={"rate": 1.0}
        ),
        "a9e3730ba5b0893f",
    ),
    "donors": Case(
        lambda: OptimizerSpace(SPACE.start, "extended"),
        lambda space: aging(
            space,
            operators=dict.fromkeys(("replace", "idiom", "graft", "cross"), 1.0),
            variants=2,
            sibling_operators={"tune": 1.0},
            pair_operators=("graft", "cross"),
            donors=("population", {"lion": LION}),
        ),
        "cc9167e76294bc43",
    ),
    "islands": Case(programs, lambda space: archipelago(space, islands=2), "a2a702030a36c222"),
    "tuning": Case(
        programs,
        lambda space: ConstantTuning(space, aging(space), 2, generations=2, block=BLOCK, places=1),
        "2fd93e1b9cc36aa4",
    ),
    "outside": Case(
        programs,
        lambda space: OutsideOperators(aging(space), {"llm": 0.3, "mine.py:f": 0.2}, ("insert", "modify"), first=3),
        "5521c8a264b2a608",
    ),
    "front": Case(
        programs,
        lambda space: ProgramFront(
            space, ("fitness", "statements", "memory"), aging(space, variants=2, sibling_operators={"rate": 1.0}), 5
        ),
        "3bfd53912673dc68",
    ),
    "random": Case(programs, lambda space: RandomSearch(space, space.start), "e2d08688907a737c"),
    "funnel": Case(programs, lambda space: Funnel(aging(space), rung=1, every=4, seeds=2), "5521c8a264b2a608"),
    "local": Case(cells, lambda space: LocalSearch(space, 4), "4735549ab14536c0"),
    "patient-local": Case(cells, lambda space: LocalSearch(space, 4, patience=2), "4735549ab14536c0"),
    "pareto-local": Case(cells, lambda space: ParetoLocalSearch(space, OBJECTIVES, 4), "685484a49243dafa"),
    "nsga2": Case(cells, lambda space: NSGA2(space, OBJECTIVES, 8, 0.9), "762719ce6757fdfb"),
    "eeea": Case(lambda: cells(children=False), lambda space: EEEA(space, OBJECTIVES, 10), "28cc051e68b0ff51"),
    "truncation": Case(
        policies, lambda space: Truncation(space, 5, 3, Sigma(0.1, decay=0.9), candidates=2), "507b2516149e1be0"
    ),
    "novelty": Case(
        policies,
        lambda space: Novelty(Truncation(space, 5, 3, Sigma(0.1), candidates=0), neighbours=2, archive=0.3),
        "02f95b8139fe5962",
    ),
    "map-elites": Case(
        policies,
        lambda space: MapElites(
            Truncation(space, 5, 0, Sigma(0.1, decay=0.9), candidates=2),
            MapLayout((0, 1), ((0.0, 1.0), (0.0, 1.0)), GridCells((3, 2))),
        ),
        "cacdae339fb42b40",
    ),
    "openai-es": Case(
        policies,
        lambda space: EvolutionStrategy(
            Truncation(space, 5, 0, Sigma(0.1, decay=0.9), candidates=2), OpenAiEs("adam", 0.05, decay=0.01)
        ),
        "67f5ad4c0ac50a0c",
    ),
    "sep-cma-es": Case(
        policies,
        lambda space: EvolutionStrategy(Truncation(space, 5, 0, Sigma(0.1), candidates=2), SeparableCma(4)),
        "5b0b2dee6bda8089",
    ),
    "voronoi": Case(
        policies,
        lambda space: MapElites(
            Truncation(space, 5, 0, Sigma(0.1), candidates=0), MapLayout((1, 0), None, VoronoiCells(5, 2))
        ),
        "03207bbe581f4baf",
    ),
}
"""Every strategy; the golden hashes hold lineages still, and may change only with a new version of the genome."""


@dataclass(frozen=True)
class History:
    """A search over made-up outcomes: its proposals, its news by block of births, and the state after each of them."""

    proposals: list[Proposal]
    texts: list[str]
    news: list[list[Block]]
    states: list[Any]


def search(case: Case) -> tuple[Strategy[Any], Space[Any], History]:
    """Breeds and scores `BLOCKS` blocks; every third birth fails."""
    space = case.space()
    strategy = case.strategy(space)
    history = History([], [], [], [])
    state = strategy.init()
    for number in range(BLOCKS):
        births = []
        for birth in range(BLOCK * number, BLOCK * (number + 1)):
            proposal = strategy.breed(state, birth, roll)
            text = space.write(proposal.genome)
            fingerprint = space.fingerprint(proposal.genome)
            individual = Individual(birth, number, proposal.parents, proposal.operator, text, fingerprint)
            births.append(Scored(individual, made_up_outcome(individual)))
            history.proposals.append(proposal)
            history.texts.append(text)
        news = [Block(births=tuple(births))]
        state = strategy.advance(state, news[-1])
        while reviews := strategy.reviews(state):
            news.append(Block(reviews=tuple(Reviewed(review, made_up_answer(review)) for review in reviews)))
            state = strategy.advance(state, news[-1])
        history.news.append(news)
        history.states.append(state)
    return strategy, space, history


def made_up_outcome(individual: Individual) -> Outcome:
    if individual.birth % 3 == 2:
        return Outcome("diverged")
    error, params, *behaviour = numbers(individual.fingerprint)[:4]
    measures = {f"behaviour_{axis}": value for axis, value in enumerate(behaviour)}
    return Outcome("ok", -error, {"validation_error": error, "params": params}, measures)


def made_up_answer(review: Review) -> Outcome:
    return Outcome("ok", -numbers(f"{review.individual.fingerprint} {review.rung} {review.seed}")[0])


def numbers(text: str) -> list[float]:
    """Numbers in [0, 1) that depend on a text alone."""
    return [byte / 256 for byte in sha256(text.encode()).digest()]


def roll(birth: int) -> np.random.Generator:
    return rng_for(3, birth)


def fold(strategy: Strategy[Any], blocks: Sequence[Block]) -> Any:
    state = strategy.init()
    for block in blocks:
        state = strategy.advance(state, block)
    return state


def test_the_battery_covers_every_strategy_of_every_kind() -> None:
    listed = {name for kind in KINDS.values() for name in kind.strategies}
    assert listed - {"constants"} == set(CASES) - {
        "donors",
        "funnel",
        "tuning",
        "outside",
        "patient-local",
        "voronoi",
    }  # constants is aging, three wrap, voronoi is map-elites


@pytest.mark.parametrize("name", CASES)
def test_the_first_proposals_are_the_same_in_every_version(name: str) -> None:
    _, _, history = search(CASES[name])
    rows = [
        [text, list(proposal.parents), proposal.operator]
        for text, proposal in zip(history.texts, history.proposals, strict=True)
    ]
    assert len(rows) == 30
    assert sha256(json.dumps(rows).encode()).hexdigest()[:16] == CASES[name].golden


@pytest.mark.parametrize("name", CASES)
def test_the_same_news_give_the_same_proposals_and_the_same_state(name: str) -> None:
    _, _, first = search(CASES[name])
    _, _, second = search(CASES[name])
    assert first == second


@pytest.mark.parametrize("name", CASES)
def test_a_search_that_stops_after_any_block_continues_as_if_it_had_not_stopped(name: str) -> None:
    _, _, whole = search(CASES[name])
    for done in range(1, BLOCKS):
        space = CASES[name].space()
        strategy = CASES[name].strategy(space)
        state = fold(strategy, [block for news in whole.news[:done] for block in news])
        assert state == whole.states[done - 1]
        births = range(BLOCK * done, min(BLOCK * (done + 1), BLOCK * BLOCKS))
        # In reverse order, and each birth by itself: a proposal depends on nothing but the state and the birth.
        for birth in reversed(births):
            assert strategy.breed(state, birth, lambda b: rng_for(3, b)) == whole.proposals[birth]


@pytest.mark.parametrize("name", [name for name in CASES if name != "eeea"])
def test_a_state_from_a_snapshot_continues_as_the_state_that_was_written(name: str) -> None:
    strategy, _, whole = search(CASES[name])
    births = [scored for news in whole.news for block in news for scored in block.births]
    individuals = {scored.individual.birth: scored.individual for scored in births}
    outcomes = {scored.individual.fingerprint: scored.outcome for scored in reversed(births)}
    for done, state in enumerate(whole.states, 1):
        saved = snapshot.SearchState(done - 1, state, (None, 0.5, ((1.0, math.inf),)), None, 0, 0, {}, {}, None, None)
        text = snapshot.write(saved, strategy.state_classes)
        assert set(snapshot.births_in(text, strategy.state_classes)) <= set(individuals)
        again = snapshot.read(text, strategy.state_classes, individuals, outcomes)
        assert again == saved
        if isinstance(state, AgingState):
            same = [a is b for a in state.population for b in state.population]
            assert same == [a is b for a in again.state.population for b in again.state.population]
        for birth in range(BLOCK * done, min(BLOCK * (done + 1), BLOCK * BLOCKS)):
            assert strategy.breed(again.state, birth, roll) == whole.proposals[birth]


def test_operators_from_outside_are_asked_for_children_of_those_that_they_replace_once_there_are_outcomes() -> None:
    _, _, plain = search(replace(CASES["aging"], strategy=aging))
    strategy, _, asked = search(CASES["outside"])
    assert [replace(proposal, ask=None) for proposal in asked.proposals] == plain.proposals
    births = [birth for birth, proposal in enumerate(asked.proposals) if proposal.ask]
    assert births and births[0] >= BLOCK
    assert {asked.proposals[birth].operator for birth in births} == {"insert", "modify"}
    assert {asked.proposals[birth].ask.operator for birth in births} == {"llm", "mine.py:f"}  # type: ignore[union-attr]
    best = asked.states[-1].best
    assert [each.fitness for each in best] == sorted((each.fitness for each in best), reverse=True)
    assert len({each.individual.fingerprint for each in best}) == len(best)
    assert strategy.limit(asked.states[-1]) is None


def test_only_the_strategy_that_knows_all_genes_has_no_snapshots() -> None:
    assert [name for name in CASES if not search(CASES[name])[0].state_classes] == ["eeea"]


@pytest.mark.parametrize("name", CASES)
def test_a_failed_individual_is_never_the_best_nor_a_parent(name: str) -> None:
    strategy, _, history = search(CASES[name])
    parents = {parent for proposal in history.proposals for parent in proposal.parents}
    if name in ("openai-es", "sep-cma-es"):
        # A mean is not chosen among individuals: its members are its children, whatever its own outcome.
        parents -= set(range(0, BLOCK * BLOCKS, BLOCK))
    assert all(parent % 3 != 2 for parent in parents)
    for state in history.states:
        best = strategy.winner(state)
        assert best is not None and best.birth % 3 != 2


@pytest.mark.parametrize("name", CASES)
def test_every_proposal_is_a_valid_genome_within_the_limits_of_the_space(name: str) -> None:
    _, space, history = search(CASES[name])
    bound = [proposal for proposal in history.proposals if name != "eeea" or proposal.operator == "random"]
    assert bound and all(space.check(proposal.genome) is None for proposal in bound)
    assert all(space.read(text) == genome.genome for text, genome in zip(history.texts, history.proposals, strict=True))


@pytest.mark.parametrize("name", ["aging", "random", "funnel"])
def test_birth_zero_is_the_start_genome(name: str) -> None:
    _, _, history = search(CASES[name])
    assert history.proposals[0] == START


def scored(birth: int, fitness: float | None) -> Scored:
    """A copy of the start genome with a made-up fitness; None: it failed."""
    outcome = Outcome("diverged") if fitness is None else Outcome("ok", fitness, {"loss": -fitness})
    return Scored(Individual(birth, 0, (), "seed", SPACE.write(SPACE.start), f"f{birth}"), outcome)


def test_the_oldest_dies_and_failures_push_nobody_out() -> None:
    strategy = aging()
    state = strategy.init()
    for birth, fitness in enumerate([1.0, 2.0, None, 3.0, 0.5, None, 0.1, 0.2, 0.3]):
        state = strategy.advance(state, Block(births=(scored(birth, fitness),)))
    assert [member.individual.birth for member in state.population] == [3, 4, 6, 7, 8]
    assert strategy.winner(state).birth == 3


def test_a_tournament_prefers_the_fitter() -> None:
    strategy = aging(tournament=5)
    state = strategy.advance(strategy.init(), Block(births=tuple(scored(b, float(b)) for b in range(6))))
    parents = [strategy.breed(state, birth, roll).parents[0] for birth in range(6, 206)]
    counts = [parents.count(birth) for birth in range(1, 6)]
    assert counts == sorted(counts) and counts[-1] > 100


def test_a_population_without_gains_restarts_from_the_best_and_from_the_start_in_turn() -> None:
    strategy = aging(patience=4, restart="alternate")
    state = strategy.advance(strategy.init(), Block(births=(scored(0, 1.0), scored(1, 9.0))))
    seen: list[AgingState] = []
    for birth in range(2, 14):
        state = strategy.advance(state, Block(births=(scored(birth, 0.0),)))
        seen.append(state)
    assert [state.restarts for state in seen].index(1) == 3
    assert {member.individual.birth for member in seen[3].population} == {1}
    assert {member.individual.birth for member in seen[7].population} == {0}
    assert strategy.winner(state).birth == 1


def test_a_batch_of_variants_is_one_structure_with_different_constants() -> None:
    strategy = aging(operators={"insert": 1.0}, variants=3, sibling_operators={"tune": 1.0})
    state = strategy.init()
    leader, *siblings = (strategy.breed(state, birth, roll) for birth in (6, 7, 8))
    assert [proposal.operator for proposal in (leader, *siblings)] == ["insert", "insert+tune", "insert+tune"]

    def shape(proposal: Proposal) -> list[tuple[str, str]]:
        return [(line.target, line.function) for line in proposal.genome.body]

    assert shape(leader) == shape(siblings[0]) == shape(siblings[1])
    assert len({SPACE.write(proposal.genome) for proposal in (leader, *siblings)}) == 3


def test_a_donor_of_the_population_is_the_second_parent_and_one_with_a_name_stands_with_the_operator() -> None:
    strategy = aging(
        operators={"graft": 1.0, "cross": 1.0},
        pair_operators=("graft", "cross"),
        donors=("population", {"lion": LION, "start": SPACE.start}),
    )
    state = strategy.advance(strategy.init(), Block(births=tuple(scored(b, float(b)) for b in range(6))))
    proposals = [strategy.breed(state, birth, roll) for birth in range(6, 106)]
    parents = {proposal.operator: set[int]() for proposal in proposals}
    for proposal in proposals:
        parents[proposal.operator].add(len(proposal.parents))
    named = {f"{operator}({name})": {1} for operator in ("graft", "cross") for name in ("lion", "start")}
    assert parents == {"graft": {2}, "cross": {2}, **named}
    from_population = [proposal for proposal in proposals if len(proposal.parents) == 2]
    assert 30 < len(from_population) < 70
    assert {birth for proposal in from_population for birth in proposal.parents} == {1, 2, 3, 4, 5}


def test_siblings_of_a_child_with_a_donor_have_both_parents() -> None:
    strategy = aging(
        operators={"cross": 1.0}, variants=2, sibling_operators={"tune": 1.0}, pair_operators=("graft", "cross")
    )
    leader, sibling = (strategy.breed(strategy.init(), birth, roll) for birth in (6, 7))
    assert (sibling.operator, sibling.parents) == ("cross+tune", leader.parents)


def test_each_island_begins_with_its_start_program_and_batches_go_round() -> None:
    strategy = archipelago()
    state = strategy.init()
    proposals = [strategy.breed(state, birth, roll) for birth in range(15)]
    assert [(each.operator, each.parents) for each in proposals[:3]] == [("seed", ())] * 3
    assert [each.genome for each in proposals[:3]] == [SPACE.start, LION, SGD]
    assert [each.parents[0] for each in proposals[3:]] == [1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0, 1]


def test_islands_meet_in_migrations_alone() -> None:
    strategy = archipelago(every=12, variants=1)
    state = strategy.init()
    for birth in range(11):
        state = strategy.advance(state, Block(births=(scored(birth, float(birth)),)))
    islands = [[member.individual.birth for member in each.population] for each in state.islands]
    assert islands == [[3, 6, 9], [4, 7, 10], [2, 5, 8]]
    state = strategy.advance(state, Block(births=(scored(11, 0.5),)))
    islands = [[member.individual.birth for member in each.population] for each in state.islands]
    assert islands == [[6, 9, 8], [7, 10, 9], [8, 11, 10]]
    assert strategy.winner(state).birth == 10


def test_programs_with_tuned_constants_enter_the_island_of_their_structure() -> None:
    """The first island is far ahead, so all structures that are tuned are of it."""
    space = OptimizerSpace(SPACE.start)
    strategy = ConstantTuning(space, archipelago(space, every=10**6), every=4, generations=2, block=16, places=1)
    state = strategy.init()
    home: dict[int, int] = {0: 0, 1: 1, 2: 2}
    tuned = 0
    for first in range(0, 96, 16):
        births = []
        for birth in range(first, first + 16):
            proposal = strategy.breed(state, birth, roll)
            if proposal.parents:
                home[birth] = home[proposal.parents[0]]
            tuned += proposal.operator == "cma"
            births.append(scored_program(space, birth, proposal, birth / 100 - 10 * home[birth]))
        state = strategy.advance(state, Block(births=tuple(births)))
    islands = [{home[member.individual.birth] for member in each.population} for each in state.inner.islands]
    assert tuned > 10 and islands == [{0}, {1}, {2}]


def test_there_are_no_variants_of_start_programs() -> None:
    alone = aging(variants=4, sibling_operators={"tune": 1.0})
    operators = [alone.breed(alone.init(), birth, roll).operator for birth in range(8)]
    assert operators[0] == "seed" and not any("+" in each for each in operators[:5])
    assert operators[5:] == [f"{operators[4]}+tune"] * 3 or operators[4] == "tune"
    islands = archipelago(variants=2, sibling_operators={"tune": 1.0}, starts=3)
    assert [islands.breed(islands.init(), birth, roll).operator for birth in range(3)] == ["seed"] * 3
    assert "+" not in islands.breed(islands.init(), 3, roll).operator


def test_the_hurdle_of_islands_is_that_of_the_island_with_the_largest_losses() -> None:
    strategy = archipelago(passing=1.0 - 1e-9)
    state = strategy.init()
    for birth in range(60):
        assert (strategy.limit(state) is None) == (birth < 9)
        one = scored(birth, float(birth))
        shown = replace(one, outcome=replace(one.outcome, measures={"hurdle": 100.0 - birth}))
        state = strategy.advance(state, Block(births=(shown,)))
    losses = [member.hurdle_loss for island in state.islands for member in island.population]
    assert strategy.limit(state) == max(loss for loss in losses if loss is not None)


def test_one_structure_after_the_other_is_tuned_for_some_generations() -> None:
    """All births succeed, and the fitness rises, so that the last structure of a block is the best."""
    space = OptimizerSpace(SPACE.start)
    strategy = ConstantTuning(space, aging(space, operators={"insert": 1.0}), every=2, generations=2, block=4, places=1)
    state = strategy.init()
    tuned = []
    for first in range(0, 24, 4):
        proposals = {birth: strategy.breed(state, birth, roll) for birth in range(first, first + 4)}
        tuned.append([each.parents[0] for each in proposals.values() if each.operator == "cma"])
        births = [scored_program(space, birth, each, float(birth)) for birth, each in proposals.items()]
        state = strategy.advance(state, Block(births=tuple(births)))
    assert tuned[0] == [] and all(len(parents) == 2 and len(set(parents)) == 1 for parents in tuned[1:])
    order = [parents[0] for parents in tuned[1:]]
    assert order[0] == order[1] and order[2] == order[3] and len(set(order)) == 3
    assert len(state.tuned) == len(set(state.tuned)) == 3


def test_every_block_in_flight_tunes_a_structure_of_its_own() -> None:
    strategy = ConstantTuning(SPACE, aging(operators={"insert": 1.0}), every=2, generations=9, block=4, places=2)
    state = strategy.init()
    for first in (0, 4):
        proposals = {birth: strategy.breed(state, birth, roll) for birth in range(first, first + 4)}
        births = [scored_program(SPACE, birth, each, float(birth)) for birth, each in proposals.items()]
        state = strategy.advance(state, Block(births=tuple(births)))
    even, odd = (strategy.breed(state, birth, roll) for birth in (9, 13))
    assert even.operator == odd.operator == "cma" and even.parents != odd.parents


def scored_program(space: OptimizerSpace, birth: int, proposal: Proposal, fitness: float) -> Scored:
    text, fingerprint = space.write(proposal.genome), space.fingerprint(proposal.genome)
    individual = Individual(birth, birth // 4, proposal.parents, proposal.operator, text, fingerprint)
    return Scored(individual, scored(birth, fitness).outcome)


def test_the_warmup_tunes_constants_only() -> None:
    strategy = aging(operators={"insert": 1.0}, warmup=10, warmup_operators={"tune": 1.0})
    operators = [strategy.breed(strategy.init(), birth, roll).operator for birth in range(1, 14)]
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
            asked_for += [(review.individual.birth, review.rung, review.seed) for review in asked]
            worth = {(0, 1): fresh - 0.5, (0, 2): fresh + 0.5, (1, 0): longer}
            answers = tuple(Reviewed(review, Outcome("ok", worth[review.rung, review.seed])) for review in asked)
            state = strategy.advance(state, Block(reviews=answers))
            assert not strategy.reviews(state)
    levels = [(0, 1), (0, 2), (1, 0)]
    assert asked_for == [(birth, *level) for birth in (0, 2, 4, 8) for level in levels]
    assert strategy.inner.winner(state.inner).birth == 8
    assert strategy.winner(state).birth == 2


def test_a_run_that_is_shorter_than_a_block_reviews_its_start_too() -> None:
    strategy = Funnel(aging(), rung=1, every=64, seeds=1)
    state = strategy.advance(strategy.init(), Block(births=(scored(0, 1.0), scored(1, 5.0), scored(2, 0.0))))
    asked = strategy.closing(state)
    assert [(review.individual.birth, review.rung) for review in asked] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    # Birth 1 is better at rung 0, also with fresh seeds, and worse than the start program at the longer rung.
    answers = [Outcome("ok", fitness) for fitness in (1.0, 1.0, 4.0, 0.5)]
    block = Block(reviews=tuple(Reviewed(review, outcome) for review, outcome in zip(asked, answers, strict=True)))
    assert strategy.winner(strategy.advance(state, block)).birth == 0


def test_the_hurdle_follows_the_living_and_waits_until_they_are_a_population() -> None:
    strategy = aging(passing=0.6)
    state = strategy.init()
    assert strategy.limit(state) is None
    for birth in range(5):
        one = scored(birth, float(birth))
        shown = replace(one, outcome=replace(one.outcome, measures={"hurdle": 10.0 + birth}))
        state = strategy.advance(state, Block(births=(shown,)))
        # Birth 0 only gives the copies of the start genome their fitness.
        assert (strategy.limit(state) is None) == (birth < 4)
    living = sorted(member.hurdle_loss or 0.0 for member in state.population)
    assert strategy.limit(state) == living[2]
    assert aging(passing=1.0).limit(state) is None
    assert Funnel(strategy, rung=1, every=4, seeds=2).limit(Funnel(strategy, 1, 4, 2).init()) is None


class Line:
    """A space of whole numbers from 0 to 12, each beside the next; random genomes are 2."""

    def read(self, text: str) -> int:
        return int(text)

    def write(self, genome: int) -> str:
        return str(genome)

    def draw(self, rng: np.random.Generator) -> NewGenome[int]:
        return NewGenome(2)

    def neighbours(self, genome: int) -> list[int]:
        return [number for number in (genome - 1, genome + 1) if 0 <= number <= 12]


@pytest.mark.parametrize(("patience", "reached"), [(0, 2), (1, 2), (2, 12)])
def test_a_patient_climb_goes_through_a_valley_that_is_no_wider_than_its_patience(patience: int, reached: int) -> None:
    heights = [0, 1, 5, 4, 3, 6, 7, 8, 9, 10, 11, 12, 13]
    space: Any = Line()
    local = LocalSearch(space, 1, patience)
    state = local.init()
    for birth in range(80):
        proposal = local.breed(state, birth, roll)
        one = Individual(birth, birth, proposal.parents, proposal.operator, str(proposal.genome), str(proposal.genome))
        state = local.advance(state, Block(births=(Scored(one, Outcome("ok", float(heights[proposal.genome]))),)))
    winner = local.winner(state)
    assert winner is not None and int(winner.genome) == reached


@pytest.mark.parametrize("strategy", ["local", "pareto"])
def test_a_genome_without_neighbours_is_followed_by_a_random_genome(strategy: str) -> None:
    class Alone(ArchitectureSpace):
        def neighbours(self, genome: Architecture) -> list[Architecture]:
            return []

    space = Alone(SPACES["nb201"], Skeleton(16, 15))
    strategies = {"local": LocalSearch(space, 2), "pareto": ParetoLocalSearch(space, OBJECTIVES[:1], 2)}
    local: Strategy[Any] = strategies[strategy]
    state, operators = local.init(), []
    for birth in range(8):
        proposal = local.breed(state, birth, roll)
        operators.append(proposal.operator)
        one = Individual(
            birth, birth, proposal.parents, proposal.operator, space.write(proposal.genome), f"print-{birth}"
        )
        outcome = Outcome("ok", -float(birth), {"validation_error": float(birth)})
        state = local.advance(state, Block(births=(Scored(one, outcome),)))
    assert operators == ["random"] * 8
