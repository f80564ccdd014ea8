"""When are two architectures the same network? A canonical form under the symmetries of cells.

Swapping the edges of a node and renumbering nodes changes nothing. A node that is used twice stays one node: two equal
nodes with weights of their own are another network.
"""

from hashlib import blake2b

from germline.programs.architecture.genome import Architecture, Cell, Node
from germline.programs.architecture.operations import OPERATIONS

FINGERPRINT_VERSION = 1

Shape = tuple[tuple[bool, Node], ...]
"""Nodes in canonical order: whether the cell hands it on, and its edges, sorted, without those that carry nothing."""


def fingerprint(architecture: Architecture) -> str:
    """24 hexadecimal digits, equal for architectures that are the same network."""
    return blake2b(repr(canonical(architecture)).encode(), digest_size=12).hexdigest()


def canonical(architecture: Architecture) -> tuple[Shape, ...]:
    """The same for all architectures that differ in the order of edges and the numbers of nodes alone."""
    return tuple(_canonical(cell, architecture.inputs) for cell in architecture.cells)


def _canonical(cell: Cell, inputs: int) -> Shape:
    """The smallest list of nodes, in the order of tuples, that any numbering of them gives."""
    nodes = {
        inputs + i: tuple(edge for edge in node if not OPERATIONS[edge[0]].zero) for i, node in enumerate(cell.nodes)
    }
    users: dict[int, list[tuple[str, int]]] = {number: [] for number in nodes}
    for number, node in nodes.items():
        for operation, source in node:
            if source >= inputs:
                users[source].append((operation, number))
    twins = {number: (sorted(users[number]), number in cell.concat) for number in nodes}

    def smallest(numbers: dict[int, int], left: frozenset[int]) -> Shape:
        """Puts the smallest node that can come next; of equal ones each is tried, unless nothing tells them apart."""
        if not left:
            return ()
        ready = [n for n in sorted(left) if all(source in numbers for _, source in nodes[n])]
        seen = {n: _seen(cell, nodes[n], n, numbers) for n in ready}
        first = min(seen.values())
        tried: list[object] = []
        best: Shape | None = None
        for n in ready:
            if seen[n] == first and twins[n] not in tried:
                tried.append(twins[n])
                rest = smallest({**numbers, n: len(numbers)}, left - {n})
                best = rest if best is None else min(best, rest)
        assert best is not None
        return (first, *best)

    return smallest({i: i for i in range(inputs)}, frozenset(nodes))


def _seen(cell: Cell, node: Node, number: int, numbers: dict[int, int]) -> tuple[bool, Node]:
    return number in cell.concat, tuple(sorted((operation, numbers[source]) for operation, source in node))
