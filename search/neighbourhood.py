"""Proposals of strategies that visit the neighbours of a genome."""

from typing import Any

from germline.programs.space import NeighbourSpace
from germline.search.individual import Individual, Proposal, RngFor
from germline.search.strategies.random_search import random_proposal


def neighbour(
    space: NeighbourSpace[Any], centre: Individual | None, since: int, birth: int, rng_for: RngFor
) -> Proposal:
    """The proposal for a birth: a neighbour of the centre, or a random genome without a centre.

    Consecutive births visit each neighbour once, in random order; after the last neighbour the order starts over.

    Args:
        space: the space of the genomes.
        centre: the individual whose neighbours are visited. None, or a centre without neighbours: a random genome.
        since: the first birth among the neighbours of this centre; their order follows from it.
        birth: the birth to propose a genome for.
        rng_for: the generator of each birth.
    """
    neighbours = space.neighbours(space.read(centre.genome)) if centre else []
    if centre is None or not neighbours:
        return random_proposal(space, birth, rng_for)
    order = rng_for(since).permutation(len(neighbours))
    return Proposal(neighbours[order[(birth - since) % len(neighbours)]], (centre.birth,), "neighbour")
