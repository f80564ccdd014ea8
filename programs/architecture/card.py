"""The form of architectures on a page, for a reader who is to write some: made from a cell space."""

import numpy as np

from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.genome import NAMES, Architecture, write


def card(cells: CellSpace) -> str:
    """The rules of a space of cells, with an example."""
    names = NAMES[cells.inputs]
    edges = "two edges with free sources" if cells.inputs == 2 else "an edge from every earlier node"
    sources = "; ".join(f"node {n}: {', '.join(map(str, cells.sources(n)))}" for n in range(cells.nodes))
    return "\n".join(
        [
            "An architecture is one line of JSON that describes the cells of a convolutional network:",
            "",
            write(_example(cells)),
            "",
            f"It has {', '.join(names)}, each a list of edges [operation, source], node by node.",
            f"A cell has {cells.nodes} nodes, each with {edges}; a node adds what its edges give.",
            f"Sources are numbers: the inputs of the cell first (0{' and 1' if cells.inputs == 2 else ''}), then its "
            f"nodes. Possible sources: {sources}.",
            "`…_concat` are the nodes that the cell joins as its output: those that no other node takes."
            if cells.inputs == 2 and cells.concat == "loose"
            else "A cell hands on what the space prescribes, as in the example.",
            f"Operations: {', '.join(cells.operations)}.",
        ]
    )


def _example(cells: CellSpace) -> Architecture:
    """An architecture of the space, always the same."""
    rng = np.random.default_rng(0)

    def edge(node: int, source: int | None) -> tuple[str, int]:
        operation = cells.operations[int(rng.integers(len(cells.operations)))]
        return operation, int(rng.choice(cells.sources(node))) if source is None else source

    def nodes() -> tuple[tuple[tuple[str, int], ...], ...]:
        free = cells.inputs == 2
        return tuple(
            tuple(edge(n, None if free else source) for source in (range(2) if free else cells.sources(n)))
            for n in range(cells.nodes)
        )

    return Architecture(tuple(cells.cell(nodes()) for _ in range(cells.inputs)))
