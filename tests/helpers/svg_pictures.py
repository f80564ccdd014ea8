"""What SVG pictures of matplotlib show: texts, and the places and colours of what has a name in them."""

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = r"(-?[\d.]+(?:e-?\d+)?)"


def texts(root: ElementTree.Element) -> list[str]:
    """The lines of text of a picture."""
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


def named(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    """The group of this name; None if nothing has it."""
    return next((group for group in root.iter(f"{SVG}g") if group.get("id") == name), None)


def places(root: ElementTree.Element, name: str) -> list[tuple[float, float]]:
    """Where the points of a line or the markers of a group are, in points from the top left."""
    group = named(root, name)
    assert group is not None, f"nothing has the name {name}"
    markers = [(float(use.get("x", "")), float(use.get("y", ""))) for use in group.iter(f"{SVG}use")]
    lines = [path.get("d", "") for path in group.findall(f"{SVG}path")]
    points = [(float(x), float(y)) for line in lines for x, y in re.findall(rf"[ML] {_NUMBER} {_NUMBER}", line)]
    return points or markers


def corners(root: ElementTree.Element, name: str) -> list[tuple[float, float]]:
    """The corners of an area, in points from the top left."""
    group = named(root, name)
    assert group is not None, f"nothing has the name {name}"
    [use], [path] = list(group.iter(f"{SVG}use")), list(group.iter(f"{SVG}path"))
    points = re.findall(rf"[ML] {_NUMBER} {_NUMBER}", path.get("d", ""))
    return [(float(x) + float(use.get("x", "")), float(y) + float(use.get("y", ""))) for x, y in points]


def stroke(root: ElementTree.Element, name: str) -> str:
    """The colour of a line."""
    return _style(root, name, "stroke")


def filled(root: ElementTree.Element, name: str) -> str:
    """The colour of an area, or of markers."""
    return _style(root, name, "fill")


def _style(root: ElementTree.Element, name: str, key: str) -> str:
    group = named(root, name)
    styles = [element.get("style", "") for element in (group.iter() if group is not None else ())]
    found = [match[1] for style in styles if (match := re.search(rf"(?:^|; ){key}: (#\w+)", style))]
    assert found, f"nothing with the name {name} has a {key}"
    return found[-1]
