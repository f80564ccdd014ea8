"""Parts of the networks of a space, for latency tables that tests make up."""

from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.latency import covering, parts
from germline.programs.architecture.layers import Part
from germline.programs.architecture.skeleton import Skeleton


def parts_of_space(cells: CellSpace, skeleton: Skeleton) -> tuple[Part, ...]:
    """Every part that a network of the space can have, once."""
    return tuple({part: None for architecture in covering(cells) for part in parts(architecture, skeleton)})
