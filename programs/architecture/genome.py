"""Architectures as data: the genome and its text form."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from germline.programs.architecture.operations import OPERATIONS

Edge = tuple[str, int]
"""The name of an operation, and the number of its source. The inputs of a cell are numbered first, then its nodes."""
Node = tuple[Edge, ...]
"""The edges whose outputs are added."""

MAX_CHARACTERS = 65_536
MAX_NODES = 8


class InvalidArchitecture(ValueError):
    """A text that is not a valid architecture, or limits of a space that no architecture of the space keeps."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A small directed graph.

    Args:
        nodes: in an order in which they can be computed. Their numbers continue the numbers of the inputs.
        concat: the numbers, ascending, of the nodes whose outputs are joined by channels as the cell's output.
    """

    nodes: tuple[Node, ...]
    concat: tuple[int, ...]

    @property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(edge for node in self.nodes for edge in node)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A genome of kind `architecture`.

    Either a normal and a reduction cell with two inputs each and two edges per node, as in NASNet and DARTS; or a
    single cell with one input, in which every node takes all earlier nodes, as in NAS-Bench-201.
    """

    cells: tuple[Cell, ...]

    @property
    def inputs(self) -> int:
        """Number of inputs of each cell: 1 or 2, the number of cells."""
        return len(self.cells)


NAMES = {1: ("cell",), 2: ("normal", "reduce")}
"""The names of the cells in texts, by the number of cells."""


def loose_ends(nodes: tuple[Node, ...], inputs: int) -> tuple[int, ...]:
    """The numbers, ascending, of the nodes that no other node takes."""
    used = {source for node in nodes for _, source in node}
    return tuple(number for number in range(inputs, inputs + len(nodes)) if number not in used)


def write(architecture: Architecture) -> str:
    """The architecture as one line of JSON in the convention of DARTS; `read(write(a)) == a`."""
    text: dict[str, Any] = {}
    for name, cell in zip(NAMES[len(architecture.cells)], architecture.cells, strict=True):
        text[name] = [list(edge) for edge in cell.edges]
        if architecture.inputs == 2:
            text[f"{name}_concat"] = list(cell.concat)
    return json.dumps(text)


def read(text: str) -> Architecture:
    """The architecture of a text, which is parsed and never executed.

    Raises:
        InvalidArchitecture: the text is not a valid architecture.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidArchitecture(f"expected at most {MAX_CHARACTERS} characters, got {len(text)}")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidArchitecture(f"expected JSON ({cause:.80}); {_EXAMPLE}") from None
    return from_data(data)


def from_data(data: Any) -> Architecture:
    """The architecture of parsed JSON.

    Raises:
        InvalidArchitecture: it is not a valid architecture.
    """
    if not isinstance(data, dict):
        raise InvalidArchitecture(f"expected an object with cells, got {type(data).__name__}; {_EXAMPLE}")
    keys = [sorted(NAMES[1]), sorted([*NAMES[2], *(f"{name}_concat" for name in NAMES[2])])]
    if sorted(data) not in keys:
        got = ", ".join(map(str, sorted(data))) or "nothing"
        raise InvalidArchitecture(
            f"expected {' or '.join(', '.join(names) for names in keys)}, got {got:.80}; {_EXAMPLE}"
        )
    names = NAMES[1] if "cell" in data else NAMES[2]
    return Architecture(tuple(_cell(name, data, len(names)) for name in names))


_EXAMPLE = 'write {"normal": [["sep_conv_3x3", 1], …], "normal_concat": […], "reduce": […], "reduce_concat": […]}'


def _cell(name: str, data: dict[str, Any], inputs: int) -> Cell:
    pairs = data[name]
    if not isinstance(pairs, list) or not pairs:
        raise InvalidArchitecture(f"{name}: expected a list of [operation, input], got {pairs!r:.60}")
    nodes: list[Node] = []
    begin = 0
    while begin < len(pairs):
        size = 2 if inputs == 2 else len(nodes) + 1
        edges = pairs[begin : begin + size]
        if len(edges) < size or len(nodes) == MAX_NODES:
            expected = "an even number of pairs" if inputs == 2 else "1, 3, 6, 10, … pairs, one for each earlier node"
            raise InvalidArchitecture(f"{name}: expected {expected}, at most {MAX_NODES} nodes, got {len(pairs)} pairs")
        nodes.append(tuple(_edge(f"{name}[{begin + i}]", edge, inputs + len(nodes)) for i, edge in enumerate(edges)))
        begin += size
    last = inputs + len(nodes) - 1
    if inputs == 1:
        for number, node in enumerate(nodes):
            if [source for _, source in node] != list(range(number + 1)):
                raise InvalidArchitecture(f"{name}: expected node {number + 1} to take nodes 0 to {number} in order")
        return Cell(tuple(nodes), (last,))
    return Cell(tuple(nodes), _concat(f"{name}_concat", data[f"{name}_concat"], inputs, last))


def _edge(where: str, edge: Any, number: int) -> Edge:
    if not isinstance(edge, list) or len(edge) != 2 or not isinstance(edge[0], str) or type(edge[1]) is not int:
        raise InvalidArchitecture(f'{where}: expected a pair such as ["sep_conv_3x3", 1], got {edge!r:.60}')
    operation, source = edge
    if operation not in OPERATIONS:
        raise InvalidArchitecture(f"{where}: {unknown_operation(operation)}")
    if not 0 <= source < number:
        raise InvalidArchitecture(f"{where}: expected an input from 0 to {number - 1}, got {source}")
    return operation, source


def unknown_operation(name: str) -> str:
    """The message for an operation that does not exist."""

    near = get_close_matches(name, OPERATIONS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(OPERATIONS)}"
    return f"expected an operation, got {name!r:.60}; {hint}"


def _concat(where: str, numbers: Any, first: int, last: int) -> tuple[int, ...]:
    valid = isinstance(numbers, list) and all(type(number) is int and first <= number <= last for number in numbers)
    if not valid or not numbers or sorted(set(numbers)) != sorted(numbers):
        raise InvalidArchitecture(f"{where}: expected different nodes from {first} to {last}, got {numbers!r:.60}")
    return tuple(sorted(numbers))
