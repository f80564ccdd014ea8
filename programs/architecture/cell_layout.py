"""The layout of an architecture's cells as a drawing: inputs on the left, nodes from left to right, the output on the
right.

Every edge is labelled with its operation. Edges of one operation share a colour; colour-blind readers can tell the
colours apart (Okabe and Ito 2008). Lengths are pixels, x to the right and y downwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from germline.programs.architecture.genome import NAMES, Architecture, Cell
from germline.programs.drawing import COLOURS, FAINT, INK

COLUMN, ROW, NODE_WIDTH, NODE_HEIGHT, MARGIN, TITLE = 186, 40, 62, 28, 24, 30
FAN, INPUT_FAN = 30, 84
"""Widths in which edges turn from a box to their rows: behind a node, and behind an input, which has more edges."""
LANE, INPUT_LANE = 6.0, 10.0
"""The largest distances between edges where they leave a node and an input."""
_FIRST_COLUMN = INPUT_FAN - FAN
"""By how much more the first nodes are to the right."""

Place = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """An input, a node or the output: its left end, its middle from above, and its size; `end` is False for nodes."""

    x: float
    y: float
    height: float
    title: str
    end: bool
    width: float = NODE_WIDTH


@dataclass(frozen=True)
class Arrow:
    """A curve with an arrow tip at its end: cubic Bézier curves, each of which begins where the one before it ends and
    has two control points and an end. A straight line is such a curve too."""

    start: Place
    curves: tuple[tuple[Place, Place, Place], ...]
    colour: str
    width: float = 1.6
    dashed: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Label:
    """A text: its baseline's left end or, if `right`, its right end."""

    x: float
    y: float
    text: str
    size: float
    colour: str = INK
    right: bool = False
    bold: bool = False


@dataclass(frozen=True)
class CellDrawing:
    """What is drawn of an architecture, back to front: arrows, labels with a white edge, boxes."""

    width: float
    height: float
    arrows: tuple[Arrow, ...]
    labels: tuple[Label, ...]
    boxes: tuple[Box, ...]


def cell_drawing(architecture: Architecture) -> CellDrawing:
    """Returns the drawing of an architecture, with a panel for each cell, one below the other."""
    names = sorted({name for cell in architecture.cells for name, _ in cell.edges})
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    arrows: list[Arrow] = []
    labels: list[Label] = []
    boxes: list[Box] = []
    width, top = 0.0, float(MARGIN)
    for title, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
        panel = _Panel(cell, architecture.inputs)
        heading = {"normal": "Normal cell", "reduce": "Reduction cell"}.get(title, "Cell")
        labels.append(Label(MARGIN, top + 14, heading, 15, bold=True))
        top += TITLE
        arrows += [_moved(arrow, MARGIN, top) for arrow in panel.arrows(colours)]
        labels += [replace(each, x=each.x + MARGIN, y=each.y + top) for each in panel.labels(colours)]
        boxes += [replace(box, x=box.x + MARGIN, y=box.y + top) for box in panel.boxes()]
        width = max(width, panel.width)
        top += panel.height + MARGIN
    return CellDrawing(width + 2 * MARGIN, top, tuple(arrows), tuple(labels), tuple(boxes))


