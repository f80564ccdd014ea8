"""What strategies that look around a genome have in common."""

from typing import Any

from germline.programs.space import NeighbourSpace
from germline.search.individual import Individual, Proposal, RngFor


def neighbour(
    space: NeighbourSpace[Any], centre: Individual | None, since: int, birth: int, rng_for: RngFor
) -> Proposal:
    """The genome of a birth beside a centre, each neighbour once in random order; without one, a genome is drawn.

    Args:
        space: whose neighbours they are.
        centre: what is looked around; one that has no neighbours within the limits is as good as none.
        since: the first birth of this centre.
        birth: the one that is bred.
        rng_for: the generator of each birth.
    """
    around = space.neighbours(space.read(centre.genome)) if centre else []
    if centre is None or not around:
        return Proposal(space.write(space.draw(rng_for(birth))), (), "random")
    order = rng_for(since).permutation(len(around))
    genome = around[order[(birth - since) % len(around)]]
    return Proposal(space.write(genome), (centre.birth,), "neighbour")
