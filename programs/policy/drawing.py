"""SVG picture of a generation: the behaviour of each policy as a marker, coloured by fitness.

The colour scale is viridis, which colour-blind readers can tell apart and which keeps its order in grey. The picture
needs no external font or file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from germline.programs.drawing import FAINT, INK, LARGEST_DRAWN, Axis, frame, picture, span, text, ticks

WIDTH, HEIGHT = 560, 460
"""Largest size of the plotting area."""
LEFT, TOP, RIGHT, BOTTOM = 84, 64, 130, 92
"""Margins around the plotting area."""
SCALE = ("#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Ten colours of viridis (van der Walt and Smith 2015), from the lowest fitness to the highest."""
ELITE = "#d55e00"

Wall = tuple[float, float, float, float]
"""A line: x and y of one end, then x and y of the other, in data coordinates."""


@dataclass(frozen=True)
class PolicyMarker:
    """A policy as a marker of the picture.

    Args:
        x, y: place, in data coordinates.
        fitness: its fitness, which decides the colour.
        parent: whether it is a parent of the next generation; drawn with a dark edge.
        elite: whether it is the elite; drawn with a ring.
    """

    x: float
    y: float
    fitness: float
    parent: bool = False
    elite: bool = False


def draw(
    markers: Sequence[PolicyMarker], title: str, x: str, y: str, notes: Sequence[str] = (), walls: Sequence[Wall] = ()
) -> str:
    """The source of an SVG picture.

    Args:
        markers: the policies; markers with a coordinate or fitness beyond `LARGEST_DRAWN` are left out.
        title: title of the picture.
        x, y: labels of the axes.
        notes: lines of text below the picture.
        walls: lines drawn behind the markers; if there are any, both axes have the same scale.
    """
    drawable = [
        marker
        for marker in markers
        if all(abs(value) < LARGEST_DRAWN for value in (marker.x, marker.y, marker.fitness))
    ]
    across, up = _axes(drawable, walls)
    low = min((marker.fitness for marker in drawable), default=0.0)
    high = max((marker.fitness for marker in drawable), default=0.0)
    width, height = LEFT + across.length + RIGHT, TOP + up.length + BOTTOM + 16 * len(notes)
    back_to_front = sorted(drawable, key=lambda marker: (marker.elite, marker.fitness))
    parts = [
        text(LEFT, 26, title, 15, weight="bold"),
        _legend(LEFT, 46, drawable),
        *frame(across, up, x, y, (_tick_labels(across), _tick_labels(up))),
        *(_draw_wall(wall, across, up) for wall in walls),
        *(_draw_marker(marker, across, up, low, high) for marker in back_to_front),
        *_colour_bar(across.begin + across.length + 24, up, low, high),
        *(text(LEFT, TOP + up.length + 68 + 16 * i, note, 11, FAINT) for i, note in enumerate(notes)),
    ]
    return picture(width, height, parts)


def _axes(markers: Sequence[PolicyMarker], walls: Sequence[Wall]) -> tuple[Axis, Axis]:
    xs = [marker.x for marker in markers] + [value for wall in walls for value in wall[::2]]
    ys = [marker.y for marker in markers] + [value for wall in walls for value in wall[1::2]]
    (left, right), (bottom, top) = span(xs), span(ys)
    width, height = float(WIDTH), float(HEIGHT)
    if walls:
        scale = min(WIDTH / (right - left), HEIGHT / (top - bottom))
        width, height = scale * (right - left), scale * (top - bottom)
    return Axis(left, right, LEFT, width), Axis(bottom, top, TOP, height, turned=True)


def _tick_labels(axis: Axis) -> dict[float, str]:
    return {value: f"{value:.6g}" for value in ticks(axis.low, axis.high)}


def _draw_wall(wall: Wall, across: Axis, up: Axis) -> str:
    x0, y0, x1, y1 = wall
    ends = f'x1="{across.at(x0):.2f}" y1="{up.at(y0):.2f}" x2="{across.at(x1):.2f}" y2="{up.at(y1):.2f}"'
    return f'<line {ends} stroke="{INK}" stroke-width="2" stroke-linecap="round"/>'


def _draw_marker(marker: PolicyMarker, across: Axis, up: Axis, low: float, high: float) -> str:
    x, y = across.at(marker.x), up.at(marker.y)
    centre, fill = f'cx="{x:.2f}" cy="{y:.2f}"', colour(marker.fitness, low, high)
    edge = f'stroke="{INK}" stroke-width="1.6"' if marker.parent else 'stroke="white" stroke-width="0.5"'
    circles = f'<circle {centre} r="{5 if marker.parent else 4}" fill="{fill}" {edge}>'
    circles += f"<title>fitness {marker.fitness:.6g}</title></circle>"
    if marker.elite:
        circles += f'<circle {centre} r="10" fill="none" stroke="{ELITE}" stroke-width="2.4"/>'
    return circles


def colour(value: float, low: float, high: float) -> str:
    """Colour of a value from `low` to `high`, interpolated between neighbouring colours of `SCALE`."""
    share = (value - low) / (high - low) if high > low else 1.0
    position = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    i = min(int(position), len(SCALE) - 2)
    channels = (
        round(int(SCALE[i][k : k + 2], 16) * (i + 1 - position) + int(SCALE[i + 1][k : k + 2], 16) * (position - i))
        for k in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _colour_bar(x: float, up: Axis, low: float, high: float) -> list[str]:
    """The colour scale, labelled with the lowest and the highest fitness."""
    height = min(up.length, 200.0)
    stops = "".join(
        f'<stop offset="{i / (len(SCALE) - 1):.4f}" stop-color="{stop}"/>' for i, stop in enumerate(reversed(SCALE))
    )
    return [
        f'<defs><linearGradient id="fitness" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>',
        text(x, up.begin + 10, "fitness", 12),
        f'<rect x="{x:.2f}" y="{up.begin + 20:g}" width="14" height="{height - 20:.2f}" fill="url(#fitness)"/>',
        text(x + 20, up.begin + 29, f"{high:.6g}", 11),
        text(x + 20, up.begin + height, f"{low:.6g}", 11),
    ]


def _legend(x: float, y: float, markers: Sequence[PolicyMarker]) -> str:
    """Explains edges and rings, as far as the picture has any."""
    parts = []
    if any(marker.parent for marker in markers):
        parts.append(f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="none" stroke="{INK}" stroke-width="1.6"/>')
        parts.append(text(x + 16, y, "parents of the next generation", 12))
        x += 216
    if any(marker.elite for marker in markers):
        parts.append(f'<circle cx="{x + 9}" cy="{y - 4}" r="8" fill="none" stroke="{ELITE}" stroke-width="2.4"/>')
        parts.append(text(x + 24, y, "elite", 12))
    return "".join(parts)
