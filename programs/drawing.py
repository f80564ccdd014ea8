"""What pictures share: colours, and texts that may come from anywhere."""

from xml.sax.saxutils import escape

FONT = 'font-family="Helvetica, Arial, sans-serif"'
INK, FAINT = "#222222", "#7f7f7f"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#b59f00", "#5e3c99", "#222222")
"""Colours of lines, in the order of use: first those that colour-blind readers can distinguish (Okabe and Ito 2008)."""

LONGEST_TEXT = 500
"""The most characters of a text in a picture."""

LARGEST_DRAWN = 1e300
"""Values beyond this are left out of pictures, because all other values would fall on one line beside them."""


def printable_text(words: str) -> str:
    """A text on one line, cut if it is long. � stands for control characters, which XML cannot hold, and for marks that
    turn the direction of reading."""
    short = words if len(words) <= LONGEST_TEXT else f"{words[: LONGEST_TEXT - 1]}…"
    return "".join(char if char.isprintable() else "\ufffd" for char in short.replace("\n", " "))


def character_data(words: str) -> str:
    """A text as the content of an SVG element: `printable_text`, with markup escaped."""
    return escape(printable_text(words))
