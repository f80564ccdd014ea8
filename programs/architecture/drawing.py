"""Drawings of an architecture's cells as SVG, which need no other file and no font."""

from germline.programs.architecture.cell_layout import Arrow, Box, Label, cell_drawing
from germline.programs.architecture.genome import Architecture
from germline.programs.drawing import COLOURS, FONT, INK, character_data

_HALO = 'stroke="white" stroke-width="3" paint-order="stroke"'


def draw(architecture: Architecture) -> str:
    """Returns the SVG source of a drawing with a panel for each cell, one below the other."""
    drawing = cell_drawing(architecture)
    size = f'width="{drawing.width:g}" height="{drawing.height:g}" viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    tips = {colour: f"tip-{i}" for i, colour in enumerate(dict.fromkeys((*COLOURS, INK)))}
    markers = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0.8L8 4L0 7.2z" fill="{colour}"/></marker>'
        for colour, name in tips.items()
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<defs>{markers}</defs>",
        f'<rect width="{drawing.width:g}" height="{drawing.height:g}" fill="white"/>',
        *(_arrow(arrow, tips[arrow.colour]) for arrow in drawing.arrows),
        *map(_label, drawing.labels),
        *map(_box, drawing.boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _arrow(arrow: Arrow, tip: str) -> str:
    path = f"M{arrow.start[0]:g} {arrow.start[1]:g}"
    path += "".join("C" + " ".join(f"{x:g} {y:g}" for x, y in curve) for curve in arrow.curves)
    style = f'fill="none" stroke="{arrow.colour}" stroke-width="{arrow.width:g}" marker-end="url(#{tip})"'
    dash = ' stroke-dasharray="3 3"' if arrow.dashed else ""
    opacity = f' opacity="{arrow.opacity:g}"' if arrow.opacity < 1 else ""
    return f'<path d="{path}" {style}{dash}{opacity}/>'


def _label(label: Label) -> str:
    place = f'x="{label.x:g}" y="{label.y:g}" text-anchor="{"end" if label.right else "start"}"'
    weight = ' font-weight="bold"' if label.bold else ""
    style = f'{FONT} font-size="{label.size:g}"{weight} fill="{label.colour}" {_HALO}'
    return f"<text {place} {style}>{character_data(label.text)}</text>"


def _box(box: Box) -> str:
    rect = f'<rect x="{box.x:g}" y="{box.y - box.height / 2:g}" width="{box.width:g}" height="{box.height:g}" rx="6" '
    rect += f'fill="{"#eeeeee" if box.end else "#ffffff"}" stroke="{INK}" stroke-width="1.2"/>'
    place = f'x="{box.x + box.width / 2:g}" y="{box.y + 4:g}" {FONT} font-size="12" text-anchor="middle"'
    return f'{rect}<text {place} fill="{INK}">{character_data(box.title)}</text>'
