"""A picture of a generation as SVG: where each policy ended, coloured by what it was worth.

Colours go from dark to bright with fitness, in a scale that colour-blind readers can tell apart and that keeps its
order in grey (viridis). The picture needs no font or file but its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from germline.programs.drawing import FAINT, INK, Axis, frame, picture, span, text, ticks

WIDTH, HEIGHT = 560, 460
"""Of the field in which points lie, at most."""
LEFT, TOP, RIGHT, BOTTOM = 84, 64, 130, 92
SCALE = ("#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Viridis (van der Walt and Smith 2015) at ten places."""
ELITE = "#d55e00"

Wall = tuple[float, float, float, float]
"""A line from (x, y) to (x, y)."""


@dataclass(frozen=True)
class Point:
    """One policy: where it ended, its fitness, and whether it was a parent or is the elite."""

    x: float
    y: float
    fitness: float
    parent: bool = False
    elite: bool = False


def draw(
    points: Sequence[Point], title: str, x: str, y: str, notes: Sequence[str] = (), walls: Sequence[Wall] = ()
) -> str:
    """The source of an SVG picture.

    Args:
        points: those that are not finite are left out.
        title: what it is a picture of.
        x, y: what the axes are.
        notes: lines below.
        walls: drawn behind the points; with them both axes have one scale.
    """
    shown = [one for one in points if isfinite(one.x) and isfinite(one.y) and isfinite(one.fitness)]
    across, up = _axes(shown, walls)
    low = min((one.fitness for one in shown), default=0.0)
    high = max((one.fitness for one in shown), default=0.0)
    width, height = LEFT + across.length + RIGHT, TOP + up.length + BOTTOM + 16 * len(notes)
    parts = [
        text(LEFT, 26, title, 15, weight="bold"),
        _legend(LEFT, 46, shown),
        *frame(across, up, x, y, (_marks(across), _marks(up))),
        *(_wall(wall, across, up) for wall in walls),
        *(_dot(one, across, up, low, high) for one in sorted(shown, key=lambda one: (one.elite, one.fitness))),
        *_bar(across.begin + across.length + 24, up, low, high),
        *(text(LEFT, TOP + up.length + 68 + 16 * i, note, 11, FAINT) for i, note in enumerate(notes)),
    ]
    return picture(width, height, parts)


def _axes(points: Sequence[Point], walls: Sequence[Wall]) -> tuple[Axis, Axis]:
    xs = [one.x for one in points] + [value for wall in walls for value in wall[::2]]
    ys = [one.y for one in points] + [value for wall in walls for value in wall[1::2]]
    (left, right), (bottom, top) = span(xs), span(ys)
    width, height = float(WIDTH), float(HEIGHT)
    if walls:
        scale = min(WIDTH / (right - left), HEIGHT / (top - bottom))
        width, height = scale * (right - left), scale * (top - bottom)
    return Axis(left, right, LEFT, width), Axis(bottom, top, TOP, height, turned=True)


def _marks(axis: Axis) -> dict[float, str]:
    return {value: f"{value:.6g}" for value in ticks(axis.low, axis.high)}


def _wall(wall: Wall, across: Axis, up: Axis) -> str:
    x0, y0, x1, y1 = wall
    ends = f'x1="{across.at(x0):.2f}" y1="{up.at(y0):.2f}" x2="{across.at(x1):.2f}" y2="{up.at(y1):.2f}"'
    return f'<line {ends} stroke="{INK}" stroke-width="2" stroke-linecap="round"/>'


def _dot(one: Point, across: Axis, up: Axis, low: float, high: float) -> str:
    """A parent has a dark edge, the elite a ring around it."""
    x, y = across.at(one.x), up.at(one.y)
    place, fill = f'cx="{x:.2f}" cy="{y:.2f}"', colour(one.fitness, low, high)
    edge = f'stroke="{INK}" stroke-width="1.6"' if one.parent else 'stroke="white" stroke-width="0.5"'
    dot = f'<circle {place} r="{5 if one.parent else 4}" fill="{fill}" {edge}>'
    dot += f"<title>fitness {one.fitness:.6g}</title></circle>"
    if one.elite:
        dot += f'<circle {place} r="10" fill="none" stroke="{ELITE}" stroke-width="2.4"/>'
    return dot


def colour(value: float, low: float, high: float) -> str:
    """The colour of a value on the scale, between its neighbours."""
    share = (value - low) / (high - low) if high > low else 1.0
    place = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    i = min(int(place), len(SCALE) - 2)
    mixed = (
        round(int(SCALE[i][k : k + 2], 16) * (i + 1 - place) + int(SCALE[i + 1][k : k + 2], 16) * (place - i))
        for k in (1, 3, 5)
    )
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _bar(x: float, up: Axis, low: float, high: float) -> list[str]:
    """The scale of colours, with the least and the greatest fitness at its ends."""
    height = min(up.length, 200.0)
    stops = "".join(
        f'<stop offset="{i / (len(SCALE) - 1):.4f}" stop-color="{one}"/>' for i, one in enumerate(reversed(SCALE))
    )
    return [
        f'<defs><linearGradient id="fitness" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>',
        text(x, up.begin + 10, "fitness", 12),
        f'<rect x="{x:.2f}" y="{up.begin + 20:g}" width="14" height="{height - 20:.2f}" fill="url(#fitness)"/>',
        text(x + 20, up.begin + 29, f"{high:.6g}", 11),
        text(x + 20, up.begin + height, f"{low:.6g}", 11),
    ]


def _legend(x: float, y: float, points: Sequence[Point]) -> str:
    """What edges and rings mean, as far as there are any."""
    parts = []
    if any(one.parent for one in points):
        parts.append(f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="none" stroke="{INK}" stroke-width="1.6"/>')
        parts.append(text(x + 16, y, "parents of the next generation", 12))
        x += 216
    if any(one.elite for one in points):
        parts.append(f'<circle cx="{x + 9}" cy="{y - 4}" r="8" fill="none" stroke="{ELITE}" stroke-width="2.4"/>')
        parts.append(text(x + 24, y, "elite", 12))
    return "".join(parts)
