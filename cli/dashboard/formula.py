"""The formula of an optimizer program as MathML, which browsers draw themselves."""

import re
from xml.etree import ElementTree

from latex2mathml.converter import convert

from germline.programs.optimizer import InvalidProgram, parse
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.simplify.latex import latex

MOST = 20_000
"""The most characters of LaTeX that are converted."""

_ELEMENTS = frozenset(
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup mtable mtr mtd mstyle mover munder".split()  # noqa: SIM905
)
_ATTRIBUTES = frozenset("display displaystyle columnalign rowspacing stretchy fence form mathvariant width".split())  # noqa: SIM905


def formula(genome: str) -> str | None:
    """The update of a program as MathML; None for a text that is no program, or a formula that is too long.

    Only elements that draw formulas are passed on: what a genome names cannot become markup.
    """
    try:
        text = latex(live_program(parse(genome)))
    except InvalidProgram:
        return None
    if len(text) > MOST:
        return None
    text = text.replace("{aligned}", "{align*}").replace(r"\operatorname{", r"\mathrm{")
    root = ElementTree.fromstring(convert(text, display="block"))
    return ElementTree.tostring(_drawn(root), encoding="unicode")


def _drawn(element: ElementTree.Element) -> ElementTree.Element:
    """A copy with the elements and attributes that draw formulas; another element becomes a row of its children."""
    name = element.tag.rpartition("}")[2]
    attributes = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES}
    copy = ElementTree.Element(name if name in _ELEMENTS else "mrow", attributes)
    copy.text = element.text
    copy.extend([_drawn(child) for child in _words(element)])
    return copy


def _words(element: ElementTree.Element) -> list[ElementTree.Element]:
    """The children of an element; if they spell a name in upright letters, a single text in their place, because a
    browser sets letters of their own as a product."""
    children = list(element)
    spelled = "".join(child.text or "" for child in children)
    upright = [child for child in children if child.attrib.get("mathvariant") == "normal"]
    if len(children) < 2 or not upright or any(len(child) for child in children):
        return children
    if not re.fullmatch(r"[A-Za-z_]\w*", spelled):
        return children
    word = ElementTree.Element("mi")
    word.text = spelled
    return [word]
