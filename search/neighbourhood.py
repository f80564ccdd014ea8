"""What strategies that look around a genome have in common."""

from typing import Any

from germline.programs.space import NeighbourSpace
from germline.search.individual import Dice, Individual, Proposal


def neighbour(space: NeighbourSpace[Any], centre: Individual | None, since: int, birth: int, dice: Dice) -> Proposal:
    """The genome of a birth beside a centre, each neighbour once in random order; without one, a genome is drawn.

    Args:
        space: whose neighbours they are.
        centre: what is looked around; one that has no neighbours within the limits is as good as none.
        since: the first birth of this centre.
        birth: the one that is bred.
        dice: the generators of births.
    """
    around = space.neighbours(space.read(centre.genome)) if centre else []
    if centre is None or not around:
        return Proposal(space.write(space.draw(dice(birth))), (), "random")
    order = dice(since).permutation(len(around))
    genome = around[order[(birth - since) % len(around)]]
    return Proposal(space.write(genome), (centre.birth,), "neighbour")
