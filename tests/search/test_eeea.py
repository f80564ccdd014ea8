"""EEEA-Net's loop keeps the faults of its code: survival, breeding and the winner."""

import numpy as np

from germline.evaluators.outcome import Objective, Outcome
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.search.individual import Block, Individual, Scored
from germline.search.loop import rng_for
from germline.search.strategies.eeea import EEEA, EEEAState, Rates, crossed

OBJECTIVES = tuple(Objective(name, "min") for name in ("validation_error", "params", "macs"))
SPACE = ArchitectureSpace(SPACES["nb201"], Skeleton(16, 15))


def strategy(population: int = 40) -> EEEA:
    return EEEA(SPACE, OBJECTIVES, population)


def scored(birth: int, error: float, params: float, macs: float = 0.0, genome: str | None = None) -> Scored:
    text = genome or SPACE.write(SPACE.draw(np.random.default_rng(birth)).genome)
    individual = Individual(birth, 0, (), "random", text, f"print-{birth}")
    return Scored(individual, Outcome("ok", -error, {"validation_error": error, "params": params, "macs": macs}))


def after(first: EEEA, births: list[Scored]) -> EEEAState:
    return first.advance(first.init(), Block(births))  # type: ignore[arg-type]


def test_a_tenth_survives_in_the_order_of_birth_within_its_front() -> None:
    births = [scored(birth, 100 - birth, birth) for birth in range(40)]  # nobody dominates anybody but the last two
    births[38:] = [scored(38, 99, 99), scored(39, 98, 98)]
    state = after(strategy(), births)
    assert [parent.individual.birth for parent in state.parents] == [0, 1, 2, 3]
    assert state.wanted == 36 and state.since == 40
    assert state.winner is not None and state.winner.birth == 0


def test_multiply_accumulates_are_not_looked_at() -> None:
    births = [scored(birth, 50, 50, macs=100 - birth) for birth in range(39)] + [scored(39, 60, 60, macs=1)]
    state = after(strategy(), births)
    assert 39 not in [parent.individual.birth for parent in state.parents]


def test_in_a_single_front_the_crowding_distances_of_others_decide() -> None:
    """With one front the last one is the first: then the ends of the list's crowding, latest first, survive."""
    births = [scored(birth, 40 - birth, birth) for birth in range(40)]
    state = after(strategy(), births)
    assert [parent.individual.birth for parent in state.parents][:2] == [39, 0]


def test_duplicates_of_the_first_generation_are_dropped_and_not_replaced() -> None:
    births = [scored(birth, 100 - birth, birth) for birth in range(40)]
    births[7] = scored(7, 93, 7, genome=births[6].individual.genome)
    state = after(strategy(), births)
    assert len(state.parents) == 3 and state.wanted == 36


def test_children_have_new_genes_and_a_generation_does_not_depend_on_the_order_of_calls() -> None:
    births = [scored(birth, 100 - birth, birth) for birth in range(40)]
    one, other = strategy(), strategy()
    state = after(one, births)
    children = [one.breed(state, birth, lambda b: rng_for(5, b)) for birth in range(40, 76)]
    assert other.breed(state, 60, lambda b: rng_for(5, b)) == children[20]
    texts = [SPACE.write(child.genome) for child in children]
    assert len(set(texts)) == 36 and not set(texts) & {scored.individual.genome for scored in births}
    living = {parent.individual.birth for parent in state.parents}
    assert all(set(child.parents) <= living and child.operator == "crossover" for child in children)


def test_failures_leave_the_population_and_a_generation_without_survivors_begins_anew() -> None:
    failed = [Scored(scored(birth, 1, 1).individual, Outcome("diverged")) for birth in range(40)]
    state = after(strategy(), failed)
    assert state.parents == () and state.wanted == 40 and strategy().winner(state) is None
    assert strategy().breed(state, 40, lambda b: rng_for(5, b)).operator == "random"


def test_genes_are_the_genome_in_every_space() -> None:
    for cells in SPACES.values():
        space = ArchitectureSpace(cells, Skeleton(16, 6))
        rng = np.random.default_rng(3)
        one, form = space.draw(rng).genome, space.draw(rng).genome
        genes = space.genes(one)
        assert space.with_genes(form, genes) == one
        assert all(gene < many for gene, many in zip(genes, space.choices(one), strict=True))
        child = crossed(genes, genes, space.choices(one), Rates(mutation=1.0, inversion=1.0), rng)
        assert space.check(space.with_genes(one, child)) is None
