"""Where the gradients of a tape's maps lie in memory: maps whose gradients are not needed at the same time share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from germline.evaluators.architecture.networks.tape import Instruction, LayerKind, Map, Tape


@dataclass(frozen=True)
class GradientMemory:
    """Places for the gradients of a tape's maps, counted in numbers of one image.

    A gradient is needed from the last instruction that reads its map back to the first that writes it; then its place
    is free for another gradient.

    Args:
        places: the place of each map's gradient, by the place of the map.
        size: how many numbers all gradients take.
        overwriting: the instructions that are the first of the backward pass to write their source's gradient. They
            overwrite the memory; later instructions add to it.
    """

    places: Mapping[int, int]
    size: int
    overwriting: frozenset[Instruction]


def gradient_memory(tape: Tape) -> GradientMemory:
    """Gives every gradient the lowest place that is free as long as the gradient is needed."""
    joined_maps = {part.place: joined for joined in _maps(tape) for part in joined.parts}

    def whole(source: Map) -> Map:
        """The joined map that a map is part of, or the map itself."""
        return joined_maps.get(source.place, source)

    backward = list(reversed(list(enumerate(tape.instructions))))
    first_write = {whole(instruction.target).place: number for number, instruction in backward}
    places: dict[int, int] = {}
    occupied: dict[int, tuple[int, int]] = {}
    written: set[int] = set()
    overwriting: set[Instruction] = set()
    size = 0

    def allocate(source: Map) -> None:
        nonlocal size
        root = whole(source)
        if root.place not in occupied:
            begin = _lowest_gap(sorted(occupied.values()), root.size)
            occupied[root.place] = (begin, begin + root.size)
            size = max(size, begin + root.size)
            for leaf in root.leaves:
                places[leaf.place] = begin + leaf.place - root.place
        written.update(leaf.place for leaf in source.leaves)

    allocate(tape.last)
    for number, instruction in backward:
        if instruction.kind is not LayerKind.ZERO and instruction.source is not tape.image:
            if not any(leaf.place in written for leaf in instruction.source.leaves):
                overwriting.add(instruction)
            allocate(instruction.source)
        root = whole(instruction.target)
        if first_write[root.place] == number:
            del occupied[root.place]
    return GradientMemory(places, size, frozenset(overwriting))


def _maps(tape: Tape) -> list[Map]:
    sides = [(instruction.source, instruction.target) for instruction in tape.instructions]
    return [tape.last, *(side for pair in sides for side in pair)]


def _lowest_gap(occupied: Sequence[tuple[int, int]], size: int) -> int:
    """The lowest place with room for `size` numbers outside the occupied ranges, which are in ascending order."""
    place = 0
    for begin, end in occupied:
        if begin - place >= size:
            break
        place = max(place, end)
    return place
