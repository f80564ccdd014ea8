"""Drawings of an architecture's cells as SVG: inputs on the left, nodes from left to right, the output on the right.

Every edge is labelled with its operation. Edges of one operation share a colour; colour-blind readers can tell the
colours apart (Okabe and Ito 2008). The drawing needs no other file and no font.
"""

from germline.programs.architecture.genome import NAMES, Architecture, Cell
from germline.programs.drawing import COLOURS, FONT, character_data

COLUMN, ROW, NODE_WIDTH, NODE_HEIGHT, MARGIN, TITLE = 186, 40, 62, 28, 24, 30
HALO = 'stroke="white" stroke-width="3" paint-order="stroke"'


def draw(architecture: Architecture) -> str:
    """The SVG source of a drawing with a panel for each cell, one below the other."""
    names = sorted({name for cell in architecture.cells for name, _ in cell.edges})
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    panels = [_Panel(cell, architecture.inputs) for cell in architecture.cells]
    width = max(panel.width for panel in panels)
    height = MARGIN
    body = []
    for title, panel in zip(NAMES[architecture.inputs], panels, strict=True):
        body.append(f'<g transform="translate({MARGIN} {height})">')
        heading = {"normal": "Normal cell", "reduce": "Reduction cell"}.get(title, "Cell")
        body.append(f'<text x="0" y="14" {FONT} font-size="15" font-weight="bold" fill="#222222">{heading}</text>')
        body.append(f'<g transform="translate(0 {TITLE})">{panel.elements(colours)}</g></g>')
        height += TITLE + panel.height + MARGIN
    size = f'width="{width + 2 * MARGIN}" height="{height}" viewBox="0 0 {width + 2 * MARGIN} {height}"'
    arrows = "".join(
        f'<marker id="tip-{i}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0.8L8 4L0 7.2z" fill="{colour}"/></marker>'
        for i, colour in enumerate(dict.fromkeys((*COLOURS, "#222222")))
    )
    lines = "\n".join(body)
    white = f'<rect width="{width + 2 * MARGIN}" height="{height}" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<defs>{arrows}</defs>\n{white}\n{lines}\n</svg>\n'


class _Panel:
    """The layout and the elements of one cell.

    The column of a node is the length of the longest path from an input. Every edge runs along a row of its own, in the
    order of the nodes that edges lead to, and a node stands in the middle of its rows. So no edge crosses a box, and no
    label covers another.
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
        self.width = self.last * COLUMN + NODE_WIDTH + 24
        self.height = max(len(self.edges), inputs) * ROW
        self.middle = self._middles()

    def _middles(self) -> list[float]:
        """The vertical position of each input and node: a node is in the middle of the rows of its edges."""
        inputs = [self.height * (i + 0.5) / self.inputs for i in range(self.inputs)]
        nodes = []
        for number in range(len(self.cell.nodes)):
            rows = [k for k, (_, _, target) in enumerate(self.edges) if target == self.inputs + number]
            nodes.append(ROW * (sum(rows) / len(rows) + 0.5))
        return inputs + nodes

    def elements(self, colours: dict[str, str]) -> str:
        """SVG elements of edges and boxes, with the colour of each operation."""
        tips = {colour: i for i, colour in enumerate(dict.fromkeys((*COLOURS, "#222222")))}
        lines = [self._edge(k, colours, tips) for k in range(len(self.edges))]
        lines += [self._joined(number, tips) for number in self.cell.concat]
        titles = ["c(k-2)", "c(k-1)"] if self.inputs == 2 else ["input"]
        for number in range(self.inputs + len(self.cell.nodes)):
            title = titles[number] if number < self.inputs else str(number)
            lines.append(self._box(self._left(number), self.middle[number], title, number < self.inputs))
        lines.append(self._box(self.last * COLUMN, self.height / 2, "output", True))
        return "\n".join(lines)

    def _left(self, number: int) -> int:
        return self.column[number] * COLUMN

    def _edge(self, k: int, colours: dict[str, str], tips: dict[str, int]) -> str:
        """SVG of edge `k`: a curve from its source to row `k`, along the row and on to its target node.

        The operation's name stands above the row. `tips` has the number of the arrow tip of each colour.
        """
        name, source, target = self.edges[k]
        row = ROW * (k + 0.5)
        x0, y0 = self._left(source) + NODE_WIDTH, self.middle[source]
        x1, y1 = self._left(target), self.middle[target]
        curve = f"M{x0} {y0:g}C{x0 + 26} {y0:g} {x0 + 4} {row:g} {x0 + 30} {row:g}"
        curve += f"L{x1 - 26} {row:g}C{x1 - 10} {row:g} {x1 - 18} {y1:g} {x1} {y1:g}"
        colour = colours[name]
        dash = ' stroke-dasharray="3 3"' if name == "none" else ""
        style = f'fill="none" stroke="{colour}" stroke-width="1.6"{dash} marker-end="url(#tip-{tips[colour]})"'
        place = f'x="{x1 - 30}" y="{row - 4:g}" text-anchor="end"'
        label = f'<text {place} {FONT} font-size="10" fill="{colour}" {HALO}>{character_data(name)}</text>'
        return f'<path d="{curve}" {style}/>{label}'

    def _joined(self, number: int, tips: dict[str, int]) -> str:
        """A grey line to the cell's output from a node that the output joins."""
        x0, y0 = self._left(number) + NODE_WIDTH, self.middle[number]
        x1, y1 = self.last * COLUMN, self.height / 2
        turn = x1 - COLUMN + NODE_WIDTH + 30
        curve = f"M{x0} {y0:g}L{turn} {y0:g}C{turn + 40} {y0:g} {x1 - 40} {y1:g} {x1} {y1:g}"
        style = f'fill="none" stroke="#7f7f7f" stroke-width="1.2" marker-end="url(#tip-{tips["#7f7f7f"]})"'
        return f'<path d="{curve}" {style} opacity="0.55"/>'

    def _box(self, x: float, y: float, title: str, end: bool) -> str:
        fill = "#eeeeee" if end else "#ffffff"
        box = f'<rect x="{x:g}" y="{y - NODE_HEIGHT / 2:g}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="6" '
        box += f'fill="{fill}" stroke="#222222" stroke-width="1.2"/>'
        text = (
            f'<text x="{x + NODE_WIDTH / 2:g}" y="{y + 4:g}" {FONT} font-size="12" text-anchor="middle">{title}</text>'
        )
        return box + text
