"""Canonical form and fingerprint of an architecture under the symmetries of cells.

The network stays the same if the edges of a node are swapped or the nodes renumbered. A node that is used twice is not
the same as two equal nodes, each with weights of its own.
"""

from hashlib import blake2b

from germline.programs.architecture.genome import Architecture, Cell, Node
from germline.programs.architecture.operations import OPERATIONS

FINGERPRINT_VERSION = 1

CanonicalCell = tuple[tuple[bool, Node], ...]
"""The nodes of a cell in canonical order: for each, whether the cell's output joins it, and its edges without `none`,
sorted. Their sources are numbered in the canonical order."""


def fingerprint(architecture: Architecture) -> str:
    """24 hexadecimal digits, equal for architectures whose networks are the same."""
    return blake2b(repr(canonical(architecture)).encode(), digest_size=12).hexdigest()


def canonical(architecture: Architecture) -> tuple[CanonicalCell, ...]:
    """The canonical form of each cell.

    It is equal for architectures that differ only in the order of edges, in the numbers of nodes, and in the sources of
    edges with the operation `none`.
    """
    return tuple(_canonical(cell, architecture.inputs) for cell in architecture.cells)


def _canonical(cell: Cell, inputs: int) -> CanonicalCell:
    """The smallest list of nodes, compared as tuples, among all valid numberings."""
    nodes = {
        inputs + i: tuple(edge for edge in node if not OPERATIONS[edge[0]].zero) for i, node in enumerate(cell.nodes)
    }
    users: dict[int, list[tuple[str, int]]] = {number: [] for number in nodes}
    for number, node in nodes.items():
        for operation, source in node:
            if source >= inputs:
                users[source].append((operation, number))
    uses = {number: (sorted(users[number]), number in cell.concat) for number in nodes}

    def smallest(numbers: dict[int, int], remaining: frozenset[int]) -> CanonicalCell:
        """The smallest list that continues a numbering. The smallest ready node comes next; if several are equal, each
        is tried, unless they are also used equally."""
        if not remaining:
            return ()
        ready = [n for n in sorted(remaining) if all(source in numbers for _, source in nodes[n])]
        renumbered = {n: _renumbered(cell, nodes[n], n, numbers) for n in ready}
        first = min(renumbered.values())
        tried: list[object] = []
        best: CanonicalCell | None = None
        for n in ready:
            if renumbered[n] == first and uses[n] not in tried:
                tried.append(uses[n])
                rest = smallest({**numbers, n: len(numbers)}, remaining - {n})
                best = rest if best is None else min(best, rest)
        assert best is not None
        return (first, *best)

    return smallest({i: i for i in range(inputs)}, frozenset(nodes))


def _renumbered(cell: Cell, node: Node, number: int, numbers: dict[int, int]) -> tuple[bool, Node]:
    return number in cell.concat, tuple(sorted((operation, numbers[source]) for operation, source in node))