class _Panel:
    """The layout of one cell.

    The column of a node is the length of the longest path from an input. Every edge runs along a row of its own, in the
    order of the nodes that edges lead to, and a node stands in the middle of its rows. So no edge crosses a box, and no
    label covers another. The edges of a box leave it side by side, in the order of their rows, so that they neither
    cross nor merge.
    """

    def __init__(self, cell: Cell, inputs: int) -> None:
        self.cell = cell
        self.inputs = inputs
        self.edges = [
            (name, source, inputs + number) for number, node in enumerate(cell.nodes) for name, source in node
        ]
        column = [0] * inputs
        for node in cell.nodes:
            column.append(1 + max(column[source] for _, source in node))
        self.column = column
        self.last = max(column) + 1
        self.height = float(max(len(self.edges), inputs) * ROW)
        self.middle = self._middles()
        self.output = self._left_of(self.last), self.height / 2
        self.width = self.output[0] + NODE_WIDTH + 24
        self.leaving = self._leaving()

    def _middles(self) -> list[float]:
        """The vertical position of each input and node: a node is in the middle of the rows of its edges."""
        inputs = [self.height * (i + 0.5) / self.inputs for i in range(self.inputs)]
        nodes = []
        for number in range(len(self.cell.nodes)):
            rows = [k for k, (_, _, target) in enumerate(self.edges) if target == self.inputs + number]
            nodes.append(ROW * (sum(rows) / len(rows) + 0.5))
        return inputs + nodes

    def _leaving(self) -> dict[tuple[int, int], float]:
        """Where each edge leaves its source, by (source, edge), and the line to the output, by (source, -1): from top
        to bottom in the order of their rows."""
        places: dict[tuple[int, int], float] = {}
        for number, middle in enumerate(self.middle):
            rows = [(ROW * (k + 0.5), k) for k, (_, source, _) in enumerate(self.edges) if source == number]
            rows += [(middle, -1)] if number in self.cell.concat else []
            room = self._box_height(number) - 8
            lane = min(INPUT_LANE if number < self.inputs else LANE, room / max(1, len(rows) - 1))
            for i, (_, k) in enumerate(sorted(rows)):
                places[number, k] = middle + lane * (i - (len(rows) - 1) / 2)
        return places

    def _box_height(self, number: int) -> float:
        """The height of a box: an input is as high as its edges need, and as there is room."""
        if number >= self.inputs:
            return NODE_HEIGHT
        edges = sum(source == number for _, source, _ in self.edges) + (number in self.cell.concat)
        return min(max(NODE_HEIGHT, INPUT_LANE * (edges - 1) + 16), self.height / self.inputs - 6)

    def _left_of(self, column: int) -> float:
        return column * COLUMN + (_FIRST_COLUMN if column else 0)

    def _left(self, number: int) -> float:
        return self._left_of(self.column[number])

    def boxes(self) -> Iterator[Box]:
        titles = ["c(k-2)", "c(k-1)"] if self.inputs == 2 else ["input"]
        for number in range(self.inputs + len(self.cell.nodes)):
            title = titles[number] if number < self.inputs else str(number)
            yield Box(self._left(number), self.middle[number], self._box_height(number), title, number < self.inputs)
        yield Box(*self.output, NODE_HEIGHT, "output", True)

    def labels(self, colours: Mapping[str, str]) -> Iterator[Label]:
        """The name of each edge's operation, above its row."""
        for k, (name, _, target) in enumerate(self.edges):
            yield Label(self._left(target) - 30, ROW * (k + 0.5) - 4, name, 10, colours[name], right=True)

    def arrows(self, colours: Mapping[str, str]) -> Iterator[Arrow]:
        """The edges, and grey lines to the output from the nodes that it joins."""
        for number in self.cell.concat:
            yield self._joined(number)
        for k in range(len(self.edges)):
            yield self._edge(k, colours)

    def _edge(self, k: int, colours: Mapping[str, str]) -> Arrow:
        """Edge `k`: a curve from its source to row `k`, along the row and on to its target node."""
        name, source, target = self.edges[k]
        row, fan = ROW * (k + 0.5), INPUT_FAN if source < self.inputs else FAN
        x0, y0 = self._left(source) + NODE_WIDTH, self.leaving[source, k]
        x1, y1 = self._left(target), self.middle[target]
        bend = ((x0 + 0.6 * fan, y0), (x0 + 0.4 * fan, row), (x0 + fan, row))
        along = _straight((x0 + fan, row), (x1 - 26, row))
        into = ((x1 - 10, row), (x1 - 18, y1), (x1, y1))
        return Arrow((x0, y0), (bend, along, into), colours[name], dashed=name == "none")

    def _joined(self, number: int) -> Arrow:
        x0, y0 = self._left(number) + NODE_WIDTH, self.leaving[number, -1]
        x1, y1 = self.output
        turn = x1 - COLUMN + NODE_WIDTH + 30
        bend = ((turn + 40, y0), (x1 - 40, y1), (x1, y1))
        return Arrow((x0, y0), (_straight((x0, y0), (turn, y0)), bend), FAINT, width=1.2, opacity=0.55)


def _straight(start: Place, end: Place) -> tuple[Place, Place, Place]:
    return start, end, end


def _moved(arrow: Arrow, x: float, y: float) -> Arrow:
    def moved(place: Place) -> Place:
        return place[0] + x, place[1] + y

    curves = tuple((moved(first), moved(second), moved(end)) for first, second, end in arrow.curves)
    return replace(arrow, start=moved(arrow.start), curves=curves)
